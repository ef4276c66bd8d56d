"""Which split each image gets: existing splits stay, groups stay whole, and the rest follows a hash.

Every free group has a fixed place on a line, which the ratios cut into train, val and test (`core.cuts`). Adding or
removing images therefore moves no other group but a few beside the cuts. docs/adr/0008-splits.md tells why.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.core.cuts import TEST, TRAIN, VAL, Line, carriers, cover_labels, cut, place_of
from backend.core.errors import LeakError, UsageError
from backend.core.lineage import NONE, Groups, Rows
from backend.core.recipe import SplitRule, Splits

LARGE_GROUP = 0.2  # of all images: an automatic group larger than this is hardly what the user wants

_FEW = 5  # images; in a handful, a large group means nothing
_OFF = 0.05  # of all images: a split that is off its ratio by more is worth a warning
_NAMED = 10  # images or labels named in a message
Codes = NDArray[np.int8]  # position in train, val, test; -1 for none


@dataclass(frozen=True, slots=True)
class Leak:
    """A lineage group whose images already lie in different splits: image positions and their splits."""

    group: str
    images: tuple[int, ...]
    splits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """The outcome. codes: per image a position in train, val, test, shape (n,). leaky: leaks were left in place."""

    codes: Codes
    warnings: tuple[str, ...]
    leaks: tuple[Leak, ...]
    leaky: bool

    def split_of(self, image: int) -> str:
        """Return the image's split by name."""
        return Splits[int(self.codes[image])]


def assign(
    rows: Rows, groups: Groups, rule: SplitRule | None, name: Callable[[int], str] = "image {}".format
) -> Assignment:
    """Return every image's split.

    An image keeps its sticky split, else the one it came with (unless `keep: none`), and its whole group follows.
    Without a rule, images with neither are train, and leaks are reported, not refused.

    Args:
        rows: all images.
        groups: their lineage groups.
        rule: the recipe's `split`, if it has one.
        name: gives an image's name by position, for messages.

    Raises:
        LeakError: a group lies in several splits, and the rule says `on_leak: abort`.
        UsageError: every image lies in val or test already, so nothing is left for train.
    """
    existing, warnings = _existing(rows, rule)
    leaks = _leaks(groups, existing)
    on_leak = rule.on_leak if rule else "report"
    if leaks and on_leak == "abort":
        raise _leak_error(leaks, name)
    fixed = _majority(groups, existing)
    placed = _place(rows, groups, fixed, rule)
    codes = placed[groups.of]
    if on_leak == "report":
        codes = np.where(existing != NONE, existing, codes)
    if codes.size and not (codes == TRAIN).any():
        msg = f"all {codes.size} images are in {_listing(codes)} already, so none is left for train"
        raise UsageError(msg, fix="set `keep: none` under `split` in the recipe, or give some images the split train")
    if leaks:
        warnings.append(_leak_warning(leaks, on_leak, name))
    warnings += _warnings(rows, groups, codes, rule)
    return Assignment(codes.astype(np.int8), tuple(warnings), leaks, bool(leaks) and on_leak == "report")


def _existing(rows: Rows, rule: SplitRule | None) -> tuple[Codes, list[str]]:
    kept, sticky = rows.kept, rows.sticky
    if rule and rule.keep == "none":
        kept = np.full_like(kept, NONE)
    differ = int(((kept != NONE) & (sticky != NONE) & (kept != sticky)).sum())
    note = f"images that came with another split than in earlier versions kept the earlier one: {differ}"
    return np.where(sticky != NONE, sticky, kept), [note] if differ else []


def _per_group(groups: Groups, existing: Codes) -> NDArray[np.int64]:
    """Return how many members of each group lie in each split already, shape (g, 3)."""
    known = existing != NONE
    flat = np.bincount(groups.of[known] * 3 + existing[known], minlength=3 * len(groups.ids))
    return flat.reshape(-1, 3)


def _majority(groups: Groups, existing: Codes) -> Codes:
    """Return each group's split by its members' majority (ties: train, then val, then test), -1 where none has any."""
    votes = _per_group(groups, existing)
    return np.where(votes.any(axis=1), votes.argmax(axis=1), NONE).astype(np.int8)


def _leaks(groups: Groups, existing: Codes) -> tuple[Leak, ...]:
    torn = np.flatnonzero((_per_group(groups, existing) > 0).sum(axis=1) > 1)
    if not torn.size:
        return ()
    known = np.flatnonzero((existing != NONE) & np.isin(groups.of, torn))
    known = known[np.argsort(groups.of[known], kind="stable")]
    parts = np.split(known, np.flatnonzero(np.diff(groups.of[known])) + 1)
    return tuple(
        Leak(groups.ids[groups.of[part[0]]], tuple(part.tolist()), tuple(Splits[c] for c in existing[part]))
        for part in parts
    )


def _place(rows: Rows, groups: Groups, fixed: Codes, rule: SplitRule | None) -> Codes:
    """Return every group's split, given those that are settled."""
    placed = fixed.copy()
    free = np.flatnonzero(fixed == NONE)
    if rule is None:
        placed[free] = TRAIN
        return placed
    places = np.array([place_of(groups.ids[g]) for g in free.tolist()])
    order = np.lexsort((free, places))
    free, places = free[order], places[order]
    settled = fixed != NONE
    have = np.bincount(fixed[settled], weights=groups.sizes[settled], minlength=3).astype(np.int64)
    line = Line(places, groups.sizes[free].astype(np.int64), have, (rule.train, rule.val, rule.test))
    splits = np.searchsorted(np.array(cut(line)), np.arange(free.size), side="right").astype(np.int8)
    if rule.val and rows.labels:
        _cover(rows, groups, fixed, (free, line, splits))
    placed[free] = splits
    return placed


def _cover(rows: Rows, groups: Groups, fixed: Codes, free: tuple[NDArray[np.intp], Line, Codes]) -> None:
    """Give each label a place in val, changing the splits of the free groups."""
    number = len(rows.labels)
    images, labels = rows.label_pairs
    pairs = np.unique(groups.of[images].astype(np.int64) * number + labels)
    owner, label = np.divmod(pairs, number)
    held = np.zeros((3, number), dtype=np.int64)
    settled = fixed[owner] != NONE
    np.add.at(held, (fixed[owner[settled]], label[settled]), 1)
    numbers, line, splits = free
    position = np.full(len(groups.ids), NONE)
    position[numbers] = np.arange(numbers.size)
    carried = carriers(position[owner[~settled]], label[~settled], numbers.size, number)
    cover_labels(line, splits, carried, held)


def _listing(codes: Codes) -> str:
    return " and ".join(Splits[c] for c in np.unique(codes).tolist())


def _leak_text(leaks: tuple[Leak, ...], name: Callable[[int], str]) -> str:
    shown = [f"{name(i)} ({s})" for leak in leaks for i, s in zip(leak.images, leak.splits, strict=True)]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more


def _leak_error(leaks: tuple[Leak, ...], name: Callable[[int], str]) -> LeakError:
    return LeakError(
        f"images that belong together lie in different splits: {_leak_text(leaks, name)}",
        fix="put each group into one split, or set `on_leak: move` (the group follows its majority) or "
        "`on_leak: report` under `split` in the recipe; a smaller `near_duplicates` joins fewer images",
    )


def _leak_warning(leaks: tuple[Leak, ...], on_leak: str, name: Callable[[int], str]) -> str:
    done = "each group was moved into the split of most of its images" if on_leak == "move" else "they were left there"
    return f"images that belong together lay in different splits, {done}: {_leak_text(leaks, name)}"


def _warnings(rows: Rows, groups: Groups, codes: Codes, rule: SplitRule | None) -> list[str]:
    total = codes.size
    if rule is None or not total:
        return []
    found = []
    counts = np.bincount(codes, minlength=3)
    for split, ratio in ((VAL, rule.val), (TEST, rule.test)):
        if ratio and not counts[split]:
            found.append(f"{Splits[split]} is empty: images that must stay together leave too few groups for it")
    for split, ratio in enumerate((rule.train, rule.val, rule.test)):
        off = abs(counts[split] - ratio * total)
        if counts[split] and off > max(_OFF * total, 2):
            share = f"{counts[split] / total:.0%} of the images instead of {ratio:.0%}"
            found.append(f"{Splits[split]} holds {share}, because groups and earlier splits stay as they are")
    return found + _large_group(groups, total) + _missing_labels(rows, codes, rule)


def _large_group(groups: Groups, total: int) -> list[str]:
    sizes = np.where(groups.keyed, 0, groups.sizes)
    largest = int(sizes.max())
    if largest <= max(LARGE_GROUP * total, _FEW):
        return []
    return [
        f"{largest} of {total} images count as one scene (group {groups.ids[int(sizes.argmax())]}) and share a split; "
        "if they are different, as with a fixed camera, set `group_by` (a field such as video, or name:REGEX) or a "
        "smaller `near_duplicates` under `split` in the recipe"
    ]


def _missing_labels(rows: Rows, codes: Codes, rule: SplitRule) -> list[str]:
    images, labels = rows.label_pairs
    if not rule.val or not (codes == VAL).any():
        return []
    present = np.bincount(labels[codes[images] == VAL], minlength=len(rows.labels)) > 0
    missing = [name for name, there in zip(rows.labels, present.tolist(), strict=True) if not there]
    if not missing:
        return []
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return [f"no image in val has the label {', '.join(missing[:_NAMED])}{more}"]
