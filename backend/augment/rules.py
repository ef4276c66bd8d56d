"""What a variant must keep of each object, and the ledger of what it did."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from backend.augment.emit import emit
from backend.augment.track import Track, growth
from backend.core.geometry import tight_box
from backend.core.ledger import Entry, Fate, Reason
from backend.core.model import Box, Keypoint, Region
from backend.core.recipe import BoxRule

SEEN = 1e-4  # less than this lost is rounding


class Verdict(NamedTuple):
    """One region at the end of the chain: what it has become, and the rule it breaks (None: none)."""

    track: Track
    region: Region | None
    growth: float
    broken: Reason | None = None
    text: str = ""


def shorter_side(region: Region) -> float:
    """Return the shorter side of a region's axis-aligned box in pixels (0 where it has none)."""
    box = tight_box(region.shape)
    return min(box.width, box.height) if box else 0.0


def judge(track: Track, rule: BoxRule, sizes: Mapping[int, float], index: int) -> Verdict:
    """Return the verdict on region number `index`; `sizes` are the shorter sides in the prepared source."""
    grown = growth(track)
    region = emit(track)
    if track.gone:
        lost = track.reason == "degenerate" and track.moved  # the object may still be seen, but where?
        return Verdict(track, None, grown, *(("degenerate", _text(track, "came apart", track.step)) if lost else ()))
    if region is None:
        return Verdict(track, None, grown, "degenerate", _text(track, "nothing is left of it", track.last))
    broken, text = _broken(track, rule, region, grown, sizes.get(index))
    return Verdict(track, region, grown, broken, text)


def _broken(
    track: Track, rule: BoxRule, region: Region, grown: float, prepared: float | None
) -> tuple[Reason | None, str]:
    if track.visibility < rule.min_visibility - SEEN:
        reason: Reason = "occluded" if track.reason == "occluded" else "visibility"
        return reason, _text(track, f"visibility {track.visibility:.2f} < {rule.min_visibility:g}", track.step)
    if isinstance(region.shape, Keypoint):
        return None, ""
    side = shorter_side(region)
    if side < rule.min_size and (prepared is None or side < min(prepared, rule.min_size) - SEEN):
        return "size", _text(track, f"shorter side {side:.1f} px < {rule.min_size:g}", track.last)
    # Only a plain box can be loose: every other shape's box is drawn anew around the shape.
    if rule.max_growth is not None and isinstance(track.region.shape, Box) and grown > rule.max_growth + SEEN:
        return "growth", _text(track, f"growth {grown:.2f} > {rule.max_growth:g}", track.last)
    return None, ""


def _text(track: Track, what: str, step: str | None) -> str:
    where = f" after {step}" if step else ""
    return f"region {track.region.id} ({track.region.label}): {what}{where}"


def entry(verdict: Verdict, *, dropped: bool) -> Entry:
    """Return a region's ledger entry; `dropped`: a rule it breaks takes it out of the variant."""
    track = verdict.track
    who = track.region.id, track.region.label
    if verdict.region is None or dropped:
        reason = verdict.broken or track.reason
        step = track.last if reason in {"size", "growth", "degenerate"} and verdict.broken else track.step
        return Entry(*who, "dropped", track.visibility, verdict.growth, reason, step)
    if track.visibility >= 1 - SEEN:
        return Entry(*who, "kept", 1.0, verdict.growth)
    fate: Fate = "clipped" if track.inside < 1 - SEEN else "kept"
    return Entry(*who, fate, track.visibility, verdict.growth, track.reason, track.step)


def settle(verdicts: Sequence[Verdict], *, drop_broken: bool) -> tuple[tuple[Region, ...], tuple[Entry, ...]]:
    """Return the regions that are written and everyone's ledger entry."""
    regions = tuple(v.region for v in verdicts if v.region is not None and not (drop_broken and v.broken))
    return regions, tuple(entry(v, dropped=drop_broken and v.broken is not None) for v in verdicts)
