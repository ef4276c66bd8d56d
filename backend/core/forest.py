"""Who belongs together: a union-find over positions 0 to n - 1, 4 bytes each."""

from array import array

import numpy as np
from numpy.typing import NDArray


class Forest:
    """Disjoint sets of the positions 0 to n - 1; a set is known by its smallest member."""

    __slots__ = ("_parent",)

    def __init__(self, size: int) -> None:
        self._parent = array("i", range(size))

    def find(self, item: int) -> int:
        """Return the smallest member of the item's set."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    def join(self, a: int, b: int) -> bool:
        """Merge two sets; return False where they already were one."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return False
        self._parent[max(a, b)] = min(a, b)
        return True

    def roots(self) -> NDArray[np.int32]:
        """Return each position's smallest set member, shape (n,)."""
        roots = np.array(self._parent, dtype=np.int32)
        while not np.array_equal(above := roots[roots], roots):
            roots = above
        return roots
