"""The catalog for people and scripts: which transforms a recipe may use, and what each takes."""

from dataclasses import asdict
from difflib import get_close_matches
from itertools import groupby
from typing import Any

from backend.augment.transforms import Transform, offered, transforms
from backend.core.errors import UsageError
from backend.flows.style.step import STYLE


def describe_steps(name: str | None) -> tuple[list[str], list[dict[str, Any]]]:
    """Return lines for a terminal and the same as JSON: all offered transforms, or one with its parameters.

    Raises:
        UsageError: there is no such transform; the nearest names are given.
    """
    if name is None:
        shown = offered_steps()
        lines: list[str] = []
        for group, members in groupby(shown, key=lambda t: t.group):
            lines += ["", group, *(f"  {t.name:28} {t.summary}" for t in members)]
        refused = [t for t in transforms().values() if t.refused]
        lines += ["", "not offered", *(f"  {t.name:28} {t.refused}" for t in refused)]
        return lines[1:], [asdict(t) for t in (*transforms().values(), STYLE)]
    found = STYLE if name == STYLE.name else transforms().get(name)
    if found is None:
        near = get_close_matches(name, [*transforms(), STYLE.name], n=3)
        msg = f"there is no transform {name!r}"
        raise UsageError(msg, fix=f"did you mean {', '.join(near)}?" if near else "`labelloom recipe steps` lists them")
    return _one(found), [asdict(found)]


def offered_steps() -> tuple[Transform, ...]:
    """Return every step a recipe may use: the library's, grouped, and our own."""
    return (*offered(), STYLE)


def _one(transform: Transform) -> list[str]:
    lines = [f"{transform.name}: {transform.summary}"]
    if transform.refused:
        return [*lines, f"not offered: {transform.refused}"]
    lines.append(f"changes {', '.join(transform.targets)}")
    for parameter in transform.parameters:
        default = "required" if parameter.required else f"default {parameter.default}"
        lines.append(f"  {parameter.name}: {parameter.accepts} ({default})")
    return lines
