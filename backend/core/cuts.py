"""Where the line of groups is cut into train, val and test, and the few moves that give each label a place in val.

Every group has a fixed place between 0 and 1. Cuts start at the ratios and are shifted over as few groups as need be.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.02  # of all images, at least one: how far a split may be off its ratio
ENOUGH_GROUPS = 3  # a label in fewer groups is not asked to be in val

TRAIN, VAL, TEST = range(3)
Ints = NDArray[np.int64]


def place_of(group: str) -> float:
    """Return the group's fixed place on the line, in [0, 1), from a hash of its id."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:6], "big") / 2**48


@dataclass(frozen=True, slots=True)
class Line:
    """The groups that are free to go anywhere, in the order of their places.

    places: ascending, shape (g,). weights: images per group. have: images per split that are settled already, shape
    (3,). ratios: of train, val, test, shape (3,).
    """

    places: NDArray[np.float64]
    weights: Ints
    have: Ints
    ratios: tuple[float, float, float]

    @property
    def total(self) -> int:
        """All images, free and settled."""
        return int(self.weights.sum() + self.have.sum())

    @property
    def tolerance(self) -> float:
        """How many images a split may be off its target."""
        return max(1.0, TOLERANCE * self.total)

    def miss(self, split: int, images: Ints) -> NDArray[np.float64]:
        """Return by how many images a split with so many free ones misses its range."""
        off = np.abs(images + self.have[split] - self.ratios[split] * self.total)
        missed: NDArray[np.float64] = np.maximum(off - self.tolerance, 0)
        return missed


def cut(line: Line) -> tuple[int, int]:
    """Return (a, b): the groups before a are train, those from a before b are val, the rest test.

    No split with a ratio stays empty while there are groups for it (train first, then val); a split without one gets
    none. Within that, cuts miss the ratios as little as the sizes of the groups allow, and move as little as possible.
    """
    number = len(line.weights)
    needs = [int(line.ratios[s] > 0 and line.have[s] == 0) for s in (TRAIN, VAL, TEST)]
    for split in (TEST, VAL):
        if sum(needs) > number:
            needs[split] = 0
    before = np.concatenate(([0], np.cumsum(line.weights)))  # free images before each cut
    _, val, test = line.ratios
    b = number
    if test:
        span = np.arange(min(needs[TRAIN] + needs[VAL], number), number - needs[TEST] + 1)
        b = _nearest(span, line.miss(TEST, before[-1] - before[span]), _base(line, 1 - test))
    if not val:
        return b, b
    span = np.arange(min(needs[TRAIN], b), max(b - needs[VAL], min(needs[TRAIN], b)) + 1)
    miss = line.miss(TRAIN, before[span]) + line.miss(VAL, before[b] - before[span])
    return _nearest(span, miss, min(_base(line, line.ratios[TRAIN]), b)), b


def _base(line: Line, place: float) -> int:
    return int(np.searchsorted(line.places, place))


def _nearest(span: NDArray[np.intp], miss: NDArray[np.float64], base: int) -> int:
    """Return the position that misses least; among equals the one nearest to the base."""
    order = np.lexsort((span, np.abs(span - base), np.round(miss, 9)))
    return int(span[order[0]])


@dataclass(frozen=True, slots=True)
class Carriers:
    """Which group of a line carries which label, in compressed rows both ways."""

    _groups: Ints  # by label
    _label_starts: Ints
    _labels: Ints  # by group
    _group_starts: Ints

    def groups_with(self, label: int) -> Ints:
        """Return the groups that carry a label, ascending."""
        return self._groups[self._label_starts[label] : self._label_starts[label + 1]]

    def labels_of(self, group: int) -> Ints:
        """Return the labels that a group carries."""
        return self._labels[self._group_starts[group] : self._group_starts[group + 1]]


def carriers(groups: Ints, labels: Ints, number: int, label_number: int) -> Carriers:
    """Return the carriers of unique (group, label) pairs, of `number` groups and `label_number` labels."""
    by_label, by_group = np.lexsort((groups, labels)), np.lexsort((labels, groups))
    return Carriers(
        groups[by_label],
        np.searchsorted(labels[by_label], np.arange(label_number + 1)),
        labels[by_group],
        np.searchsorted(groups[by_group], np.arange(number + 1)),
    )


def cover_labels(line: Line, splits: NDArray[np.int8], carried: Carriers, held: Ints) -> None:
    """Move free groups from train to val, in place, until each label is in val.

    Only a label in `ENOUGH_GROUPS` groups or more is looked after; the group taken is the one nearest to the cut; the
    label must stay in train, and val must stay within its tolerance (else another group goes back in exchange).

    Args:
        line: the free groups.
        splits: each free group's split so far, shape (g,); changed.
        carried: which free group carries which label.
        held: in how many settled groups of each split each label is, shape (3, l).
    """
    counts = held.copy()
    number = held.shape[1]
    for label in range(number):
        counts[:, label] += np.bincount(splits[carried.groups_with(label)], minlength=3)
    total = counts.sum(axis=0)
    for label in np.argsort(total, kind="stable").tolist():  # rare labels have the least choice
        if total[label] < ENOUGH_GROUPS or counts[VAL, label] or counts[TRAIN, label] < 2:
            continue
        givers = carried.groups_with(label)
        givers = givers[splits[givers] == TRAIN]
        if givers.size:
            counts = _take(line, splits, carried, counts, int(givers[-1]))


def _take(line: Line, splits: NDArray[np.int8], carried: Carriers, counts: Ints, group: int) -> Ints:
    """Move one group into val if that can be afforded; return the new counts of groups per split and label."""
    limit = line.ratios[VAL] * line.total + line.tolerance
    images = int(line.weights[splits == VAL].sum() + line.have[VAL] + line.weights[group])
    after = _moved(counts, carried.labels_of(group), TRAIN, VAL)
    back: list[int] = []
    for other in np.flatnonzero(splits == VAL).tolist():  # from the cut on
        if images <= limit:
            break
        labels = carried.labels_of(other)
        if (after[VAL, labels] > 1).all():
            back.append(other)
            images -= int(line.weights[other])
            after = _moved(after, labels, VAL, TRAIN)
    if images > limit:
        return counts
    splits[group] = VAL
    splits[back] = TRAIN
    return after


def _moved(counts: Ints, labels: Ints, source: int, target: int) -> Ints:
    counts = counts.copy()
    counts[source, labels] -= 1
    counts[target, labels] += 1
    return counts
