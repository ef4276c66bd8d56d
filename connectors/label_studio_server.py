"""A Label Studio of our own: started, watched and stopped; everything it needs lies in one data directory.

`<data_dir>/server.json` (mode 0600) holds the address, account and tokens; `label-studio.log` the server's output;
`data/` Label Studio's database and uploads. Started again on the same directory it comes back as it was.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Self

import httpx

from connectors import label_studio_guard
from connectors.errors import ServerError
from connectors.label_studio_install import Say

START_TIMEOUT = 240.0  # seconds; a first start makes the database: 30 s on two cores, several times that when busy
FIRST_PORT = 8080
TELL_EVERY = 10.0  # seconds between signs of life while it starts
LONG_WAIT = 60.0  # seconds after which they name the log
STILL_ENDING = label_studio_guard.GRACE + 5.0  # seconds that one which no longer answers may hold the folder


@dataclass(frozen=True, slots=True)
class Account:
    """Address and login of a Label Studio that we run; `token` is the legacy token, `personal_token` may be minted."""

    url: str
    username: str
    password: str
    token: str
    personal_token: str | None = None

    @property
    def port(self) -> int:
        """The port in the address."""
        return httpx.URL(self.url).port or 80


def read_account(data_dir: Path) -> Account | None:
    """Return the account stored in a data directory, or None where no server was ever started."""
    path = data_dir / "server.json"
    return Account(**json.loads(path.read_text())) if path.is_file() else None


def write_account(data_dir: Path, account: Account) -> None:
    """Store an account, readable by its owner only from the first byte on."""
    temporary = data_dir / "server.json.tmp"
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(account), file, indent=1)
    temporary.replace(data_dir / "server.json")


def is_up(url: str) -> bool:
    """Return whether a Label Studio answers at an address."""
    try:
        return bool(httpx.get(f"{url}/health", timeout=2).json() == {"status": "UP"})
    except (httpx.HTTPError, ValueError):
        return False


def free_port(first: int = FIRST_PORT, host: str = "0.0.0.0") -> int:
    """Return the first free port from `first` on; Label Studio itself would move on silently.

    Raises:
        ServerError: 200 ports in a row are taken.
    """
    for port in range(first, first + 200):
        if not _answers(port) and _can_bind(host, port):
            return port
    msg = f"no free port between {first} and {first + 199}"
    raise ServerError(msg, fix="Name another port with --port.")


def _answers(port: int) -> bool:
    """Return whether anybody listens on localhost, be it IPv4 or IPv6: Label Studio looks the same way."""
    try:
        socket.create_connection(("localhost", port), timeout=0.5).close()
    except OSError:
        return False
    return True


def _can_bind(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


class LabelStudioServer:
    """One Label Studio process on one data directory.

    Args:
        command: the `label-studio` command, as `label_studio_install.install` returns it.
        data_dir: where everything it needs is kept.
        document_root: the folder whose sub-folders it may serve as local files; default `<data_dir>/files`.
        host: the interface it listens on.
        settings: further environment variables for it.
    """

    def __init__(
        self,
        command: Path,
        data_dir: Path,
        *,
        document_root: Path | None = None,
        host: str = "127.0.0.1",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.command = command
        self.data_dir = data_dir.resolve()
        self.document_root = (document_root or data_dir / "files").resolve()
        self.log = self.data_dir / "label-studio.log"
        self._host = host
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.account: Account | None = read_account(self.data_dir)

    def start(self, say: Say = lambda _: None, *, port: int | None = None, timeout: float = START_TIMEOUT) -> Account:
        """Start Label Studio, wait until it answers, and return its address and account.

        Without a port, the one used before is taken, so that addresses stay valid; a busy one gives way to the next.
        The password and token are drawn at the first start.

        Raises:
            ServerError: it is already running on this directory, it ended, or it did not answer in time.
        """
        for folder in (self.data_dir, self.data_dir / "data", self.document_root):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.data_dir / "lock").open("a") as lock:
            self._lock(lock)
            known = self.account = read_account(self.data_dir)
            chosen = free_port(port or (known.port if known else FIRST_PORT), self._host)
            account = known or Account("", "admin@labelloom.local", secrets.token_urlsafe(18), secrets.token_hex(20))
            account = replace(account, url=f"http://localhost:{chosen}")
            self.account = account
            write_account(self.data_dir, account)
            self._spawn(account, lock)
        first = "" if known else " for the first time: it makes its database, which takes half a minute or more"
        say(f"Label Studio is starting{first}")
        self._wait(account, say, timeout)
        return account

    def personal_token(self) -> str:
        """Return a personal access token of the admin; it is made once and stored, as Label Studio shows it only once.

        Raises:
            ServerError: Label Studio did not make one (the user has one already that we do not know).
        """
        assert self.account is not None  # only after start()
        if self.account.personal_token is None:
            headers = {"Authorization": f"Token {self.account.token}"}
            response = httpx.post(f"{self.account.url}/api/token/", headers=headers, timeout=30)
            if response.status_code != 201:
                msg = f"Label Studio made no personal access token (HTTP {response.status_code})"
                raise ServerError(msg, fix="Revoke the user's present one in Account & Settings.")
            self.account = replace(self.account, personal_token=str(response.json()["token"]))
            write_account(self.data_dir, self.account)
        assert self.account.personal_token is not None
        return self.account.personal_token

    def stop(self) -> None:
        """Stop Label Studio and all it started; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(label_studio_guard.GRACE + 5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def running(self) -> bool:
        """Return whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _lock(self, lock: IO[str]) -> None:
        until = time.monotonic() + STILL_ENDING
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                known = read_account(self.data_dir)
                if time.monotonic() < until and not (known and is_up(known.url)):  # the one before is ending
                    time.sleep(0.1)
                    continue
                msg = f"a Label Studio is already running on {self.data_dir}" + (f" ({known.url})" if known else "")
                raise ServerError(msg, fix="Use that one, or stop it first.") from error

    def _environment(self, account: Account) -> dict[str, str]:
        return {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.data_dir / "data"),
            "LABEL_STUDIO_USERNAME": account.username,
            "LABEL_STUDIO_PASSWORD": account.password,
            "LABEL_STUDIO_USER_TOKEN": account.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(self.document_root),
            # Our own services live on private addresses, which Label Studio refuses by default.
            "ML_BLOCK_LOCAL_IP": "false",
            "SSRF_PROTECTION_ENABLED": "false",
            "USE_DEFAULT_BANNED_SUBNETS": "false",
            # It calls nobody.
            "COLLECT_ANALYTICS": "False",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
            "LATEST_VERSION_CHECK": "False",
            **self._settings,
        }

    def _spawn(self, account: Account, lock: IO[str]) -> None:
        arguments = ["start", "--no-browser", "--port", str(account.port), "--internal-host", self._host]
        order = {
            "argv": [str(self.command), *arguments],
            "env": self._environment(account),
            "log": str(self.log),
            "cwd": str(self.data_dir),
            "parent": os.getpid(),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-I", label_studio_guard.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )
        assert self._process.stdin is not None  # asked for above
        self._process.stdin.write(json.dumps(order).encode())  # not the command line: others could read the password
        self._process.stdin.close()

    def _wait(self, account: Account, say: Say, timeout: float) -> None:
        begin = time.monotonic()
        told = begin
        while not is_up(account.url):
            now = time.monotonic()
            if not self.running() or now - begin > timeout:
                reason = "did not answer in time" if self.running() else "ended while starting"
                self.stop()
                msg = f"Label Studio {reason}; the last lines of {self.log}:\n{self._tail()}"
                raise ServerError(msg, fix=f"Read {self.log}.")
            if now - told > TELL_EVERY:
                told = now
                where = f"; its log is {self.log}" if now - begin > LONG_WAIT else ""
                say(f"Label Studio is still starting ({now - begin:.0f} s{where})")
            time.sleep(0.3)
        say(f"Label Studio answers at {account.url}")

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        return "\n".join(lines[-8:])
