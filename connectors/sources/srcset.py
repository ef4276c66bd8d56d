"""The `srcset` attribute, read as the HTML standard says: addresses may hold commas, descriptors parentheses."""

import re

_ADDRESS = re.compile(r"[\s,]*([^\s]+)")
_DESCRIPTORS = re.compile(r"((?:\([^)]*\)?|[^,(])*),?")


def parse(text: str) -> list[tuple[str, float]]:
    """Return addresses with their sizes: widths in pixels (`w`) or densities (`x`, 1 where nothing is told).

    A candidate whose descriptor is none of these is left out, as browsers do.
    """
    found: list[tuple[str, float]] = []
    at = 0
    while (match := _ADDRESS.match(text, at)) is not None:
        address, at = match.group(1), match.end()
        words: list[str] = []
        if address.endswith(","):  # no descriptor, and the commas end the candidate
            address = address.rstrip(",")
        else:
            rest = _DESCRIPTORS.match(text, at)
            words = rest.group(1).split() if rest else []
            at = rest.end() if rest else at
        size = _size(words)
        if address and size is not None:
            found.append((address, size))
    return found


def _size(words: list[str]) -> float | None:
    sizes = [word for word in words if not re.fullmatch(r"\d+h", word)]
    if not sizes:
        return 1.0
    match = re.fullmatch(r"(\d+)w|(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)x", sizes[0])
    return float(match.group(1) or match.group(2)) if match and len(sizes) == 1 else None
