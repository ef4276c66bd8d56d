"""Groups stay whole, earlier splits stay put, and little else moves when images come and go."""

from collections import Counter

import numpy as np
import pytest

from backend.core.errors import LeakError, UsageError
from backend.core.lineage import Rows, group
from backend.core.recipe import SplitRule, Splits
from backend.core.splits import assign
from tests.core.rows import RULE, counts, plain, row, sets, sha, split, table

# --- groups


def test_equal_pixels_near_pairs_keys_and_parents_join() -> None:
    rows = table(
        row(0, pixels=sha("p")),
        row(1, pixels=sha("p")),
        row(2),
        row(3),
        row(4, key="video 1"),
        row(5, key="video 1"),
        row(6, parent=sha(8)[:12]),
        row(7, parent=sha(8)),
        row(8),
        row(9, parent=sha("elsewhere")),
        row(10, parent=sha("elsewhere")),
        row(11),
    )
    groups = group(rows, [(2, 3)])
    assert sets(groups) == {frozenset(s) for s in ({0, 1}, {2, 3}, {4, 5}, {6, 7, 8}, {9, 10}, {11})}
    assert groups.sizes.tolist() == [2, 2, 2, 3, 2, 1]
    assert groups.keyed.tolist() == [False, False, True, False, False, False]


def test_a_groups_id_is_the_beginning_of_its_smallest_hash() -> None:
    groups = group(plain(6), [(0, 3), (3, 5)])
    assert groups.ids[groups.of[5]] == min(sha(i) for i in (0, 3, 5))[:12]
    assert groups.ids[groups.of[1]] == sha(1)[:12]


def test_keys_part_near_duplicates_but_not_equal_pixels() -> None:
    rows = table(
        row(0, key="a"), row(1, key="b"), row(2, key="c", pixels=sha("p")), row(3, key="d", pixels=sha("p")), row(4)
    )
    assert sets(group(rows, [(0, 1)])) == {frozenset(s) for s in ({0}, {1}, {2, 3}, {4})}
    assert frozenset({0, 4}) in sets(group(rows, [(0, 4)]))  # an image without a key still leaks if left apart


def test_no_image_at_all() -> None:
    groups, outcome = split(table())
    assert (groups.ids, outcome.codes.size, outcome.warnings) == ((), 0, ())


# --- assignment


def test_five_hundred_frames_of_one_scene_with_five_videos() -> None:
    rows = table(*(row(i, key=f"video {i // 100}") for i in range(500)))
    groups, outcome = split(rows, [(i, i + 1) for i in range(499)])
    assert len(groups.ids) == 5
    assert counts(outcome) == [300, 100, 100]
    assert not any("one scene" in warning for warning in outcome.warnings)


def test_without_keys_the_same_frames_are_one_group_and_the_warning_says_what_to_do() -> None:
    groups, outcome = split(plain(500), [(i, i + 1) for i in range(499)])
    assert len(groups.ids) == 1
    assert counts(outcome) == [500, 0, 0]
    text = " ".join(outcome.warnings)
    assert "val is empty" in text
    assert "test is empty" in text
    assert "500 of 500 images count as one scene" in text
    assert "`group_by`" in text
    assert "smaller `near_duplicates`" in text


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, [1, 0, 0]), (2, [1, 1, 0]), (3, [1, 1, 1])],
)
def test_few_images_fill_train_first_then_val(number: int, expected: list[int]) -> None:
    outcome = split(plain(number))[1]
    assert counts(outcome) == expected
    assert sum("is empty" in warning for warning in outcome.warnings) == expected.count(0)


@pytest.mark.parametrize("number", [10, 40, 150, 1000])
def test_ratios_are_about_right(number: int) -> None:
    for salt in range(8):
        outcome = split(table(*(row((salt, i)) for i in range(number))))[1]
        slack = max(1, 0.02 * number)
        for count, ratio in zip(counts(outcome), (0.8, 0.1, 0.1), strict=True):
            assert abs(count - ratio * number) <= 2 * slack
            assert count > 0


def test_a_split_without_a_ratio_stays_empty() -> None:
    assert counts(split(plain(50), rule=SplitRule(train=0.8, val=0.2, test=0))[1])[2] == 0
    assert counts(split(plain(50), rule=SplitRule(train=0.8, val=0, test=0.2))[1])[1] == 0
    assert counts(split(plain(50), rule=SplitRule(train=1, val=0, test=0))[1]) == [50, 0, 0]


def test_without_a_rule_the_inputs_own_split_holds_and_the_rest_is_train() -> None:
    rows = table(row(0, kept="val"), row(1), row(2, kept="test"), row(3, kept="val"), row(4))
    outcome = split(rows, [(3, 4)], rule=None)[1]
    assert [outcome.split_of(i) for i in range(5)] == ["val", "train", "test", "val", "val"]
    assert outcome.warnings == ()


def test_an_image_keeps_its_split_and_its_group_follows() -> None:
    rows = table(*(row(i, kept="test" if i == 7 else None) for i in range(40)))
    outcome = split(rows, [(7, 8), (8, 9)])[1]
    assert [outcome.split_of(i) for i in (7, 8, 9)] == ["test"] * 3
    ignored = split(rows, rule=SplitRule(keep="none"))[1]
    assert np.array_equal(ignored.codes, split(plain(40))[1].codes)


def test_the_earlier_split_wins_over_the_one_an_image_comes_with() -> None:
    rows = table(row(0, kept="train", sticky="val"), row(1, kept="train"), row(2, kept="test", sticky="test"))
    outcome = split(rows)[1]
    assert [outcome.split_of(i) for i in range(3)] == ["val", "train", "test"]
    assert outcome.warnings[0] == "images that came with another split than in earlier versions kept the earlier one: 1"


def test_train_is_never_empty() -> None:
    with pytest.raises(UsageError, match="all 2 images are in val already") as caught:
        split(plain(2, kept="val"))
    assert "keep: none" in str(caught.value.fix)


# --- leaks


def torn() -> tuple[Rows, list[tuple[int, int]]]:
    kept = ["train", "train", "val", None, None, None]
    return table(*(row(i, kept=k) for i, k in enumerate(kept))), [(0, 1), (1, 2), (2, 3)]


def test_a_leak_aborts_and_names_the_images() -> None:
    rows, near = torn()
    with pytest.raises(LeakError, match=r"splits: 0.jpg \(train\), 1.jpg \(train\), 2.jpg \(val\)$") as caught:
        assign(rows, group(rows, near), RULE, "{}.jpg".format)
    assert "`on_leak: move`" in str(caught.value.fix)


def test_of_many_leaking_images_ten_are_named() -> None:
    rows = table(*(row(i, pixels=sha("same"), kept=Splits[i % 2]) for i in range(50)))
    with pytest.raises(LeakError, match=r"image 9 \(val\) and 40 more$"):
        split(rows)


def test_move_puts_the_group_where_most_of_it_is() -> None:
    rows, near = torn()
    outcome = split(rows, near, SplitRule(on_leak="move"))[1]
    assert [outcome.split_of(i) for i in range(4)] == ["train"] * 4
    assert not outcome.leaky
    assert (
        "lay in different splits, each group was moved into the split of most of its images: image 0 (train)"
        in outcome.warnings[0]
    )


def test_report_leaves_the_images_and_marks_the_outcome() -> None:
    rows, near = torn()
    outcome = split(rows, near, SplitRule(on_leak="report"))[1]
    assert [outcome.split_of(i) for i in range(4)] == ["train", "train", "val", "train"]
    assert outcome.leaky
    (leak,) = outcome.leaks
    assert (leak.images, leak.splits) == ((0, 1, 2), ("train", "train", "val"))


def test_a_leak_in_the_input_without_a_rule_is_reported_not_refused() -> None:
    rows, near = torn()
    assert split(rows, near, rule=None)[1].leaky


# --- labels


def test_a_rare_label_gets_a_place_in_val_and_stays_in_train() -> None:
    for salt in range(20):
        rows = table(*(row((salt, i), labels=["common"] + ["rare"] * (i < 4)) for i in range(100)))
        outcome = split(rows)[1]
        rare = Counter(outcome.split_of(i) for i in range(4))
        assert rare["val"] >= 1
        assert rare["train"] >= 1
        assert 6 <= counts(outcome)[1] <= 14


def test_a_label_in_one_image_only_is_left_in_peace_and_reported_when_absent() -> None:
    rows = table(*(row(i, labels=["common"] + ["once"] * (i == 0)) for i in range(60)))
    outcome = split(rows)[1]
    assert np.array_equal(outcome.codes, split(plain(60))[1].codes)
    if outcome.split_of(0) != "val":
        assert outcome.warnings == ("no image in val has the label once",)


def test_val_does_not_swell_to_cover_labels() -> None:
    rows = table(*(row(i, labels=[f"label {i % 40}"]) for i in range(200)))
    outcome = split(rows)[1]
    assert counts(outcome)[1] <= 24
    assert any(warning.startswith("no image in val has the label") for warning in outcome.warnings)
