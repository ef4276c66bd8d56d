"""Smart tools: which found region is meant by a rough rectangle, or by a click."""

import pytest

from backend.core.model import Box, Region, RotatedBox
from backend.core.snap import fitting, mean_box, under


def region(name: str, box: tuple[float, float, float, float], score: float | None = 0.9) -> Region:
    return Region(name, "고양이", Box(*box), score)


DRAWN = Box(10, 10, 110, 110)


def test_the_box_that_overlaps_most_is_meant_and_the_mean_of_both_is_the_answer() -> None:
    found = [region("far", (60, 60, 160, 160)), region("near", (20, 14, 120, 110)), region("sure", (0, 0, 80, 80), 1.0)]
    best = fitting(DRAWN, found)
    assert best is not None and best.id == "near"
    assert mean_box(DRAWN, best) == Box(15, 12, 115, 110)


@pytest.mark.parametrize(
    ("box", "score"),
    [
        ((60, 60, 160, 160), 0.99),  # overlaps too little
        ((10, 10, 110, 50), 0.99),  # IoU is .4, which is not more than .4
        ((10, 10, 110, 110), 0.15),  # hardly anything
        ((200, 200, 210, 210), 0.99),
    ],
)
def test_what_fits_badly_or_is_hardly_anything_is_not_meant(
    box: tuple[float, float, float, float], score: float
) -> None:
    assert fitting(DRAWN, [region("a", box, score)]) is None
    assert fitting(DRAWN, []) is None


def test_a_turned_box_is_met_by_the_box_around_it() -> None:
    turned = Region("t", "고양이", RotatedBox(60, 60, 100, 20, 45), 0.8)
    best = fitting(DRAWN, [turned])
    assert best is turned
    assert mean_box(DRAWN, turned).x0 == pytest.approx((10 + 60 - 60 / 2**0.5) / 2)


def test_a_click_takes_the_smallest_of_the_surest_boxes_under_it() -> None:
    whole, part = region("whole", (0, 0, 100, 100), 0.9), region("part", (40, 40, 60, 60), 0.8)
    doubtful, beside = region("doubtful", (45, 45, 55, 55), 0.3), region("beside", (200, 0, 210, 10), 1.0)
    assert under((50, 50), [whole, part, doubtful, beside]) is part
    assert under((20, 20), [whole, part, doubtful, beside]) is whole
    assert under((150, 150), [whole, part, doubtful, beside]) is None
    assert under((50, 50), [doubtful]) is doubtful
    assert under((50, 50), [region("weak", (0, 0, 100, 100), 0.1), region("none", (0, 0, 9, 9), None)]) is None


def test_boxes_are_half_open_so_that_two_neighbours_never_share_a_click() -> None:
    left, right = region("left", (0, 0, 50, 50)), region("right", (50, 0, 100, 50))
    assert under((50, 10), [left, right]) is right
