"""A client of any Label Studio ML backend (`label-studio-ml` 1.x and 2.x), as Label Studio itself would call it.

The address is the administrator's own configuration, like that of Label Studio: private ones are allowed. It leaves
this machine with nothing but tasks and the labelling config; redirects are not followed, so that neither these nor the
password go anywhere else.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from connectors.errors import ConnectorError, Refused, ServerFailed, Unauthorized, Unreachable
from connectors.retries import retry_context

Json = dict[str, Any]
_LARGEST = 64 << 20  # bytes of an answer: 10 000 boxes take 3 MB
_SAID = 300  # characters of a backend's own words that a message repeats


class _NotConnected(Unreachable):
    """The request never left, so that it can be sent again."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a backend may take to answer; Label Studio itself allows 1, 3 and 100."""

    health: float = 5
    setup: float = 60
    predict: float = 100


class MLBackend:
    """An ML backend at an address.

    Args:
        url: http(s) address, with or without a path.
        login: user and password for Basic auth.
        hostname: Label Studio's address, for backends that fetch images from it with `token`.
        token: Label Studio's API token, handed to the backend; empty: it has its own, or needs none.
        timeouts: how long to wait.

    Raises:
        Refused: the address is none.
    """

    def __init__(
        self,
        url: str,
        login: tuple[str, str] | None = None,
        *,
        hostname: str = "",
        token: str = "",
        timeouts: Timeouts | None = None,
    ) -> None:
        if not _is_address(url):
            msg = f"{url[:200]!r} is no address of an ML backend"
            raise Refused(msg, fix="give it as http://host:port")
        self.url = url.rstrip("/")
        self._hostname, self._token = hostname, token
        self._timeouts = timeouts or Timeouts()
        self._http = httpx.Client(auth=login, trust_env=False, headers={"User-Agent": "labelloom"})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> Json:
        """Return what the backend says of itself.

        Raises:
            ConnectorError: it does not answer as an ML backend does.
        """
        return self._ask("GET", "health", None, self._timeouts.health)

    def setup(self, project: str, label_config: str) -> str | None:
        """Tell the backend of a project, and return the version of the model that will predict, where it names one.

        project: Label Studio's "{id}.{created, unix seconds}".

        Raises:
            ConnectorError: it does not answer, or refuses.
        """
        body = {
            "project": project,
            "schema": label_config,
            "hostname": self._hostname,
            "access_token": self._token,
            "extra_params": None,
        }
        version = self._ask("POST", "setup", body, self._timeouts.setup).get("model_version")
        return str(version) if version not in (None, "") else None

    def predict(
        self, project: str, label_config: str, tasks: Sequence[Json], *, context: Json | None = None
    ) -> list[Json]:
        """Return the prediction for each task, in order: {"result": [...], "score": number or None, ...}.

        context: what a smart tool has just drawn on the only task, as Label Studio tells it.

        Raises:
            ConnectorError: it does not answer, refuses, or its answer is not one prediction a task.
        """
        body = {
            "tasks": list(tasks),
            "project": project,
            "label_config": label_config,
            "params": {"login": None, "password": None, "context": context},
        }
        results = self._ask("POST", "predict", body, self._timeouts.predict).get("results")
        if not isinstance(results, list) or len(results) != len(tasks):
            found = f"{len(results)} results" if isinstance(results, list) else "no list of results"
            msg = f"the ML backend at {self.url} answered {len(tasks)} tasks with {found}"
            raise Refused(msg, fix="its predict must give one prediction a task, in order")
        return [self._prediction(result) for result in results]

    def _prediction(self, given: Any) -> Json:
        """Return a task's prediction; of several the first, as they are alternatives; of none an empty one."""
        if isinstance(given, list):
            given = given[0] if given else {"result": [], "score": None}
        result = given.get("result") if isinstance(given, dict) else None
        if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
            msg = f"the ML backend at {self.url} gave {json.dumps(given, ensure_ascii=False)[:_SAID]} for a prediction"
            raise Refused(msg, fix='a prediction is {"result": [regions], "score": number}')
        try:
            score = None if given.get("score") is None else float(given["score"])
        except (TypeError, ValueError) as error:
            msg = f"the ML backend at {self.url} gave the score {str(given['score'])[:_SAID]!r}, which is no number"
            raise Refused(msg, fix="a prediction's score is a number from 0 to 1") from error
        return {**given, "result": result, "score": score}

    def _ask(self, method: str, path: str, body: Json | None, seconds: float) -> Json:
        for attempt in retry_context(on=_NotConnected, attempts=3, wait_initial=0.1, wait_max=1):
            with attempt:
                return self._once(method, path, body, seconds)
        raise AssertionError  # the last attempt raises

    def _once(self, method: str, path: str, body: Json | None, seconds: float) -> Json:
        until = time.monotonic() + seconds
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        limits = httpx.Timeout(seconds, connect=min(5.0, seconds))
        where = f"{self.url}/{path}"
        try:
            with self._http.stream(method, where, content=content, headers=headers, timeout=limits) as response:
                data = self._read(response, until)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            msg = f"no ML backend answers at {self.url}: {error}"
            raise _NotConnected(msg, fix="start it, or correct its address") from error
        except httpx.TimeoutException as error:
            raise self._late(seconds) from error
        except httpx.HTTPError as error:
            msg = f"the connection to the ML backend at {self.url} broke: {error or type(error).__name__}"
            raise Unreachable(msg, fix="look at the ML backend's log") from error
        _raise_for(response.status_code, data, where)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            msg = f"{where} answered {data[:_SAID].decode('utf-8', 'replace')!r}, which is no JSON object"
            raise Refused(msg, fix="check that a Label Studio ML backend runs at this address")
        return answer

    def _read(self, response: httpx.Response, until: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > _LARGEST:
                msg = f"the ML backend at {self.url} answered with more than {_LARGEST >> 20} MiB"
                raise Refused(msg, fix="predict fewer tasks at once")
            if time.monotonic() > until:
                raise self._late()
        return b"".join(parts)

    def _late(self, seconds: float | None = None) -> ConnectorError:
        msg = f"the ML backend at {self.url} took too long" + (f" (more than {seconds:g} s)" if seconds else "")
        return Unreachable(msg, fix="let it predict fewer tasks at once, or wait longer for it")


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)


def _raise_for(status: int, data: bytes, where: str) -> None:
    if status < 300:
        return
    msg = f"{where} answered {status}: {_said(data)}"
    if status in {401, 403}:
        raise Unauthorized(msg, fix="give the user and the password that the ML backend wants", status=status)
    if status >= 500:
        raise ServerFailed(msg, fix="look at the ML backend's log", status=status)
    raise Refused(msg, fix="check that a Label Studio ML backend runs at this address", status=status)


def _said(data: bytes) -> str:
    """Return what a failing backend says: the `detail` that label-studio-ml puts before its traceback, or the text."""
    text = data.decode("utf-8", "replace")
    try:
        detail = json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        detail = text
    return " ".join(str(detail).split())[:_SAID]
