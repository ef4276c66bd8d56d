"""Signs requests to Label Studio with either kind of token.

A personal access token is a *refresh* token: it opens nothing itself, but is exchanged for an access token that lives
five minutes. A legacy token is sent as it is, and works only while the organization allows it.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx

from connectors.errors import Unauthorized

_EARLY = 60.0  # seconds before its end at which an access token is renewed


def _claims(token: str) -> dict[str, Any]:
    """Return what a JWT says about itself, or an empty mapping for anything else."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


class TokenAuth(httpx.Auth):
    """Adds the Authorization header, for one origin only: the token never travels to another host.

    Args:
        base_url: Label Studio's address.
        token: a personal access token, an access token, or a legacy token; which one is seen from its form.
        clock: seconds since the epoch.
    """

    requires_response_body = True

    def __init__(self, base_url: httpx.URL, token: str, *, clock: Callable[[], float] = time.time) -> None:
        self._base = base_url
        self._token = token
        self._clock = clock
        kind = _claims(token).get("token_type")
        self.personal = kind == "refresh"
        self._scheme = "Bearer" if kind in {"refresh", "access"} else "Token"
        self._access: str | None = None
        self._expires = 0.0
        self._lock = threading.Lock()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign one request, renewing the access token first where it is about to end."""
        if _origin(request.url) != _origin(self._base):
            yield request
            return
        if not self.personal:
            request.headers["Authorization"] = f"{self._scheme} {self._token}"
            yield request
            return
        with self._lock:  # one thread renews, the others wait for it and use its result
            if self._access is None or self._clock() > self._expires - _EARLY:
                response = yield httpx.Request(
                    "POST", _join(self._base, "api/token/refresh/"), json={"refresh": self._token}
                )
                response.read()
                self._renew(response)
            access = self._access
        request.headers["Authorization"] = f"Bearer {access}"
        yield request

    def _renew(self, response: httpx.Response) -> None:
        if response.status_code in {401, 403}:
            msg = f"Label Studio at {self._base} does not accept this personal access token (revoked?)"
            fix = "Make a new one in Label Studio under Account & Settings > Personal Access Token."
            raise Unauthorized(msg, fix=fix, status=response.status_code)
        try:
            self._access = str(response.raise_for_status().json()["access"])
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
            msg = f"{self._base} did not exchange the personal access token (HTTP {response.status_code})"
            fix = "Check that the address is Label Studio's (1.20 or newer), without a path such as /projects."
            raise Unauthorized(msg, fix=fix, status=response.status_code) from error
        self._expires = float(_claims(self._access).get("exp", self._clock() + 2 * _EARLY))


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _join(base: httpx.URL, path: str) -> httpx.URL:
    return base.copy_with(path=f"{base.path.rstrip('/')}/{path}")
