"""`convert`: every format into every other, images byte for byte, losses and repairs told, nothing overwritten."""

import errno
import shutil
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from written import LABELS, TAGS, box, picture, read, sample, write

from backend.core.errors import LabelLoomError, UsageError, VerifyError
from backend.core.geometry import tight_box
from backend.core.model import Sample
from backend.core.progress import Silent
from backend.flows.convert import WORK, convert
from backend.flows.verify import verify_dataset
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.yolo import Yolo
from backend.imaging.files import link_or_copy

CLASSES = Classes(LABELS, TAGS)
REGIONAL = [key for key in FORMATS if key != "folders"]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    source = picture(tmp_path / "source.png")
    return [
        sample(source, box(1, LABELS[0], 2, 3, 20, 30), box(2, LABELS[2], 30, 0, 64, 48), name="가_1.png"),
        sample(source, box(1, LABELS[3], 1, 1, 5, 5), name="b.png", split="val"),
        sample(source, name="c.png", split="test"),
    ]


@pytest.mark.parametrize(("source", "target"), permutations(REGIONAL, 2))
def test_every_format_becomes_every_other(source: str, target: str, samples: list[Sample], tmp_path: Path) -> None:
    write(source, tmp_path / "in", samples, CLASSES)
    report = convert(tmp_path / "in", tmp_path / "out", target, Silent())
    assert report.certificate.ok and not report.skipped
    assert report.counts == {"images": 3, "regions": 3, "train": 1, "val": 1, "test": 1}
    back = read(target, tmp_path / "out")
    for meant in samples:
        got = back[meant.name]
        assert got.split == meant.split and Path(got.path).read_bytes() == Path(meant.path).read_bytes()
        assert [r.label for r in got.regions] == [r.label for r in meant.regions]
        for there, here in zip(got.regions, meant.regions, strict=True):
            a, b = tight_box(there.shape), tight_box(here.shape)
            assert a and b and max(abs(a.x0 - b.x0), abs(a.y0 - b.y0), abs(a.x1 - b.x1), abs(a.y1 - b.y1)) < 1e-3
    assert not list(tmp_path.glob("out.partial*")) and not list((tmp_path / "out").glob(".*"))


def test_losses_are_reported(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    report = convert(tmp_path / "in", tmp_path / "out", "folders", Silent())
    assert report.losses == {"box left out: class folders hold one class per image": 3}


def test_names_that_clash_are_told_apart(tmp_path: Path) -> None:
    names = ("x/a.jpg", "x/a.png", "y/A.jpg", "y/b c.png", "z/b_c.png")
    for k, name in enumerate(names):
        picture(tmp_path / "in/images" / name, 20 + k, 30)
        label = tmp_path / "in/labels" / name
        label.parent.mkdir(parents=True, exist_ok=True)
        label.with_suffix(".txt").write_text(f"{k} 0.5 0.5 0.5 0.5\n")
    shutil.rmtree(tmp_path / "in/labels/x")  # a.jpg and a.png would share one label file: both are background here
    (tmp_path / "in/data.yaml").write_text("names: [p, q, r, s, t]")
    for to in ("yolo", "voc", "coco"):
        report = convert(tmp_path / "in", tmp_path / to, to, Silent())
        back = read(to, tmp_path / to)
        assert report.certificate.ok and len(back) == 5
        assert len({name.rpartition(".")[0].lower() for name in back}) == 5
        assert {(s.width, tuple(r.label for r in s.regions)) for s in back.values()} == {
            (20, ()),
            (21, ()),
            (22, ("r",)),
            (23, ("s",)),
            (24, ("t",)),
        }


def test_an_existing_folder_is_never_touched(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    with pytest.raises(UsageError, match="lies inside"):
        convert(tmp_path / "in", tmp_path / "in" / "new", "yolo", Silent())
    with pytest.raises(UsageError, match="unknown format 'yolo-pbb'") as error:
        convert(tmp_path / "in", tmp_path / "new", "yolo-pbb", Silent())
    assert error.value.fix == "did you mean 'yolo-obb'?"
    assert not list((tmp_path / "out").iterdir()) and not (tmp_path / "new.partial").exists()


def test_a_partial_folder_is_replaced_only_if_it_is_ours(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    stranger = tmp_path / "out.partial" / "precious.txt"
    stranger.parent.mkdir()
    stranger.write_text("x")
    with pytest.raises(UsageError, match="not left by an earlier conversion"):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    assert stranger.read_text() == "x"
    stranger.unlink()

    class Stop:
        def update(self, phase: str, done: int, total: int | None = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Stop())
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()
    (tmp_path / "out.partial").mkdir()  # as a killed run leaves it
    (tmp_path / "out.partial" / WORK).touch()
    (tmp_path / "out.partial" / "old.png").touch()
    assert convert(tmp_path / "in", tmp_path / "out", "yolo", Silent()).certificate.ok


def test_hostile_images_are_skipped_and_the_rest_arrives(data_dir: Path, tmp_path: Path) -> None:
    for path in (data_dir / "edge").iterdir():
        link_or_copy(path, tmp_path / "in/images/train" / path.name)
        label = tmp_path / "in/labels/train" / f"{path.stem}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "in/data.yaml").write_text("names: [x]")
    for to in ("voc", "coco"):
        report = convert(tmp_path / "in", tmp_path / to, to, Silent())
        bad = {Path(s.item).name for s in report.skipped}
        assert bad == {p.name for p in (data_dir / "edge").glob("bad_*")}
        assert all(s.reason for s in report.skipped) and report.certificate.ok
        back = read(to, tmp_path / to)
        assert (back["exif_orientation_6.jpg"].width, back["exif_orientation_6.jpg"].height) == (
            back["exif_orientation_1.jpg"].height,
            back["exif_orientation_1.jpg"].width,
        )
        assert any("EXIF turn, which stays" in note for note in report.notes)


def test_repairs_are_reported_with_their_number(tmp_path: Path) -> None:
    for k in range(3):
        picture(tmp_path / f"in/images/{k}.png")
        (tmp_path / "in/labels").mkdir(exist_ok=True)
        (tmp_path / f"in/labels/{k}.txt").write_text("0 1.0 0.5 0.5 0.5\n" if k else "0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "in/data.yaml").write_text("names: [x]")
    report = convert(tmp_path / "in", tmp_path / "out", "voc", Silent())
    assert report.notes == (
        "1 x a region reached beyond the frame and was clipped (2 images, the first: images/1.png)",
    )


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(b"")
    with pytest.raises(LabelLoomError, match=r"no image could be used \(a.png: the file is empty\)"):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    assert not (tmp_path / "out.partial").exists()


def test_editing_the_copy_leaves_the_original_alone(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    before = {path: path.read_bytes() for path in (tmp_path / "in").rglob("*.png")}
    convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    for path in (tmp_path / "out").rglob("*.png"):
        with path.open("r+b") as stream:
            stream.write(b"edited in place")
    assert {path: path.read_bytes() for path in before} == before


def test_a_place_that_cannot_be_written_is_an_error_of_usage(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        convert(tmp_path / "in", tmp_path / "file" / "out", "yolo", Silent())


def test_a_full_disk_is_told_in_plain_words(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)

    def full(target: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr("backend.flows.convert.write_atomic", full)
    with pytest.raises(LabelLoomError, match="No space left on device"):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.partial").exists()


def test_what_does_not_verify_does_not_arrive(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("voc", tmp_path / "in", samples, CLASSES)
    broken = Yolo("yolo", "detect", lambda *_: "0.5 0.5 0.5 0.5")
    monkeypatch.setitem(FORMATS, "yolo", broken)
    with pytest.raises(VerifyError, match="does not read back"):
        convert(tmp_path / "in", tmp_path / "out", "yolo", Silent())
    assert not (tmp_path / "out").exists() and (tmp_path / "out.partial").is_dir()


@pytest.fixture(params=["raccoon", "bccd"])
def real(request: pytest.FixtureRequest, data_dir: Path, tmp_path: Path) -> Iterator[Path]:
    """A tenth of a set of real photographs, as a folder of its own."""
    for path in sorted((data_dir / request.param / "Annotations").iterdir())[::10]:
        link_or_copy(path, tmp_path / "real/Annotations" / path.name)
        image = data_dir / request.param / "JPEGImages" / f"{path.stem}.jpg"
        link_or_copy(image, tmp_path / "real/JPEGImages" / image.name)
    yield tmp_path / "real"


@pytest.mark.parametrize("to", REGIONAL)
def test_real_photographs_convert_and_verify(to: str, real: Path, tmp_path: Path) -> None:
    report = convert(real, tmp_path / "out", to, Silent())
    assert report.certificate.ok and not report.skipped and report.counts["regions"] == report.certificate.regions
    certificate = verify_dataset(tmp_path / "out", Silent())
    assert certificate["ok"] and "two readers" in certificate["checked"]
    back = convert(tmp_path / "out", tmp_path / "back", "voc", Silent())
    assert back.certificate.ok
    meant, got = read("voc", real), read("voc", tmp_path / "back")
    if to != "yolo-seg":  # an outline comes back as a mask
        assert {n: [(r.label, r.shape) for r in s.regions] for n, s in got.items()} == {
            n: [(r.label, r.shape) for r in s.regions] for n, s in meant.items()
        }
