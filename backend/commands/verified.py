"""A certificate as lines for people."""

from collections.abc import Iterator
from typing import Any

SHOWN = 20  # files of each kind; --json lists all


def certificate_lines(certificate: dict[str, Any]) -> Iterator[str]:
    """Yield what `verify` prints: each format, then each problem, file that differs, is missing or extra, and skip."""
    for part in certificate["formats"]:
        yield (
            f"{part['format']}: {part['images']} images, {part['regions']} regions, "
            f"largest error {part['max_error_px']:.3f} px: {'ok' if part['ok'] else 'NOT ok'}"
        )
    problems = [*certificate.get("problems", ()), *(p for part in certificate["formats"] for p in part["problems"])]
    yield from _some("problem", problems)
    for kind in ("differing", "missing", "extra"):
        yield from _some(kind, certificate.get(kind, ()))
    yield from _some("skipped", [f"{entry['item']}: {entry['reason']}" for entry in certificate.get("skipped", ())])


def _some(kind: str, items: list[str]) -> Iterator[str]:
    yield from (f"{kind}: {item}" for item in items[:SHOWN])
    if len(items) > SHOWN:
        yield f"{kind}: {len(items)} in all, of which {SHOWN} are shown (--json lists them all)"
