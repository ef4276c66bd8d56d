"""YOLO: what is written, and every layout in which such datasets are found."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from written import LABELS, box, picture, sample, write

from backend.core import rle
from backend.core.errors import UsageError
from backend.core.geometry import bounds_of, outline
from backend.core.model import Box, Polygon, Region, RotatedBox, Sample, Skipped
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.recognise import recognise
from backend.formats.verify import verify_format
from backend.formats.yolo import YOLO, YOLO_OBB, YOLO_SEG
from backend.formats.yolo_lines import bridge


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def items(folder: Path, key: str = "yolo") -> list[Sample | Skipped]:
    return list(FORMATS[key].open(folder).samples)


def only(folder: Path, key: str = "yolo") -> Sample:
    (item,) = items(folder, key)
    assert isinstance(item, Sample)
    return item


def one(folder: Path, line: str, key: str = "yolo", names: str = "names: [x, y]\n") -> Sample | Skipped:
    picture(folder / "images" / "a.png", 100, 50)
    put(folder / "labels" / "a.txt", line)
    put(folder / "data.yaml", names)
    (item,) = items(folder, key)
    return item


def test_data_yaml_is_what_ultralytics_reads(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    write("yolo", tmp_path / "yolo", [sample(source, name="a.png"), sample(source, name="b.png")], Classes(LABELS))
    document = yaml.safe_load((tmp_path / "yolo/data.yaml").read_text(encoding="utf-8"))
    assert "path" not in document
    assert document["names"] == dict(enumerate(LABELS))
    for split in ("train", "val", "test"):
        assert (tmp_path / "yolo" / document[split]).is_dir()
    assert (tmp_path / "yolo/labels/train/a.txt").read_bytes() == b""


def test_edges_lie_on_the_grid_of_the_decimals_written(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png", 83, 57)
    for k in range(1, 60):
        meant = sample(source, box(1, "x", 83 - 83 / k, 0, 83, 57 / k))
        YOLO.write_labels(tmp_path, meant, Classes(("x",)))
        _, cx, cy, w, h = map(float, (tmp_path / "labels/train/a.txt").read_text().split())
        assert cx + w / 2 <= 1 + 1e-15 and cy - h / 2 >= -1e-15


def test_rotated_boxes_keep_their_corners_and_direction(tmp_path: Path) -> None:
    meant = RotatedBox(50, 25, 30, 10, -37.5)
    source = picture(tmp_path / "a.png", 100, 50)
    write("yolo-obb", tmp_path / "out", [sample(source, Region("1", "x", meant))], Classes(("x",)))
    (region,) = only(tmp_path / "out", "yolo-obb").regions
    assert isinstance(region.shape, RotatedBox)
    assert (region.shape.width, region.shape.height) == pytest.approx((30, 10), abs=1e-4)
    assert region.shape.angle == pytest.approx(-37.5, abs=1e-3)


def test_a_polygon_whose_smallest_rotated_box_leaves_the_image_gets_its_own_upright_box(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png", 100, 100)
    shape = Polygon((((0, 90), (84, 19), (95, 3), (30, 8)),))
    classes = Classes(("x",))
    losses = write("yolo-obb", tmp_path / "out", [sample(source, Region("1", "x", shape))], classes)
    (region,) = only(tmp_path / "out", "yolo-obb").regions
    assert bounds_of(outline(region.shape)) == Box(0, 3, 95, 90)
    assert any(loss.startswith("polygon written as its upright box") for loss in losses)
    certificate = verify_format("yolo-obb", tmp_path / "out", [sample(source, Region("1", "x", shape))], classes)
    assert certificate.ok, certificate.problems


def test_losses_are_named(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png", 100, 50)
    two = Polygon((((1, 1), (9, 1), (9, 9)), ((20, 20), (30, 20), (30, 30))))
    ring = np.zeros((50, 100), dtype=bool)
    ring[10:30, 10:30] = True
    ring[15:25, 15:25] = False
    regions = (
        Region("1", "x", RotatedBox(50, 25, 30, 10, 30)),
        Region("2", "x", two),
        Region("3", "x", rle.encode(ring)),
    )
    meant = sample(source, *regions, box(4, "x", 90, 40, 120, 60), box(5, "x", 200, 200, 210, 210))
    common = {"region clipped at the frame": 1, "region without area inside the frame left out": 1}
    classes = Classes(("x",))
    assert YOLO.write_labels(tmp_path, meant, classes) == {
        **common,
        "rotated box written as its bounding box": 1,
        "polygon written as its bounding box": 1,
        "mask written as its bounding box": 1,
    }
    assert YOLO_SEG.write_labels(tmp_path, meant, classes) == {
        **common,
        "rotated box written as a polygon": 1,
        "box written as a polygon": 1,
        "polygon parts joined into one ring": 1,
        "mask written as its outline": 1,
        "mask with holes, which were filled": 1,
    }
    assert YOLO_OBB.write_labels(tmp_path, meant, classes) == {
        **common,
        "polygon written as its smallest rotated box": 1,
        "mask written as its smallest rotated box": 1,
    }


def test_bridged_parts_keep_their_area() -> None:
    rings = [
        np.array(r, dtype=float)
        for r in ([[0, 0], [4, 0], [4, 4]], [[10, 0], [10, 4], [14, 4]], [[5, 9], [6, 9], [6, 8]])
    ]
    x, y = bridge(rings).T
    total = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    assert total == pytest.approx(8 + 8 + 0.5)


@pytest.mark.parametrize(
    ("line", "wanted", "note"),
    [
        ("1 0.5 0.5 0.2 0.4", (40, 15, 60, 35), None),
        ("\ufeff1 0.5 0.5 0.2 0.4\r\n\r\n", (40, 15, 60, 35), None),
        ("1.0\t0.5 0.5  0.2 0.4", (40, 15, 60, 35), None),
        ("1,0.5,0.5,0.2,0.4", (40, 15, 60, 35), None),
        ("1 0.9500001 0.5 0.1000001 0.4", (90, 15, 100, 35), None),
        ("1 1.0 0.5 0.2 0.4", (90, 15, 100, 35), "1 x a region reached beyond the frame and was clipped"),
        ("1 0.5 0.5 0 0.4", None, "1 x a region had no area and was left out"),
        ("1 nan 0.5 0.1 0.4", None, "1 x a region had coordinates that are no numbers and was left out"),
        ("1 3.5 0.5 0.1 0.4", None, "1 x a region lay outside the image and was left out"),
        (
            "1 50 25 20 20",
            None,
            "1 x a region had coordinates in pixels instead of fractions of the image and was left out",
        ),
        ("1 0.5 0.5", None, "1 x a region had 2 numbers, which is no box and no outline, and was left out"),
        ("cat 0.5 0.5 0.1 0.1", None, "1 x a region began with no class id and was left out"),
    ],
)
def test_foreign_lines(line: str, wanted: tuple[float, ...] | None, note: str | None, tmp_path: Path) -> None:
    item = one(tmp_path, line)
    assert isinstance(item, Sample)
    found = [(r.label, r.shape) for r in item.regions]
    assert item.notes == ((note,) if note else ())
    if wanted is None:
        assert found == []
    else:
        ((label, shape),) = found
        assert label == "y" and isinstance(shape, Box)
        assert (shape.x0, shape.y0, shape.x1, shape.y1) == pytest.approx(wanted, abs=0.02)


def test_a_score_is_read(tmp_path: Path) -> None:
    item = one(tmp_path, "0 0.5 0.5 0.2 0.4 0.87")
    assert isinstance(item, Sample) and item.regions[0].score == 0.87


@pytest.mark.parametrize("number", ["2", "-1"])
def test_an_unnamed_class_skips_the_image_because_its_object_would_become_background(
    number: str, tmp_path: Path
) -> None:
    item = one(tmp_path, f"0 0.5 0.5 0.1 0.1\n{number} 0.5 0.5 0.1 0.1\n")
    assert item == Skipped(
        "images/a.png",
        f"class id {number} in labels/a.txt line 2, but only 2 classes are named: add its name to data.yaml",
    )


def test_outlines_and_rotated_boxes_are_told_apart_by_the_task(tmp_path: Path) -> None:
    square = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5"
    item = one(tmp_path, square, "yolo-seg")
    assert isinstance(item, Sample) and isinstance(item.regions[0].shape, Polygon)
    item = one(tmp_path, square, "yolo-obb")
    assert isinstance(item, Sample) and item.regions[0].shape == Box(10, 5, 50, 25)
    item = one(tmp_path, "0 0.2 0.1 0.5 0.1 0.4 0.5 0.1 0.5", "yolo-obb")
    assert isinstance(item, Sample) and "no rectangle" in item.notes[0]


def test_key_points_leave_their_box(tmp_path: Path) -> None:
    names = "names: [x]\nkpt_shape: [2, 3]\n"
    item = one(tmp_path, "0 0.5 0.5 0.2 0.4 0.1 0.1 2 0.2 0.2 1", names=names)
    assert isinstance(item, Sample) and isinstance(item.regions[0].shape, Box)
    assert item.notes == ("key points are not read, only their boxes",)
    assert recognise(tmp_path).format.key == "yolo"


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("0 0.5 0.5 0.1 0.1\n", "yolo"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n", "yolo-obb"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5\n", "yolo-seg"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n0 0.5 0.5 0.1 0.1\n", "yolo-seg"),
        ("", "yolo"),
    ],
)
def test_the_task_is_recognised_by_its_lines(lines: str, key: str, tmp_path: Path) -> None:
    one(tmp_path, lines)
    assert recognise(tmp_path).format.key == key


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        ("names: [a, b]", ("a", "b")),
        ("names: {0: a, 1: 개 / 🦝}", ("a", "개 / 🦝")),
        ("names: {2: c, 0: a}", ("a", "1", "c")),
        ("nc: 2\nnames:\n  - 'no'\n  - 7\n", ("no", "7")),
    ],
)
def test_names_from_a_description(names: str, wanted: tuple[str, ...], tmp_path: Path) -> None:
    put(tmp_path / "data.yaml", names)
    assert YOLO.open(tmp_path).labels == wanted


@pytest.mark.parametrize("file", ["classes.txt", "obj.names", "labels/classes.txt"])
def test_names_from_a_list(file: str, tmp_path: Path) -> None:
    put(tmp_path / file, "\ufeffopen door\r\n개\r\n\r\n")
    assert YOLO.open(tmp_path).labels == ("open door", "개")


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    put(tmp_path / "labels/a.txt", "3 0.5 0.5 0.1 0.1")
    dataset = YOLO.open(tmp_path)
    assert dataset.labels == ("0", "1", "2", "3") and "named by their number" in dataset.notes[0]
    assert only(tmp_path).regions[0].label == "3"


def test_layout_with_splits_inside(tmp_path: Path) -> None:
    for split in ("train", "val"):
        picture(tmp_path / f"images/{split}/a.png")
        put(tmp_path / f"labels/{split}/a.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "data.yaml", "train: images/train\nval: images/val\nnames: [x]")
    assert [(i.id, i.split, len(i.regions)) for i in items(tmp_path) if isinstance(i, Sample)] == [
        ("images/train/a.png", "train", 1),
        ("images/val/a.png", "val", 1),
    ]


def test_layout_with_splits_outside(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        picture(tmp_path / f"{split}/images/{split}.jpg")
        put(tmp_path / f"{split}/labels/{split}.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: ['x']")
    found = {i.name: (i.split, len(i.regions)) for i in items(tmp_path) if isinstance(i, Sample)}
    assert found == {"train.jpg": ("train", 1), "valid.jpg": ("val", 1), "test.jpg": ("test", 1)}


def test_layout_with_lists(tmp_path: Path) -> None:
    picture(tmp_path / "obj_train_data/frame 1.png")
    picture(tmp_path / "obj_train_data/b.png")
    put(tmp_path / "obj_train_data/frame 1.txt", "1 0.5 0.5 0.1 0.1")
    put(tmp_path / "obj.names", "x\ny\n")
    put(tmp_path / "obj.data", "classes = 2\ntrain = data/train.txt\nvalid = data/val.txt\nnames = data/obj.names\n")
    put(tmp_path / "train.txt", "data/obj_train_data/frame 1.png\n")
    put(tmp_path / "val.txt", "/somewhere/else/obj_train_data/b.png\n")
    assert recognise(tmp_path).format.key == "yolo"
    found = {i.name: (i.split, [r.label for r in i.regions]) for i in items(tmp_path) if isinstance(i, Sample)}
    assert found == {"frame 1.png": ("train", ["y"]), "b.png": ("val", [])}


def test_layout_side_by_side(tmp_path: Path) -> None:
    picture(tmp_path / "a.JPG")
    put(tmp_path / "a.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "lonely.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "README.txt", "about")
    put(tmp_path / "classes.txt", "x\n")
    assert recognise(tmp_path).format.key == "yolo"
    found = items(tmp_path)
    assert isinstance(found[0], Sample) and len(found[0].regions) == 1
    assert found[1:] == [Skipped("lonely.txt", "a label file without an image")]


def test_an_image_called_test_keeps_its_labels(tmp_path: Path) -> None:
    picture(tmp_path / "images/train/test.png")
    put(tmp_path / "labels/train/test.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "data.yaml", "names: [x]")
    assert len(only(tmp_path).regions) == 1


def test_a_description_cannot_lead_outside(tmp_path: Path) -> None:
    picture(tmp_path / "private/secret.png")
    put(tmp_path / "set/data.yaml", f"path: {tmp_path}\ntrain: ../private\nval: {tmp_path}/private\nnames: [x]")
    picture(tmp_path / "set/images/a.png")
    assert [i.id for i in items(tmp_path / "set") if isinstance(i, Sample)] == ["images/a.png"]


def test_missing_labels_are_background_and_strays_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "images/train/a.png")
    picture(tmp_path / "results.png")
    put(tmp_path / "data.yaml", "names: [x]")
    assert only(tmp_path).notes == ("no label file: taken as a background image",)
    assert YOLO.open(tmp_path).notes == ("1 pictures outside the image folders were not read (the first: results.png)",)


def test_a_linked_image_folder_is_followed_once(tmp_path: Path) -> None:
    picture(tmp_path / "set/stored/train/a.png")
    (tmp_path / "set/images").symlink_to(tmp_path / "set/stored")
    (tmp_path / "set/stored/loop").symlink_to(tmp_path / "set/stored")
    put(tmp_path / "set/labels/train/a.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "set/data.yaml", "names: [x]")
    assert len(only(tmp_path / "set").regions) == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("names: [x", "line 1"),
        ("names: [x]\ntrain: !!python/name:os.system ''", "line 2: could not determine a constructor"),
        ("names: " + "[" * 5000 + "]" * 5000, "nested more than 32 levels deep"),
        ("names: [x]\nnames: [y]", "line 2: the key 'names' stands twice"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nnames: &c [*b, *c]", "alias"),
        ("names: [x, null]", "class 1 is None, not a name"),
        ("names: {0: no}", "class 0 is False, not a name"),
        ("names: {0: [x]}", "not a name"),
        ("names: {1000000000: x}", "id 1000000000 is beyond 9999"),
        ("names: {x: 0}", "'x' is no class id"),
        ("names: 3", "3 is no list"),
        (f"names: [{'x' * 201}]", "a name of 201 characters"),
    ],
)
def test_a_description_that_cannot_be_read_is_refused(text: str, cause: str, tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    put(tmp_path / "labels/a.txt", "0 0.5 0.5 0.1 0.1")
    put(tmp_path / "data.yaml", text)
    with pytest.raises(UsageError, match=re.escape(cause)) as error:
        recognise(tmp_path)
    assert str(tmp_path / "data.yaml") in str(error.value) and error.value.fix and len(str(error.value)) < 400


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    levels = "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 9))
    put(tmp_path / "data.yaml", f"a0: &a0 [x]\n{levels}names: *a8")
    with pytest.raises(UsageError, match="more than 100000 values"):
        YOLO.open(tmp_path)


def test_another_tools_yaml_is_no_description(tmp_path: Path) -> None:
    put(tmp_path / "compose.yaml", "services: !custom [")
    put(tmp_path / "classes.txt", "x\n")
    assert YOLO.open(tmp_path).labels == ("x",)


def test_without_names_an_absurd_class_id_skips_its_image(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    put(tmp_path / "labels/a.txt", "1000000000 0.5 0.5 0.1 0.1")
    (item,) = items(tmp_path)
    assert isinstance(item, Skipped) and "class id 1000000000" in item.reason


def test_names_with_line_breaks_become_one_line(tmp_path: Path) -> None:
    item = one(tmp_path, "0 0.5 0.5 0.1 0.1", names='names: ["a\\nb\\tc", y]')
    assert isinstance(item, Sample) and item.regions[0].label == "a b c"
    assert YOLO.open(tmp_path).labels == ("a b c", "y")
    assert YOLO.open(tmp_path).notes == ("the label 'a\\nb\\tc' has characters that no line can hold: read as 'a b c'",)


@pytest.mark.parametrize("key", ["yolo", "yolo-obb", "yolo-seg"])
@pytest.mark.parametrize("line", ["1e308 .1 .5 .1 .5 .5 .1 1e308", "1e308 1 1e308 1 -1e308 2", ".5 .5 1e308 1e308"])
def test_coordinates_beyond_all_reason_are_no_numbers(line: str, key: str, tmp_path: Path) -> None:
    item = one(tmp_path, f"0 {line}", key)
    assert isinstance(item, Sample) and not item.regions
    assert item.notes == ("1 x a region had coordinates that are no numbers and was left out",)
