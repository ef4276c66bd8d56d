"""The styles LabelLoom makes: always the same, all different, and pictures worth the name."""

import numpy as np
import pytest

from backend.style.made import MADE, SIDE, make


@pytest.mark.parametrize("name", MADE)
def test_a_made_style_is_the_same_each_time_and_is_no_flat_colour(name):
    one = make(name)
    assert one.shape == (SIDE, SIDE, 3) and one.dtype == np.uint8 and one.flags.c_contiguous
    assert one.std() > 10
    assert np.array_equal(one, make(name))


def test_there_are_a_dozen_and_none_is_another():
    means = [make(name).astype(float).mean((0, 1)) for name in MADE]
    assert len(means) == 12
    assert len({tuple(mean.round(3)) for mean in means}) == 12
