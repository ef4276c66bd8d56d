"""Asking a source's API: one keep-alive connection, retries with patience, capped answers, one sort of fault.

Redirects are not followed (an API that sends us elsewhere is not the one that was meant), proxies of the environment
are not used, and keys travel in headers only, over TLS only.
"""

import json
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast
from urllib.parse import urlsplit

from connectors.retries import retry_context
from connectors.sources.base import Access, FaultKind, Json, SourceFault

if TYPE_CHECKING:
    import httpx

LIMIT = 8 * 1024 * 1024  # bytes of one answer
DEADLINE = 60.0  # seconds for one answer; Openverse takes up to 15
ATTEMPTS = 4
PATIENCE = 60.0  # seconds that a source may ask us to wait; who asks for more is asked again in another run
_PAUSE = 1.0  # seconds before asking again where the source does not say
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_SHOWN = 300  # characters of the other side's words


@dataclass(frozen=True, slots=True)
class Reply:
    """An API's answer. headers: names in lower case. data: its bytes, not more than `LIMIT`."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> Json | None:
        """Return the object that was answered, or None where the answer is something else."""
        try:
            value = json.loads(self.data)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Call:
    """One request. query: goes into the address, secrets do not. form: makes it a POST."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None


Judge = Callable[[Reply], SourceFault | None]


class Api:
    """A connection to one source's API, closed at the end of a `with`.

    Args:
        name: the source, as messages call it.
        access: keys (kept out of every message) and the contact that the User-Agent names.
        before: called before each request that is really sent, also a repeated one; may raise.
    """

    def __init__(self, name: str, access: Access, *, before: Callable[[], None] = lambda: None) -> None:
        import httpx

        self._name = name
        self._access = access
        self._before = before
        self._client = httpx.Client(
            timeout=httpx.Timeout(30, connect=10),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": user_agent(access.contact), "Accept": "application/json"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(self, call: Call, judge: Judge) -> Json:
        """Return the object that the API answers; what may pass is asked for again, after the wait it asks for.

        Args:
            call: what to ask. judge: tells an answer that is a fault from one that is not.

        Raises:
            SourceFault: it still fails, or asking again would be no use.
        """
        attempts = retry_context(on=_again, attempts=ATTEMPTS, timeout=3 * PATIENCE)
        for attempt in attempts:
            with attempt:
                reply = self._once(call)
                fault = judge(reply) or self._unusable(reply)
                if fault is not None:
                    raise self.clean(fault)
        return cast("Json", reply.json())

    def _unusable(self, reply: Reply) -> SourceFault | None:
        if reply.json() is None:
            said = f"{self._name} answered something that is not a JSON object"
            return SourceFault("upstream", said, fix="Try again later; if an address of your own is set, check it.")
        return None

    def clean(self, fault: SourceFault) -> SourceFault:
        """Return the fault without any key in its words, should the other side have repeated one."""
        text = str(fault)
        for secret in self._access.keys.values():
            text = text.replace(secret, "***") if len(secret) > 3 else text
        fault.args = (text,)
        return fault

    def _once(self, call: Call) -> Reply:
        import httpx

        self._guard(call)
        self._before()
        try:
            # Built apart: the library's own log line at level INFO shows the address, never headers or forms.
            request = self._client.build_request(
                "GET" if call.form is None else "POST",
                call.url,
                params=dict(call.query) or None,
                headers=dict(call.headers),
                data=None if call.form is None else dict(call.form),
            )
            response = self._client.send(request, stream=True)
            try:
                return Reply(response.status_code, _lower(response.headers), self._read(response))
            finally:
                response.close()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            msg = f"{self._name}: {urlsplit(call.url).hostname} is not reached: {error or type(error).__name__}"
            fault = self.clean(SourceFault("network", msg, fix="Check the connection, or try again later."))
            raise fault from error

    def _guard(self, call: Call) -> None:
        parts = urlsplit(call.url)
        keyed = bool(call.headers) or call.form is not None
        if keyed and parts.scheme != "https" and parts.hostname not in _LOCAL | self._access.allow_hosts:
            msg = f"{self._name}: keys are not sent to http://{parts.hostname}, where others could read them"
            raise SourceFault(kind="bad_request", message=msg, fix="Use an https address in LABELLOOM_SOURCE_URLS.")

    def _read(self, response: "httpx.Response") -> bytes:
        until = time.monotonic() + DEADLINE
        body = bytearray()
        for chunk in response.iter_bytes(1 << 16):
            body += chunk
            if len(body) > LIMIT or time.monotonic() > until:
                what = f"more than {LIMIT:,} bytes" if len(body) > LIMIT else f"for more than {DEADLINE:.0f} seconds"
                raise SourceFault(kind="upstream", message=f"{self._name} answers {what}", fix="Try again later.")
        return bytes(body)


def _lower(headers: "httpx.Headers") -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _again(error: Exception) -> bool | timedelta:
    """Tell whether, and after which wait, a request is worth repeating."""
    if not isinstance(error, SourceFault) or error.kind not in {"network", "upstream", "rate_limited"}:
        return False
    if error.resume_at is None:
        return timedelta(seconds=_PAUSE) if error.kind == "rate_limited" else True
    wait = error.resume_at - datetime.now(UTC)
    return max(wait, timedelta(0)) if wait.total_seconds() <= PATIENCE else False


def user_agent(contact: str | None) -> str:
    """Return how we introduce ourselves: product, version and whom to write to."""
    product = f"LabelLoom/{version('labelloom')}"
    return f"{product} ({contact.encode('ascii', 'replace').decode()})" if contact else product


def resume_time(headers: Mapping[str, str]) -> datetime | None:
    """Return when `Retry-After` (seconds or a date) allows the next request, or None."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return datetime.now(UTC) + timedelta(seconds=min(int(value), 31 * 86400))
    try:
        found = parsedate_to_datetime(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_BY_STATUS: dict[int, tuple[FaultKind, str]] = {
    401: ("auth", "Check the keys in the settings."),
    403: ("blocked", "Wait before asking again, and set LABELLOOM_CONTACT so that the source can reach you."),
    429: ("rate_limited", "Wait; the same command goes on where it stopped."),
}


def status_fault(name: str, reply: Reply, said: str) -> SourceFault | None:
    """Return what an HTTP status alone means, or None for a good one.

    Args:
        name: the source. reply: its answer. said: the source's own words, "" where there are none.
    """
    if reply.status < 300:
        return None
    said = said or plain(reply.data[:_SHOWN].decode("utf-8", "replace"))
    msg = f"{name} answered HTTP {reply.status}" + (f": {said[:_SHOWN]}" if said else "")
    if reply.status in _BY_STATUS:
        kind, fix = _BY_STATUS[reply.status]
        return SourceFault(kind, msg, fix=fix, resume_at=resume_time(reply.headers))
    if reply.status >= 500:
        return SourceFault("upstream", msg, fix="Try again later.", resume_at=resume_time(reply.headers))
    if reply.status < 400:
        return SourceFault("upstream", f"{msg} (a redirect)", fix="Check the address in LABELLOOM_SOURCE_URLS.")
    return SourceFault("bad_request", msg, fix="Change the keyword.")


def keyword(name: str, text: str, longest: int | None = None) -> str:
    """Return a keyword as it is sent: composed (NFC), spaces single.

    Raises:
        SourceFault: it is empty, not writable as UTF-8, or longer than `longest` characters.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{name}: the keyword {text[:100]!r} is not valid text"
        raise SourceFault(kind="bad_request", message=msg, fix="Type it again, as UTF-8.") from error
    word = " ".join(unicodedata.normalize("NFC", text.replace("\0", " ")).split())
    if not word:
        msg = f"{name}: the keyword is empty"
        raise SourceFault(kind="bad_request", message=msg, fix="Give a keyword.")
    if longest is not None and len(word) > longest:
        msg = f"{name}: the keyword has {len(word)} characters, and only the first {longest} would be looked at"
        raise SourceFault(kind="bad_request", message=msg, fix=f"Use at most {longest} characters.")
    return word


_HIDDEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


def plain(text: str) -> str:
    """Return a piece of HTML as one line of plain text: tags stripped, then entities resolved once."""
    import html

    return " ".join(html.unescape(_TAG.sub("", _HIDDEN.sub("", text))).split())


def number(value: object) -> int | None:
    """Return a size in pixels from a number or a string of digits; None for 0 and for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return (int(text) or None) if text.isascii() and text.isdigit() and len(text) < 10 else None


def text_of(value: object) -> str:
    """Return a string that an answer holds, "" where it holds something else."""
    return value.strip() if isinstance(value, str) else ""


def is_web(url: str) -> bool:
    """Tell whether something looks like an address of the web."""
    return url.lower().startswith(("http://", "https://"))
