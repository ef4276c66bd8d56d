"""Turns what goes wrong between us and Label Studio into our own errors, each with its fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from connectors.errors import ConnectorError, NotLabelStudio, Refused, ServerFailed, Unauthorized, Unreachable

_SHOWN = 300  # characters of an answer that go into a message


def bad_address(url: str) -> Unreachable:
    """Return the error for something that is no address at all."""
    msg = f"{url!r} is not an address"
    return Unreachable(msg, fix="Set LABEL_STUDIO_URL to something like http://localhost:8080.")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise our errors for httpx's and the SDK's."""
    try:
        yield
    except httpx.TimeoutException as error:
        msg = f"Label Studio at {url} did not answer in time ({type(error).__name__})"
        raise Unreachable(
            msg, fix="It may be busy: run the same command again, it goes on where it stopped."
        ) from error
    except httpx.HTTPError as error:
        msg = f"Label Studio at {url} cannot be reached: {error}"
        raise Unreachable(msg, fix="Check that it is running and that the address is right.") from error
    except ConnectorError:
        raise
    except Exception as error:
        status, body = getattr(error, "status_code", None), getattr(error, "body", None)
        if not isinstance(status, int):
            raise
        raise _of(status, _detail(body), url) from error


def raise_for(response: httpx.Response, url: str) -> None:
    """Raise the error an answer stands for; an answer below 300 passes.

    Raises:
        ConnectorError: one of its kinds.
    """
    if response.is_success:
        return
    if response.is_redirect:
        target = response.headers.get("location", "?")
        msg = f"{url} sends us on to {target}"
        raise NotLabelStudio(msg, fix="Use the address you see in the browser when Label Studio is open.")
    response.read()
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    raise _of(response.status_code, _detail(body), url)


def _detail(body: Any) -> str:
    if not isinstance(body, dict):
        return str(body)[:_SHOWN] if isinstance(body, str | list) else ""
    parts = [str(body.get("detail") or "")]
    problems = body.get("validation_errors")
    if problems:
        parts.append(str(problems))
    return " ".join(part for part in parts if part)[:_SHOWN]


def _of(status: int, detail: str, url: str) -> ConnectorError:
    if status == 401:
        return _unauthorized(detail, url)
    if status >= 500:
        msg = f"Label Studio at {url} failed (HTTP {status}){': ' + detail if detail else ''}"
        return ServerFailed(msg, fix="Read Label Studio's log; the same command can be run again.", status=status)
    msg = f"Label Studio at {url} refused (HTTP {status}){': ' + detail if detail else ''}"
    fix = "Check the id and that the token's user may see it." if status in {403, 404} else None
    return Refused(msg, fix=fix, status=status)


def _unauthorized(detail: str, url: str) -> Unauthorized:
    if "legacy token" in detail:
        msg = f"Label Studio at {url} has legacy tokens switched off"
        fix = (
            "Make a personal access token (Account & Settings > Personal Access Token) and use that, "
            "or allow legacy tokens under Organization > Access Token Settings."
        )
        return Unauthorized(msg, fix=fix, status=401)
    msg = f"Label Studio at {url} does not accept the token{': ' + detail if detail else ''}"
    fix = "Copy it again from Label Studio's Account & Settings into LABEL_STUDIO_API_KEY."
    return Unauthorized(msg, fix=fix, status=401)
