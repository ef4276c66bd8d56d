"""What every format must do, run over the whole table."""

from pathlib import Path

import pytest
from written import LABELS, TAGS, box, picture, read, sample, write

from backend.core.errors import LabelLoomError
from backend.core.geometry import tight_box
from backend.core.model import Keypoint, Region, Sample, Shape
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.recognise import recognise
from backend.formats.verify import verify_format

CLASSES = Classes(LABELS, TAGS)
REGIONAL = [key for key in FORMATS if key != "folders"]

every_format = pytest.mark.parametrize("key", FORMATS)
regional = pytest.mark.parametrize("key", REGIONAL)


def corners(shape: Shape) -> tuple[float, ...]:
    around = tight_box(shape)
    assert around is not None
    return around.x0, around.y0, around.x1, around.y1


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    source = picture(tmp_path / "source.png", 64, 48)
    return [
        sample(
            source,
            box(1, LABELS[0], 2, 3, 20, 30),
            box(2, LABELS[2], 30, 0, 64, 48),
            name="가_1_v00.png",
            tags=(TAGS[1],),
        ),
        sample(source, box(1, LABELS[3], 1, 1, 5, 5), name="b.c_v01.png", tags=(TAGS[2],)),
        sample(source, name="background_v00.png", split="val", tags=(TAGS[0],)),
        sample(source, box(1, LABELS[1], 0, 0, 64, 48), name="🦝_v00.png", split="test"),
    ]


@every_format
def test_reads_back_what_it_wrote(key: str, samples: list[Sample], tmp_path: Path) -> None:
    folder = tmp_path / key
    write(key, folder, samples, CLASSES)
    found = recognise(folder)
    assert (found.format.key, found.folder) == (key, folder)
    dataset = FORMATS[key].open(folder)
    assert (dataset.tags if key == "folders" else dataset.labels) == (TAGS if key == "folders" else LABELS)
    back = read(key, folder)
    assert set(back) == {s.name for s in samples}
    for meant in samples:
        got = back[meant.name]
        assert (got.width, got.height, got.split) == (64, 48, meant.split)
        assert Path(got.path).is_file() and not Path(got.origin.uri).is_absolute()
        if key == "folders":
            assert [t.label for t in got.tags] == [t.label for t in meant.tags]
        else:
            assert [r.label for r in got.regions] == [r.label for r in meant.regions]
            for there, here in zip(got.regions, meant.regions, strict=True):
                assert corners(there.shape) == pytest.approx(corners(here.shape), abs=1e-4)


@every_format
def test_verifies_what_it_wrote(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    part = verify_format(key, tmp_path / key, samples, CLASSES)
    assert part.ok and part.classes_ok and not part.problems
    assert (part.images, part.regions) == (4, 0 if key == "folders" else 4)
    assert part.max_error_px <= part.tolerance


@every_format
def test_opens_again_and_again(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    dataset = FORMATS[key].open(tmp_path / key)
    assert list(dataset.samples) == list(dataset.samples)


@every_format
def test_writing_twice_gives_the_same_bytes(key: str, samples: list[Sample], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(key, tmp_path / name, samples, CLASSES)
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "two")
    )
    assert one == two


@regional
def test_a_label_that_is_not_listed_is_refused(key: str, samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(LabelLoomError, match="not among the dataset's labels: raccoon"):
        FORMATS[key].write_labels(tmp_path, samples[0], Classes(("raccoon",)))


@every_format
def test_what_is_lost_is_counted(key: str, samples: list[Sample], tmp_path: Path) -> None:
    losses = FORMATS[key].write_labels(tmp_path, samples[0], CLASSES)
    if key == "folders":
        assert losses == {"box left out: class folders hold one class per image": 2}
    else:
        assert losses["image tag left out"] == 1
        point = Region("p", LABELS[0], Keypoint(3, 3), 0.5)
        scored = sample(Path(samples[0].path), point)
        losses = FORMATS[key].write_labels(tmp_path, scored, CLASSES)
        assert losses["keypoint left out"] == 1
        assert losses["score left out"] == (0 if key == "coco" else 1)


@every_format
def test_an_empty_dataset_can_be_finished(key: str, tmp_path: Path) -> None:
    FORMATS[key].finish(tmp_path / key, [], CLASSES)
    assert verify_format(key, tmp_path / key, [], CLASSES).ok
