"""Names that no line of a class list can hold are put right on the way in, and said so."""

from pathlib import Path

import pytest
from written import LABELS, box, picture, sample, write

from backend.core.errors import UsageError
from backend.core.model import Sample
from backend.core.progress import Silent
from backend.flows.convert import convert
from backend.formats import FORMATS
from backend.formats.base import Classes

ODD = "two\nlines"


def test_a_line_break_in_a_category_becomes_a_space_and_voc_can_hold_it(tmp_path: Path) -> None:
    item = sample(picture(tmp_path / "a.png"), box(1, ODD, 2, 3, 20, 30), box(2, LABELS[0], 2, 3, 20, 30))
    write("coco", tmp_path / "in", [item], Classes((ODD, LABELS[0])))
    dataset = FORMATS["coco"].open(tmp_path / "in")
    assert dataset.labels == ("two lines", LABELS[0]) and "read as 'two lines'" in dataset.notes[0]
    (read,) = dataset.samples
    assert isinstance(read, Sample) and [r.label for r in read.regions] == ["two lines", LABELS[0]]
    assert convert(tmp_path / "in", tmp_path / "out", "voc", Silent()).certificate.ok
    assert FORMATS["voc"].open(tmp_path / "out").labels == ("two lines", LABELS[0])


def test_a_name_of_absurd_length_is_refused(tmp_path: Path) -> None:
    item = sample(picture(tmp_path / "a.png"), box(1, "x" * 5000, 2, 3, 20, 30))
    write("coco", tmp_path / "in", [item], Classes(("x" * 5000,)))
    with pytest.raises(UsageError, match="has 5000 characters") as error:
        FORMATS["coco"].open(tmp_path / "in")
    assert len(str(error.value)) < 400
