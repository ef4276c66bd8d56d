"""Where randomness comes from: a variant's seed is a function of what it is, never of when or where it is drawn."""

import hashlib


def _first_8_bytes(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def variant_seed(drawing: str, source_sha256: str, variant: int, attempt: int) -> int:
    """Return the seed of one attempt at one variant, 0 to 2**64 - 1.

    `drawing` is the canonical JSON of `Recipe.drawing`: whatever else the recipe says changes no variant's pixels.
    """
    return _first_8_bytes(f"{drawing}\n{source_sha256}\n{variant}\n{attempt}")


def step_seed(seed: int, position: int) -> int:
    """Return the seed of the step at `position`: its own, so that what one step draws never moves the next."""
    return _first_8_bytes(f"{seed}\n{position}")
