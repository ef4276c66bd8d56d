"""A PostgreSQL server of one's own, for tests and benchmarks, where one is installed."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/bin")


def _program(name: str) -> str | None:
    found = [path for place in PLACES for path in Path("/").glob(f"{place[1:]}/{name}")]
    return shutil.which(name) or (str(max(found)) if found else None)


class Postgres:
    """A server on a free port; it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        self._as: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}  # it refuses to run as root
        if self._as:
            shutil.chown(folder, "postgres")
        initdb = [_program("initdb"), "-D", str(folder / "db"), "-U", "labelloom", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **self._as)

    def control(self, verb: str) -> None:
        """Start or stop it."""
        options = f"-p {self.port} -k {self.folder} -c fsync=off -c listen_addresses=127.0.0.1"
        command = [_program("pg_ctl"), verb, "-D", str(self.folder / "db"), "-w", "-m", "immediate"]
        if verb == "start":
            command = [*command[:-2], "-o", options, "-l", str(self.folder / "log")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._as)

    def database(self, name: str) -> str:
        """Make a database and return its URL."""
        psql = [_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "labelloom", "-d", "postgres"]
        subprocess.run([*psql, "-qc", f'create database "{name}"'], check=True)
        return f"postgresql://labelloom@127.0.0.1:{self.port}/{name}"


def installed() -> bool:
    """Tell whether the programs are there."""
    return all(_program(name) for name in ("initdb", "pg_ctl", "psql"))


@contextmanager
def running() -> Iterator[Postgres]:
    """Yield a running server; it and its data are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="labelloom-pg-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        server.control("start")
        try:
            yield server
        finally:
            server.control("stop")
