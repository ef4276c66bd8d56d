"""How sure a model is of a whole image: the order in which annotators see tasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.sureness import sureness

ONE = st.floats(0.05, 1)
PAIR = st.tuples(ONE, st.floats(0.1, 0.95))
PAIRS = st.lists(PAIR, max_size=6)


def test_the_least_sure_decision_counts() -> None:
    assert sureness([]) == 1
    assert sureness([(0.9, 0.5), (0.6, 0.5)]) == 0.6
    assert sureness([(0.9, 0.5), (0.4, 0.5)]) == pytest.approx(1 - 0.5 * 0.64)
    assert sureness([(0.3, 0.5)]) == pytest.approx(0.82)  # nothing is shown: the strongest candidate tells


@given(PAIRS, PAIR, st.floats(0, 1))
def test_a_surer_shown_box_never_makes_the_image_less_sure(
    others: list, pair: tuple[float, float], more: float
) -> None:
    score, threshold = max(pair), min(pair)
    higher = score + (1 - score) * more
    assert sureness([*others, (higher, threshold)]) >= sureness([*others, (score, threshold)])


@given(PAIRS, PAIR, st.floats(0, 1))
def test_a_stronger_hidden_candidate_never_makes_it_surer(others: list, pair: tuple[float, float], less: float) -> None:
    score, threshold = min(pair) * 0.999, max(pair)
    assert sureness([*others, (score, threshold)]) <= sureness([*others, (score * less, threshold)])


@given(PAIRS, PAIR)
def test_another_candidate_never_makes_it_surer_and_it_stays_from_0_to_1(
    others: list, pair: tuple[float, float]
) -> None:
    assert 0 <= sureness([*others, pair]) <= sureness(others) <= 1


@given(st.floats(0.1, 0.95))
def test_nothing_jumps_at_the_threshold(threshold: float) -> None:
    assert sureness([(threshold - 1e-9, threshold)]) == pytest.approx(sureness([(threshold, threshold)]), abs=1e-6)
