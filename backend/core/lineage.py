"""Which images belong together and must share a split: exact and near duplicates, copies, and the user's own groups.

Per image some 80 bytes are kept, in columns (`Rows`); a hundred thousand images take less than ten megabytes.
"""

import hashlib
import re
from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.core.forest import Forest
from backend.core.model import Sample
from backend.core.recipe import Splits

PARENT = "data.loom_parent"  # a written-back task names its source here, so copies of copies stay one family
NONE = -1  # no key, no parent, no split


@dataclass(frozen=True, slots=True)
class Row:
    """What splitting must know of one image.

    sha256: of the source file, 64 hex digits. pixels: of the decoded pixels, likewise. phash, dhash, flat: what it
    looks like. key: the user's `group_by` value. parent: the source's sha256 or lineage id, where the image is known
    to be made from another. kept: the split it came with. sticky: the split it had in an earlier version.
    """

    sha256: str
    pixels: str
    phash: int = 0
    dhash: int = 0
    flat: bool = True
    key: str | None = None
    parent: str | None = None
    labels: Collection[str] = ()
    kept: str | None = None
    sticky: str | None = None


def parent_of(sample: Sample) -> str | None:
    """Return what a sample's lineage is known by: the source a copy names, else where its image was collected."""
    credit = sample.origin.credit
    named = (dict(sample.fields).get(PARENT), credit.family if credit else None)
    return next((name for name in named if name and re.fullmatch(r"[0-9a-f]{12,64}", name)), None)


def _code(split: str | None) -> int:
    if split is None:
        return NONE
    if split not in Splits:
        msg = f"a split is train, val or test, got {split!r}"
        raise ValueError(msg)
    return Splits.index(split)


class Rows:
    """The rows of all images, column by column."""

    def __init__(self) -> None:
        self._sha, self._pixels = bytearray(), bytearray()
        self._phash, self._dhash, self._flat = array("Q"), array("Q"), array("b")
        self._key, self._parent = array("q"), array("q")
        self._kept, self._sticky = array("b"), array("b")
        self._label_numbers: dict[str, int] = {}
        self._label_image, self._label = array("i"), array("i")

    def __len__(self) -> int:
        return len(self._key)

    def add(self, row: Row) -> None:
        """Append one image.

        Raises:
            ValueError: a split is none of train, val, test, or a hash is not hexadecimal.
        """
        for label in sorted(set(row.labels)):
            self._label_image.append(len(self))
            self._label.append(self._label_numbers.setdefault(label, len(self._label_numbers)))
        self._sha += bytes.fromhex(row.sha256)[:32]
        self._pixels += bytes.fromhex(row.pixels)[:16]
        self._phash.append(row.phash)
        self._dhash.append(row.dhash)
        self._flat.append(row.flat)
        self._kept.append(_code(row.kept))
        self._sticky.append(_code(row.sticky))
        self._parent.append(NONE if row.parent is None else int(row.parent[:12], 16))
        self._key.append(NONE if row.key is None else _number(row.key))

    @property
    def phash(self) -> NDArray[np.uint64]:
        """pHash per image, shape (n,)."""
        return np.array(self._phash, dtype=np.uint64)

    @property
    def dhash(self) -> NDArray[np.uint64]:
        """dHash per image, shape (n,)."""
        return np.array(self._dhash, dtype=np.uint64)

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Whether each image is too flat to be compared, shape (n,)."""
        return np.array(self._flat, dtype=bool)

    @property
    def keys(self) -> NDArray[np.int64]:
        """The user's group per image as a number, -1 for none, shape (n,)."""
        return np.array(self._key, dtype=np.int64)

    @property
    def parents(self) -> NDArray[np.int64]:
        """The parent per image as a number comparable with `origins`, -1 for none, shape (n,)."""
        return np.array(self._parent, dtype=np.int64)

    @property
    def kept(self) -> NDArray[np.int8]:
        """The split each image came with as a position in train, val, test, -1 for none, shape (n,)."""
        return np.array(self._kept, dtype=np.int8)

    @property
    def sticky(self) -> NDArray[np.int8]:
        """The split each image had before, as `kept`, shape (n,)."""
        return np.array(self._sticky, dtype=np.int8)

    @property
    def shas(self) -> NDArray[np.uint64]:
        """Source hash per image as four big-endian words, shape (n, 4)."""
        return np.frombuffer(bytes(self._sha), dtype=">u8").reshape(-1, 4).astype(np.uint64)

    @property
    def pixels(self) -> NDArray[np.uint64]:
        """First half of the pixel hash per image as two words, shape (n, 2)."""
        return np.frombuffer(bytes(self._pixels), dtype=">u8").reshape(-1, 2).astype(np.uint64)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels seen, in the order of their numbers in `label_pairs`."""
        return tuple(self._label_numbers)

    @property
    def label_pairs(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Which image has which label: (image positions, label numbers), both of shape (m,)."""
        return np.array(self._label_image, dtype=np.int32), np.array(self._label, dtype=np.int32)


def _number(text: str) -> int:
    """Return 63 bits of a text's hash: as good as the text for telling groups apart, and 8 bytes."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big") >> 1


@dataclass(frozen=True, slots=True)
class Groups:
    """Lineage groups.

    of: the group's number per image, shape (n,). ids: per group the first 12 hex digits of its smallest source sha256.
    sizes: images per group. keyed: whether any member has a key of the user's.
    """

    of: NDArray[np.int32]
    ids: tuple[str, ...]
    sizes: NDArray[np.int32]
    keyed: NDArray[np.bool_]


def group(rows: Rows, near: Iterable[tuple[int, int]] = ()) -> Groups:
    """Return the lineage groups of all images.

    Joined are: equal decoded pixels, an equal key, a common parent (and the parent itself), and the pairs of `near`,
    except pairs whose images have keys that differ: the user knows better which scenes are the same.
    """
    forest = Forest(len(rows))
    _join_equal(forest, rows.pixels)
    keys = rows.keys
    _join_equal(forest, keys[:, None], np.flatnonzero(keys != NONE))
    _join_families(forest, rows)
    for a, b in near:
        if keys[a] == keys[b] or NONE in (keys[a], keys[b]):
            forest.join(a, b)
    roots, of, sizes = np.unique(forest.roots(), return_inverse=True, return_counts=True)
    keyed = np.zeros(len(roots), dtype=bool)
    keyed[of[keys != NONE]] = True
    return Groups(of.astype(np.int32), _ids(rows, of, len(roots)), sizes.astype(np.int32), keyed)


def _join_equal(forest: Forest, words: NDArray[np.generic], positions: NDArray[np.intp] | None = None) -> None:
    """Join the positions whose rows of `words`, shape (n, k), are equal."""
    if positions is None:
        positions = np.arange(len(words))
    order = positions[np.lexsort(words[positions].T)]
    same = (words[order[1:]] == words[order[:-1]]).all(axis=1)
    for a, b in zip(order[:-1][same].tolist(), order[1:][same].tolist(), strict=True):
        forest.join(a, b)


def _join_families(forest: Forest, rows: Rows) -> None:
    parents = rows.parents
    if not (parents != NONE).any():
        return
    origins = (rows.shas[:, 0] >> np.uint64(16)).astype(np.int64)  # the first 12 hex digits
    first: dict[int, int] = {}
    for position, origin in enumerate(origins.tolist()):
        forest.join(first.setdefault(origin, position), position)
    for position in np.flatnonzero(parents != NONE).tolist():
        forest.join(first.setdefault(int(parents[position]), position), position)


def _ids(rows: Rows, of: NDArray[np.intp], number: int) -> tuple[str, ...]:
    if not number:
        return ()
    shas = rows.shas
    order = np.lexsort((*shas.T[::-1], of))  # by group, then by sha256
    starts = np.flatnonzero(np.diff(of[order], prepend=-1))
    return tuple(f"{word >> 16:012x}" for word in shas[order[starts], 0].tolist())
