"""Licence names as sources write them, as SPDX ids, and as the short names a filter is given (by, by-sa, cc0, pdm).

What is not recognised stays unknown; nothing is ever taken for free because it could not be read.
"""

import re
from collections.abc import Collection

from connectors.sources.base import Confidence, License

SHORT = ("cc0", "pdm", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
UNKNOWN_NAME = "unknown"
PUBLIC_DOMAIN = "LicenseRef-PublicDomain"  # in the public domain, with no mark or dedication that has a text

# Ports to a jurisdiction that SPDX lists; the others are LicenseRef-...
_PORTED = frozenset(
    f"CC-{code}-{version}-{place}"
    for code, version, places in (
        ("BY", "2.5", ("AU",)),
        ("BY", "3.0", ("AT", "AU", "DE", "IGO", "NL", "US")),
        ("BY-NC", "3.0", ("DE",)),
        ("BY-NC-ND", "3.0", ("DE", "IGO")),
        ("BY-NC-SA", "2.0", ("DE", "FR", "UK")),
        ("BY-NC-SA", "3.0", ("DE", "IGO")),
        ("BY-ND", "3.0", ("DE",)),
        ("BY-SA", "2.0", ("UK",)),
        ("BY-SA", "2.1", ("JP",)),
        ("BY-SA", "3.0", ("AT", "DE", "IGO")),
    )
    for place in places
)
_OTHERS = {
    "cc0": "CC0-1.0",
    "cc zero": "CC0-1.0",
    "pdm": "CC-PDM-1.0",
    "cc pdm": "CC-PDM-1.0",
    "cc pd": PUBLIC_DOMAIN,
    "pd": PUBLIC_DOMAIN,
    "public domain": PUBLIC_DOMAIN,
    "public domain mark": "CC-PDM-1.0",
    "fal": "LAL-1.3",
    "free art license": "LAL-1.3",
    "gfdl": "GFDL-1.2-or-later",
    "gfdl 1.2": "GFDL-1.2-only",
    "gfdl 1.3": "GFDL-1.3-only",
    "kogl type 1": "LicenseRef-KOGL-Type-1",
    "kogl": "LicenseRef-KOGL-Type-1",
    "attribution": "LicenseRef-Attribution",
    "copyrighted free use": "LicenseRef-Copyrighted-Free-Use",
    "sampling+": "LicenseRef-CC-Sampling-Plus",
    "nc sampling+": "LicenseRef-CC-NC-Sampling-Plus",
}
_CC = re.compile(
    r"(?:cc|creative commons)?[ -]*(by(?:-(?:nc|nd|sa)){0,2})"
    r"(?:[ -]v?(\d\.\d)(?:[ ,-]+\d\.\d)*)?(?:[ -]([a-z]{2}|igo|scotland))?"
)
_URL = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licen[sc]es|publicdomain)/([a-z+-]+)/(\d\.\d)"
    r"(?:/(?!rdf)([a-z]{2}|igo|scotland))?(?:/.*)?"
)
_PUBLIC = {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}
_ZERO = re.compile(r"(cc ?0|cc zero|pdm|cc pdm|public domain mark) 1\.0")


def spdx_of(text: str | None, version: str | None = None) -> str | None:
    """Return the SPDX id (or LicenseRef-...) of a licence's name, code or creativecommons.org address.

    Args:
        text: "by-sa", "CC BY-SA 3.0 de", "cc-by-4.0", "Public domain", an address, or an SPDX id. version: "4.0",
            where it is told apart.

    Returns:
        None where it is not recognised, also for a Creative Commons licence without a version.
    """
    words = " ".join((text or "").casefold().replace("_", "-").split())
    address = _URL.fullmatch(words)
    if address:
        code, version, place = address.groups()
        return _PUBLIC.get(code) or _cc(_ordered(code), version, place)
    return _named(words, version)


def _named(words: str, version: str | None) -> str | None:
    spaced = words.replace("-", " ")
    spaced = _ZERO.sub(r"\1", spaced)
    if spaced in _OTHERS:
        return _OTHERS[spaced]
    found = _CC.fullmatch(words.replace(" sa", "-sa").replace(" nc", "-nc").replace(" nd", "-nd"))
    if found is None:
        return None
    code, own, place = found.groups()
    return _cc(_ordered(code), own or version, place)


def _ordered(code: str) -> str | None:
    """Return a CC code with its parts in the usual order: by-nd-nc is by-nc-nd."""
    parts = set(code.split("-"))
    known = [part for part in ("by", "nc", "nd", "sa") if part in parts]
    return "-".join(known) if len(known) == len(code.split("-")) and "by" in parts else None


def _cc(code: str | None, version: str | None, place: str | None) -> str | None:
    if code not in SHORT or version is None:
        return None
    name = f"CC-{code.upper()}-{version}"
    if place is None:
        return name
    ported = f"{name}-{place.upper()}"
    return ported if ported in _PORTED else f"LicenseRef-{ported}"


def short_of(spdx: str | None) -> str:
    """Return the short name of an SPDX id: by-sa, cc0, pdm; an id in lower case for others; unknown for None."""
    if spdx is None:
        return UNKNOWN_NAME
    if spdx == "CC0-1.0":
        return "cc0"
    if spdx in {"CC-PDM-1.0", PUBLIC_DOMAIN}:
        return "pdm"
    found = re.fullmatch(r"(?:LicenseRef-)?CC-(BY[A-Z-]*?)-\d\.\d(?:-[A-Z]+)?", spdx)
    return found[1].lower() if found else spdx.lower()


def allowed(license_: License, wanted: Collection[str]) -> bool:
    """Tell whether a licence passes a filter of short names; an empty filter lets everything pass."""
    return not wanted or short_of(license_.spdx) in wanted


def make_license(raw: str | None, version: str | None, url: str | None, confidence: Confidence) -> License:
    """Return a licence from what a source says of it; its address counts first, for it is the most exact.

    Args:
        raw: a name or code. version: of a code. url: of the licence's text. confidence: who says so.
    """
    spdx = spdx_of(url) or spdx_of(raw, version)
    if not raw and not url:
        return License()
    return License(raw=raw or url, spdx=spdx, url=url, confidence=confidence)
