"""Made-up rows for tests of lineage and splits."""

import hashlib
from collections import defaultdict

import numpy as np

from backend.core.lineage import Groups, Row, Rows, group
from backend.core.recipe import SplitRule
from backend.core.splits import Assignment, assign

RULE = SplitRule()


def sha(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def row(name: object, **facts: object) -> Row:
    return Row(sha(name), facts.pop("pixels", None) or sha(("pixels", name)), **facts)


def table(*rows: Row) -> Rows:
    made = Rows()
    for item in rows:
        made.add(item)
    return made


def plain(number: int, **facts: object) -> Rows:
    return table(*(row(i, **facts) for i in range(number)))


def split(rows: Rows, near: object = (), rule: SplitRule | None = RULE) -> tuple[Groups, Assignment]:
    groups = group(rows, near)
    return groups, assign(rows, groups, rule)


def counts(outcome: Assignment) -> list[int]:
    return np.bincount(outcome.codes, minlength=3).tolist()


def sets(groups: Groups) -> set[frozenset[int]]:
    members = defaultdict(set)
    for image, number in enumerate(groups.of.tolist()):
        members[number].add(image)
    return {frozenset(m) for m in members.values()}
