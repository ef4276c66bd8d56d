"""Which images of a large dataset are written back, and under which title."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.flows.derived_project import free_title
from backend.flows.worst_first import choose
from backend.flows.write_back import columns


def line(
    file: str, split: str = "train", labels: str = "a", visibility: float = 1.0, growth: float = 1.0
) -> dict[str, Any]:
    entry = {"visibility": visibility, "growth": growth, "fate": "clipped"}
    return {"file": file, "split": split, "regions": [{"label": label} for label in labels], "ledger": [entry],
            "variant": 1, "lineage": "l", "source": {"uri": "u"}}  # fmt: skip


def test_the_worst_of_every_split_and_label_come_first() -> None:
    lines = [line(f"train-a-{i}", visibility=0.1 + i / 100) for i in range(50)]
    lines += [line("val-a", "val", visibility=0.9), line("train-b", labels="b"), line("grown", growth=9.0)]
    total, chosen = choose(lines, 4)
    assert total == 53
    assert chosen == {"train-a-0", "val-a", "train-b", "train-a-1"}
    assert choose([line("x", growth=2.0), line("y", growth=3.0)], 1)[1] == {"y"}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["train", "val"]), st.sampled_from(["", "a", "ab"]), st.floats(0, 1)), max_size=30
    ),
    st.none() | st.integers(0, 40),
)
def test_a_sample_is_as_large_as_asked_for_and_does_not_depend_on_the_order(
    drawn: list[tuple[str, str, float]], limit: int | None
) -> None:
    lines = [line(str(i), *one) for i, one in enumerate(drawn)]
    total, chosen = choose(lines, limit)
    assert total == len(lines)
    assert len(chosen) == (len(lines) if limit is None else min(limit, len(lines)))
    assert choose(lines[::-1], limit)[1] == chosen


def test_columns_hold_the_lowest_visibility_the_worst_fate_and_the_largest_growth() -> None:
    one = line("a.jpg")
    one["ledger"] = [
        {"visibility": 0.9, "growth": 1.1, "fate": "kept"},
        {"visibility": 0.4, "growth": 1.6, "fate": "dropped"},
        {"visibility": 0.7, "growth": 1.2, "fate": "clipped"},
    ]
    found = columns(one)
    assert (found["loom_visibility"], found["loom_growth"], found["loom_fate"]) == (0.4, 1.6, "dropped")
    assert columns({**one, "ledger": []})["loom_fate"] == "kept"
    assert columns({**one, "source": {"task": 41, "uri": "u"}})["loom_parent"] == 41


@pytest.mark.parametrize(
    ("title", "taken", "free"),
    [
        ("cats", [], "cats"),
        ("cats", ["cats"], "cats v2"),
        ("cats", ["cats", "cats v2"], "cats v3"),
        ("c" * 50, ["c" * 50], "c" * 47 + " v2"),
        ("c" * 60, [], "c" * 50),
    ],
)
def test_a_title_that_is_taken_gets_a_number(title: str, taken: list[str], free: str) -> None:
    assert free_title(title, taken) == free
