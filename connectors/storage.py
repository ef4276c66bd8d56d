"""Files at an address: a folder, `s3://bucket/prefix`, or anything else that fsspec speaks to.

Keys never stand in an address: S3's come from where Amazon's own tools look for them (AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, AWS_PROFILE, an instance's role), other endpoints than Amazon's from AWS_ENDPOINT_URL.
"""

import importlib
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from connectors.errors import ConnectorError, Refused, ServerFailed, Unauthorized, Unreachable
from connectors.retries import retry_context

THREADS = 8
_OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}  # a file appears whole, or not
_KEYS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) to keys that may list, read and write there, "
    "and AWS_ENDPOINT_URL where it is not Amazon's own S3"
)
_EXTRAS = {"s3": "labelloom[s3]", "s3a": "labelloom[s3]", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
_DENIED = {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"}

In = TypeVar("In")
Out = TypeVar("Out")


def is_s3(url: str) -> bool:
    """Tell whether an address is one of S3."""
    return url.startswith(("s3://", "s3a://"))


def in_parallel(work: Callable[[In], Out], items: Iterable[In], threads: int = THREADS) -> Iterator[Out]:
    """Yield `work(item)` for each item, in order, a few ahead; whoever stops listening stops the work."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Storage:
    """The files below an address, safe to share between threads; `name` is a file's path below it, with `/`.

    Args:
        url: a folder, or `protocol://...`.

    Raises:
        Refused: nothing here speaks that protocol, or the address holds a password.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") or url
        parts = urlsplit(url) if "://" in url else None
        self._protocol = parts.scheme if parts else "file"
        if parts and "@" in parts.netloc and is_s3(url):
            msg = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}: keys do not belong into the address"
            raise Refused(msg, fix=_KEYS)
        self.shown = self.url
        if parts and parts.password:
            self.shown = self.url.replace(f":{parts.password}@", ":***@", 1)
        self._files, self._root = self._open()
        self._whole = self._protocol in _OBJECT_STORES

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        options = {"use_listings_cache": False, "skip_instance_cache": True} if is_s3(self.url) else {}
        try:
            files, root = url_to_fs(self.url, **options)
        except ImportError as error:
            msg = f"{self.shown}: nothing is installed here that speaks {self._protocol}"
            package = _EXTRAS.get(self._protocol, "the package that fsspec names for it")
            raise Refused(msg, fix=f"pip install '{package}'") from error
        except ValueError as error:
            msg = f"{self.shown}: {self._protocol} is no protocol that is known here"
            raise Refused(msg, fix="give a folder or s3://bucket/prefix") from error
        return files, str(root).rstrip("/")

    def below(self, name: str) -> "Storage":
        """Return the storage of a folder in this one."""
        return Storage(f"{self.url}/{name}")

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of every file, by name; nothing where the place does not exist."""
        found = self._try(lambda: self._files.find(self._root, detail=True), absent={}) or {}
        start = len(self._root) + 1
        return {path[start:]: int(info["size"]) for path, info in found.items() if info["type"] == "file"}

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes, or None where there is none."""
        info = self._try(lambda: self._files.info(self._path(name)), absent=None)
        return None if info is None or info["type"] != "file" else int(info["size"])

    def read(self, name: str) -> bytes | None:
        """Return a file's content, or None where there is none."""
        data: bytes | None = self._try(lambda: self._files.cat_file(self._path(name)), absent=None)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file; it appears whole or not at all."""
        self._send(name, lambda path: self._files.pipe_file(path, data))

    def put(self, source: Path, name: str) -> None:
        """Send a file; it appears whole or not at all."""
        self._send(name, lambda path: self._files.put_file(str(source), path))

    def get(self, name: str, target: Path) -> None:
        """Fetch a file; it appears whole or not at all.

        Raises:
            Refused: there is none, or it cannot be written here.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            self._try(lambda: self._files.get_file(self._path(name), str(temporary)))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        self._try(lambda: self._files.rm_file(self._path(name)), absent=None)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _send(self, name: str, send: Callable[[str], Any]) -> None:
        path = self._path(name)
        if self._whole:
            self._try(lambda: send(path))
            return
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/.{secrets.token_hex(8)}.part"

        def replace() -> None:
            self._files.makedirs(folder, exist_ok=True)
            send(temporary)
            self._files.mv(temporary, path)

        self._try(replace)

    def _try(self, call: Callable[[], Any], **default: Any) -> Any:
        """Call; what breaks on the way is tried again, what is refused is not. default: `absent`, what stands for it.

        Raises:
            ConnectorError: one of its kinds.
        """
        # Amazon's library has tried several times by then; more of ours would keep people waiting for minutes.
        for attempt in retry_context(on=(Unreachable, ServerFailed), attempts=2, wait_initial=1):
            with attempt, _translated(self.shown):
                try:
                    return call()
                except (FileNotFoundError, NotADirectoryError):
                    if "absent" not in default:
                        raise
                    return default["absent"]
        raise AssertionError  # the last attempt raises


@contextmanager
def _translated(shown: str) -> Iterator[None]:
    """Raise our errors for the system's, fsspec's and Amazon's."""
    try:
        yield
    except ConnectorError:
        raise
    except FileNotFoundError as error:
        msg = f"{shown}: not there: {_said(error)}"
        raise Refused(msg, fix="check the address; a bucket has to be made before it is used") from error
    except PermissionError as error:
        msg = f"{shown}: access was refused: {_said(error)}"
        raise Unauthorized(msg, fix=_KEYS if is_s3(shown) else "make it writable for this user") from error
    except OSError as error:
        msg = f"{shown}: {_said(error)}"
        if is_s3(shown):
            raise ServerFailed(msg, fix="run the same command again: it goes on where it stopped") from error
        raise Refused(msg, fix="see that there is space and that it can be written") from error
    except Exception as error:
        if not type(error).__module__.startswith(("botocore", "aiobotocore", "aiohttp")):
            raise
        raise _of_amazon(error, shown) from error


def _of_amazon(error: Exception, shown: str) -> ConnectorError:
    kind = type(error).__name__
    if kind in _DENIED:
        return Unauthorized(f"{shown}: there are no keys to open it with", fix=_KEYS)
    if kind in {"ParamValidationError", "InvalidEndpointDiscoveryConfigurationError", "ProfileNotFound"}:
        return Refused(f"{shown}: {_said(error)}", fix=_KEYS)
    fix = "check AWS_ENDPOINT_URL and the network; the same command goes on where it stopped"
    return Unreachable(f"{shown} cannot be reached: {_said(error)}", fix=fix)


def _said(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:300]


def load(module: str) -> Any:
    """Return a module of the extra `s3`, which has no types.

    Raises:
        Refused: the extra is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        msg = f"S3 needs {module}, which is not installed"
        raise Refused(msg, fix="pip install 'labelloom[s3]'") from error
