"""Which addresses may be asked: decided on the text before, and on the IP address that is really connected to.

A name may point anywhere, and elsewhere a moment later; so the last word is the socket factory's, which sees the very
address of each connection, redirects and literal addresses included.
"""

import errno
import ipaddress
import re
import socket
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from yarl import URL

from connectors.fetching.failure import Failure

NOT_PUBLIC = "is not a public address"
_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # shared by a carrier's customers
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4 in IPv6, the old way
        "64:ff9b::/96",  # NAT64: what is behind it is the translator's business
        "64:ff9b:1::/48",
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
    )
)
_SAFE = "%/:=&?~#+!$,;'@()*[]|"  # a percent sign stays: the bytes behind it may be CP949, and are not ours to touch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class PrivateAddress(OSError):
    """A connection would have led into a private network."""


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public network, whatever it is wrapped in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_multicast or not ip.is_global:
        return False
    return not any(ip.version == network.version and ip in network for network in _NETWORKS)


def public_socket(where: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
    """Return a socket for an address (as from getaddrinfo) that is about to be connected.

    Raises:
        PrivateAddress: it is not public.
    """
    family, kind, protocol, _, target = where
    if not is_public(str(target[0])):
        raise PrivateAddress(errno.EACCES, f"{target[0]} {NOT_PUBLIC}")
    return socket.socket(family, kind, protocol)


def address(text: str, ports: Collection[int], allowed: Collection[str], base: URL | None = None) -> URL:
    """Return an address ready to be asked: joined to `base`, percent-encoded where it was not, without fragment.

    Args:
        text: the address as found.
        ports: ports that may be used.
        allowed: hosts for which every port may be.
        base: the address it was found at, for relative ones.

    Raises:
        Failure: `bad-url`.
    """
    try:
        found = _parsed(urljoin(str(base), text.strip()) if base else text.strip())
        port = found.explicit_port or (443 if found.scheme == "https" else 80)
    except (ValueError, TypeError, UnicodeError) as error:
        raise Failure(code="bad-url", detail=f"{text[:200]!r}: {error}") from error
    if found.user is not None or found.password is not None:
        raise Failure(code="bad-url", detail="a user name or password stands in the address")
    if port not in ports and found.host not in allowed:
        raise Failure(code="bad-url", detail=f"port {port} is not one of {', '.join(map(str, sorted(ports)))}")
    return found


def _parsed(text: str) -> URL:
    if _CONTROL.search(text):
        msg = "it holds a control character"
        raise ValueError(msg)
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "not an http or https address"
        raise ValueError(msg)
    host = URL.build(scheme=parts.scheme, host=parts.hostname.rstrip("."))  # to ASCII, where it is Korean
    port = f":{parts.port}" if parts.port is not None else ""
    user = f"{parts.username or ''}:{parts.password or ''}@" if "@" in parts.netloc else ""
    path = quote(parts.path or "/", safe=_SAFE, errors="surrogateescape")
    query = f"?{quote(parts.query, safe=_SAFE, errors='surrogateescape')}" if parts.query else ""
    raw = host.raw_host or ""
    literal = f"[{raw}]" if ":" in raw else raw
    return URL(f"{parts.scheme}://{user}{literal}{port}{path}{query}", encoded=True)
