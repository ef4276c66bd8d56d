"""How sure a model is of a whole image: one number, so that people can look at the least sure first."""

from collections.abc import Iterable


def sureness(candidates: Iterable[tuple[float, float]]) -> float:
    """Return how sure a model is of its least sure decision about an image, 0 to 1; 1 where it saw nothing at all.

    candidates: (score, threshold of its label) of everything the model saw. What is shown (score s >= threshold t) is
    as sure as its score. That something is left out is as sure as 1 - (1 - t) * (s / t)^2: t for a candidate just
    below the threshold, as for one just above it, and soon nearly 1 for weaker ones, of which most images hold some.
    """
    return min((_decision(score, threshold) for score, threshold in candidates), default=1.0)


def _decision(score: float, threshold: float) -> float:
    if score >= threshold:
        return score
    return 1 - (1 - threshold) * (score / threshold) ** 2
