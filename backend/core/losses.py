"""Losses in words: what a format or a project could not hold, how often, and how often of that in variants."""

from collections.abc import Iterator, Mapping

_BARE = " left out"


def loss_lines(losses: Mapping[str, int], in_variants: Mapping[str, int], holder: str) -> Iterator[str]:
    """Yield a line per reason; `in_variants` counts the same reasons in variants only, `holder` cannot hold it.

    `12 regions (8 of them in variants): polygon written as its bounding box`
    """
    for reason, number in sorted(losses.items()):
        yield f"{_number(reason, number, in_variants.get(reason, 0))}: {_reason(reason, holder)}"


def _number(reason: str, number: int, variants: int) -> str:
    noun = "image tag" if reason.startswith(("image tag", "further image tag", "tag")) else "region"
    words = f"{number:,} {noun}{'' if number == 1 else 's'}"
    if not variants:
        return words
    if variants == number:
        return f"{words} (all in variants)"
    return f"{words} ({variants:,} of them in variants)"


def _reason(reason: str, holder: str) -> str:
    """Return a reason; of what is left out without another one, that there is no place for it."""
    what, found, rest = reason.partition(_BARE)
    word, _, name = what.partition(" ")
    if not found or rest or word not in {"attribute", "score", "image", "keypoint"}:
        return reason
    thing = f"attribute {name!r}" if word == "attribute" else what
    return f"{thing}{_BARE}, because {holder} has no place for it"
