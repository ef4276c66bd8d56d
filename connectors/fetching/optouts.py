"""What an owner says about machine use: the X-Robots-Tag header, the robots meta element, the TDM reservation."""

import re
from collections.abc import Iterable, Mapping

from connectors.fetching.values import OptOut, Robots

TOKEN = "LabelLoom"
REFUSING = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_JOINT = "; "  # between headers: inside one, a user agent's name holds for all that follows it


def observed(values: Iterable[str], tdm: str | None, robots: Robots) -> OptOut:
    """Return what an answer's X-Robots-Tag headers and tdm-reservation header say."""
    return OptOut(robots=robots, x_robots_tag=_JOINT.join(values) or None, tdm=tdm)


def refusal(opt_out: OptOut) -> str | None:
    """Return the words by which the owner refuses us, or None."""
    if opt_out.tdm is not None and opt_out.tdm.strip() == "1":
        return "tdm-reservation: 1"
    for name, text in (("X-Robots-Tag", opt_out.x_robots_tag), ("meta robots", opt_out.meta)):
        for value in (text or "").split(_JOINT.strip()):
            word = _refusing(value)
            if word:
                return f"{name}: {word}"
    return None


def _refusing(value: str) -> str | None:
    """Return the first directive of one header that refuses us; those for other robots do not concern us."""
    ours = True
    for part in value.lower().split(","):
        name, colon, rest = (piece.strip() for piece in part.partition(":"))
        if colon and name not in _VALUED:
            ours = name in {TOKEN.lower(), "*"}
            name = rest
        if ours and name in REFUSING:
            return name
    return None


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers worth keeping with an image, names in lower case; control characters go."""
    names = ("content-type", "etag", "last-modified")
    return {name: re.sub(r"[\x00-\x1f\x7f]", "", headers[name])[:500] for name in names if name in headers}
