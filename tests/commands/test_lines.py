"""What a log or a pipe gets to see of long work."""

import time

import pytest

from backend.commands.lines import ProgressLines, line


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (("augmenting", 200, 800, 60.0, 0), "augmenting: 200 of 800 (25%), about 3 min left"),
        (("augmenting", 500, 1000, 10.0, 300), "augmenting: 500 of 1,000 (50%), about 25 s left"),
        (("augmenting", 300, 800, 7.0, 300), "augmenting: 300 of 800 (37%), 7 s so far"),
        (("reading", 1200, None, 7.0, 0), "reading: 1,200 so far, 7 s"),
        (("writing", 0, 0, 7.0, 0), "writing: 0 so far, 7 s"),
    ],
)  # fmt: skip
def test_a_line_says_how_far_and_how_long(state: tuple[str, int, int | None, float, int], words: str) -> None:
    assert line(*state) == words


def test_lines_come_also_while_one_item_takes_long_and_never_when_quiet() -> None:
    said: list[str] = []
    lines = ProgressLines(said.append, every=0.05)
    lines.start()
    lines.update("augmenting", 1, 4)
    time.sleep(0.4)
    assert len(said) >= 3
    assert all(text.startswith("augmenting: 1 of 4 (25%)") for text in said)
    lines.quiet = True
    time.sleep(0.1)
    number = len(said)
    time.sleep(0.2)
    assert len(said) == number
    lines.quiet = False
    lines.stop()
    number = len(said)
    time.sleep(0.1)
    assert len(said) == number
