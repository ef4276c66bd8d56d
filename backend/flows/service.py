"""The processes of the service: the web server and the workers, started, watched and stopped together."""

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from backend.core.errors import LabelLoomError
from backend.flows.access import note_url
from backend.flows.builder.pool import default_workers
from backend.settings import Settings

log = logging.getLogger("labelloom.service")

PORT = 9090
THREADS = 16
_LOCAL = ("127.0.0.1", "0.0.0.0", "localhost", "[::]", "[::1]")
_TRIES = 20  # ports after the wanted one
_PATIENCE = 60.0  # seconds for the web server's first answer
_GRACE = 15.0  # seconds for a process to end when asked


def gunicorn(host: str, port: int, *, processes: int = 1) -> list[str]:
    """Return the command line of the web server: threads, since requests wait for databases and for Label Studio."""
    return [
        *(sys.executable, "-m", "gunicorn", "backend.web.app:create_app()"),
        *("--bind", f"{host}:{port}", "--worker-class", "gthread", "--threads", str(THREADS)),
        *("--workers", str(processes), "--graceful-timeout", "10", "--timeout", "120", "--log-level", "warning"),
    ]


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port, or the next free one.

    Raises:
        LabelLoomError: the next twenty are taken as well, or the address is not this machine's.
    """
    for port in range(wanted, min(wanted + _TRIES, 65536)):
        try:
            _listen(host, port)
        except OSError:
            continue
        return port
    msg = f"no free port from {wanted} on at {host}"
    raise LabelLoomError(msg, fix="give another --port")


def check_port(host: str, port: int) -> None:
    """Make sure that the web server can listen there.

    Raises:
        LabelLoomError: something else does, or the address is not this machine's.
    """
    try:
        _listen(host, port)
    except OSError as error:
        fixes = {
            errno.EADDRINUSE: "give another --port, or stop what listens there",
            errno.EACCES: "give a --port above 1023",
        }
        msg = f"cannot listen at {host}, port {port}: {error.strerror}"
        raise LabelLoomError(msg, fix=fixes.get(error.errno or 0, "give --host an address of this machine")) from error


def _listen(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host.strip("[]"), port))


def address(settings: Settings, host: str, port: int) -> str:
    """Return what people open for a web server that listens there."""
    return settings.base_url or f"http://{'localhost' if host in _LOCAL else host}:{port}"


class Service:
    """The web server and some workers, as children of this process, each with a log of its own.

    Args:
        say: is told of what ended and was started again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        workers: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._settings, self._say = settings, say
        self._host, self.port = host, free_port(host, port)
        self._commands = {"web": gunicorn(host, self.port)}
        for number in range(1, (workers or default_workers()) + 1):
            self._commands[f"worker-{number}"] = [str(Path(sys.executable).with_name("labelloom")), "worker"]
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The address people open."""
        return address(self._settings, self._host, self.port)

    def start(self) -> None:
        """Start all processes, wait until the web server answers, and note where.

        Raises:
            LabelLoomError: it does not.
        """
        self._settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._settings.logs_dir.mkdir(exist_ok=True)
        for name in self._commands:
            self._spawn(name)
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            if self.running["web"].poll() is not None or time.monotonic() > end:
                self.stop()
                msg = "the web server did not start"
                raise LabelLoomError(msg, fix=f"its log is {self._log('web')}")
            time.sleep(0.1)
        note_url(self._settings, self.url)

    def keep(self) -> None:
        """Start again what has ended by itself; call it now and then."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                said = f"{name} ended ({process.returncode}): started again; its log is {self._log(name)}"
                log.warning(said)
                if self._say:
                    self._say(said)
                self._spawn(name)

    def stop(self) -> None:
        """Stop all processes; jobs in hand go on at the next start."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + _GRACE
        for process in self.running.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def _spawn(self, name: str) -> None:
        environment = os.environ | {  # noqa: TID251 - what children inherit, not a setting read here
            "LABELLOOM_DATA_DIR": str(self._settings.data_dir),
            "LABELLOOM_CACHE_DIR": str(self._settings.cache_dir),
            "LABELLOOM_DATABASE_URL": self._settings.database,
            "LABELLOOM_BASE_URL": self.url,
        }
        with self._log(name).open("ab") as said:
            self.running[name] = subprocess.Popen(
                self._commands[name],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # a Ctrl-C on the terminal is ours to pass on, in our order
            )

    def _log(self, name: str) -> Path:
        return self._settings.logs_dir / f"{name}.log"

    def _answers(self) -> bool:
        import httpx

        try:
            return httpx.get(f"http://{self._host}:{self.port}/healthz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False
