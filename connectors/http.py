"""Fetches bytes from the public web without becoming somebody's way into the private network.

A host is looked up once, every address it has must be public, and the connection goes to the address that was checked
(a name that changes its answer between check and connection gains nothing). Redirects are followed by hand, each
target checked again.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import httpx

from connectors.errors import FetchError
from connectors.retries import retry_context

Resolver = Callable[[str, int], list[str]]

LIMIT = 200 * 1024 * 1024  # bytes of one image
DEADLINE = 120.0  # seconds for one image, all in
_REDIRECTS = 5
_CHUNK = 1 << 16


class Transient(FetchError):
    """Worth another try: the connection broke or the server failed."""


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses.

    Raises:
        FetchError: the name is unknown.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        msg = f"host {host} is not known"
        raise FetchError(msg, fix="Check the address, or the name service.") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def read_all(response: httpx.Response, limit: int, until: float) -> bytes:
    """Return a streamed answer's body.

    Raises:
        FetchError: it is larger than `limit` bytes, or not complete by `until` (time.monotonic()).
    """
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        msg = f"{int(declared):,} bytes, more than the limit of {limit:,}"
        raise FetchError(msg, fix="Make the image smaller.")
    body = bytearray()
    for chunk in response.iter_bytes(_CHUNK):
        body += chunk
        if len(body) > limit:
            msg = f"more than the limit of {limit:,} bytes"
            raise FetchError(msg, fix="Make the image smaller.")
        if time.monotonic() > until:
            msg = "the server sends too slowly: the time limit is over"
            raise FetchError(msg)
    return bytes(body)


class PublicFetcher:
    """Fetches http(s) addresses of hosts on the public network.

    Args:
        allow_hosts: hosts that may have private addresses.
        limit: bytes of one image. deadline: seconds for one image with all its retries.
        resolver: how a host's addresses are found.
    """

    def __init__(
        self,
        *,
        allow_hosts: Collection[str] = (),
        limit: int = LIMIT,
        deadline: float = DEADLINE,
        resolver: Resolver = resolve,
    ) -> None:
        self._allowed = frozenset(allow_hosts)
        self._limit = limit
        self._deadline = deadline
        self._resolver = resolver
        # No proxy from the environment: it would connect for us, to an address we have not checked.
        self._client = httpx.Client(timeout=httpx.Timeout(30, connect=10), trust_env=False)

    def fetch(self, url: str, *, trusted: bool = False) -> bytes:
        """Return the bytes at an http(s) address.

        Args:
            url: the address.
            trusted: whether the first address may be private (its redirects may not).

        Raises:
            FetchError: refused, absent, too large, or too slow.
        """
        until = time.monotonic() + self._deadline
        for attempt in retry_context(on=Transient, attempts=4, wait_initial=0.2, timeout=self._deadline):
            with attempt:
                return self._once(url, trusted, until)
        raise AssertionError  # the last attempt raises

    def _once(self, url: str, trusted: bool, until: float) -> bytes:
        with self.opened(url, trusted=trusted) as response:
            return read_all(response, self._limit, until)

    @contextmanager
    def opened(
        self, url: str, *, trusted: bool = False, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Open an address, each redirect checked; the body is the caller's to read, once.

        Raises:
            FetchError: refused or absent, or the connection broke, in the caller's reading too.
        """
        for _ in range(_REDIRECTS + 1):
            request = self._request(url, trusted)
            request.headers.update(headers or {})
            try:
                response = self._client.send(request, stream=True)
                try:
                    if not response.has_redirect_location:
                        _raise_for(response, url)
                        yield response
                        return
                    url, trusted = str(httpx.URL(url).join(response.headers["location"])), False
                finally:
                    response.close()
            except httpx.HTTPError as error:
                msg = f"{_host(url)}: {error or type(error).__name__}"
                raise Transient(msg) from error
        msg = f"{_host(url)}: more than {_REDIRECTS} redirects"
        raise FetchError(msg)

    def _request(self, url: str, trusted: bool) -> httpx.Request:
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            msg = f"{url[:200]!r} is not an address"
            raise FetchError(msg) from error
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            msg = f"{url[:200]!r} is not an http(s) address"
            raise FetchError(msg)
        if trusted or parsed.host in self._allowed:
            return self._client.build_request("GET", parsed)
        address = self._public_address(parsed)
        pinned = parsed.copy_with(host=address)
        extensions = {"sni_hostname": parsed.host}  # the certificate is still checked against the name
        return self._client.build_request(
            "GET", pinned, headers={"Host": parsed.netloc.decode()}, extensions=extensions
        )

    def _public_address(self, url: httpx.URL) -> str:
        addresses = self._resolver(url.host, url.port or (443 if url.scheme == "https" else 80))
        for address in addresses:
            if not ipaddress.ip_address(address.split("%")[0]).is_global:
                msg = f"{url.host} has the private address {address}; images are fetched from public hosts only"
                raise FetchError(msg, fix=f"If that is meant, allow it: LABELLOOM_ALLOW_HOSTS={url.host}")
        return addresses[0]


def _raise_for(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if status < 300:
        return
    msg = f"{_host(url)} answered HTTP {status}"
    if status >= 500 or status in {408, 429}:
        raise Transient(msg, status=status)
    raise FetchError(msg, status=status)


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return url[:100]
