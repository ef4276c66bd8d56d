"""Pascal VOC: the integer convention, masks, and foreign folders as they are found."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written import box, picture, read, sample, write

from backend.core import rle
from backend.core.geometry import tight_box
from backend.core.model import Box, Mask, Polygon, Region, Sample, Skipped
from backend.formats.base import Classes
from backend.formats.recognise import open_dataset
from backend.formats.voc import VOC, to_integers
from backend.formats.voc_masks import palette
from backend.formats.voc_read import parse_annotation
from backend.formats.yolo import YOLO


def xml(*boxes: tuple[str, str, str, str, str], size: str = "<size><width>64</width><height>48</height></size>") -> str:
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>"
        for name, x0, y0, x1, y1 in boxes
    )
    return f"<annotation><filename>a.jpg</filename>{size}{objects}</annotation>"


def foreign(folder: Path, text: str | bytes, orientation: int | None = None) -> Sample | Skipped:
    """Return what one picture and one XML read as."""
    picture(folder / "JPEGImages" / "a.jpg", orientation=orientation)
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "a.xml").write_bytes(text.encode() if isinstance(text, str) else text)
    (item,) = VOC.open(folder).samples
    return item


def boxes_of(item: Sample | Skipped) -> list[tuple[float, ...]]:
    assert isinstance(item, Sample)
    return [(b.x0, b.y0, b.x1, b.y1) for r in item.regions if isinstance(b := r.shape, Box)]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (Box(0, 0, 64, 48), (1, 1, 64, 48)),
        (Box(40, 17, 52, 48), (41, 18, 52, 48)),
        (Box(0.4, 0.6, 10.4, 10.6), (1, 2, 10, 11)),
        (Box(3.4, 3.4, 3.6, 3.6), (4, 4, 4, 4)),  # less than a pixel still covers one
        (Box(63.9, 47.9, 64, 48), (64, 48, 64, 48)),
    ],
)
def test_integers_count_pixels_from_one(given: Box, wanted: tuple[int, int, int, int]) -> None:
    assert to_integers(given, 64, 48) == wanted


@pytest.mark.parametrize("name", ["raccoon", "bccd"])
def test_real_annotations_survive_every_round_trip(name: str, data_dir: Path, tmp_path: Path) -> None:
    source = {s.name: s for s in VOC.open(data_dir / name).samples if isinstance(s, Sample)}
    chosen = [s for s in source.values()][::3]
    classes = Classes(VOC.open(data_dir / name).labels)
    for key in ("yolo", "coco", "voc"):
        write(key, tmp_path / key, chosen, classes)
        middle = list(read(key, tmp_path / key).values())
        write("voc", tmp_path / f"{key}-voc", middle, classes)
        back = read("voc", tmp_path / f"{key}-voc")
        assert len(back) == len(chosen)
        for meant in chosen:
            got = back[meant.name]
            assert [(r.label, r.shape) for r in got.regions] == [(r.label, r.shape) for r in meant.regions]
            if key != "yolo":
                assert [r.attributes for r in got.regions] == [r.attributes for r in meant.regions]


def test_attributes_are_kept_both_ways(tmp_path: Path) -> None:
    attributes = (("truncated", 1), ("difficult", 1), ("pose", "Left"))
    meant = sample(picture(tmp_path / "a.png"), Region("1", "x", Box(1, 1, 9, 9), attributes=attributes))
    assert not write("voc", tmp_path / "voc", [meant], Classes(("x",)))
    (got,) = read("voc", tmp_path / "voc").values()
    assert dict(got.regions[0].attributes) == dict(attributes)
    assert YOLO.write_labels(tmp_path / "yolo", meant, Classes(("x",)))["attribute truncated left out"] == 1


def test_a_background_image_gets_an_xml_and_a_line_in_its_list(tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), split="val")
    write("voc", tmp_path / "voc", [meant], Classes(("x",)))
    assert b"<object>" not in (tmp_path / "voc/Annotations/a.xml").read_bytes()
    assert (tmp_path / "voc/ImageSets/Main/val.txt").read_text() == "a\n"
    assert (tmp_path / "voc/ImageSets/Main/train.txt").read_text() == ""
    (got,) = read("voc", tmp_path / "voc").values()
    assert (got.regions, got.notes, got.split) == ((), (), "val")


def test_masks_are_indexed_pictures_in_the_colours_of_voc(tmp_path: Path) -> None:
    pixels = np.zeros((48, 64), dtype=bool)
    pixels[10:20, 5:15] = True
    regions = (
        Region("1", "b", rle.encode(pixels)),
        box(2, "a", 1, 1, 5, 5),
        Region("3", "a", Polygon((((30, 30), (50, 30), (50, 40)),))),
    )
    meant = sample(picture(tmp_path / "a.png"), *regions)
    losses = write("voc", tmp_path / "voc", [meant], Classes(("a", "b")))
    assert losses == {"polygon written as a pixel mask": 1}
    with Image.open(tmp_path / "voc/SegmentationClass/a.png") as kinds:
        assert kinds.mode == "P"
        assert bytes(kinds.getpalette() or [])[:9] == palette()[:9] == bytes((0, 0, 0, 128, 0, 0, 0, 128, 0))
        assert (np.array(kinds)[pixels] == 2).all() and np.array(kinds)[31, 40] == 1
    with Image.open(tmp_path / "voc/SegmentationObject/a.png") as objects:
        assert set(np.unique(np.array(objects)).tolist()) == {0, 1, 3}
    assert (tmp_path / "voc/ImageSets/Segmentation/train.txt").read_text() == "a\n"
    (got,) = read("voc", tmp_path / "voc").values()
    assert got.regions[0].shape == regions[0].shape
    assert got.regions[1].shape == regions[1].shape
    assert isinstance(got.regions[2].shape, Mask)
    assert tight_box(got.regions[2].shape) == Box(31, 30, 50, 40)


def test_a_mask_hidden_by_a_later_one_is_counted(tmp_path: Path) -> None:
    whole = rle.encode(np.ones((48, 64), dtype=bool))
    meant = sample(picture(tmp_path / "a.png"), Region("1", "x", whole), Region("2", "x", whole))
    assert write("voc", tmp_path / "voc", [meant], Classes(("x",)))["mask partly hidden by a later one"] == 1


def test_a_control_character_in_a_label_is_replaced_and_counted(tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), box(1, "a\x01b", 1, 1, 5, 5))
    losses = VOC.write_labels(tmp_path, meant, Classes(("a\x01b",)))
    assert losses == {"label with control characters, which XML cannot hold": 1}
    assert parse_annotation((tmp_path / "Annotations/a.xml").read_bytes()).objects[0].name == "a\ufffdb"


@pytest.mark.parametrize(
    ("corners", "wanted", "note"),
    [
        (("1", "1", "64", "48"), [(0, 0, 64, 48)], None),
        (("0", "0", "64", "48"), [(0, 0, 64, 48)], "1 x a region reached beyond the frame and was clipped"),
        (("10", "10", "70", "20"), [(9, 9, 64, 20)], "1 x a region reached beyond the frame and was clipped"),
        (("10.0", " 10.5 ", "20", "20"), [(9, 9.5, 20, 20)], None),
        (("20", "20", "10", "10"), [(10, 10, 19, 19)], "1 x a region had its corners swapped, which was put right"),
        (("11", "5", "10", "9"), [], "1 x a region had no area and was left out"),
        (("nan", "1", "2", "3"), [], "1 x a region had coordinates that are no numbers and was left out"),
        (("x", "1", "2", "3"), [], "1 x a region had coordinates that are no numbers and was left out"),
        (("1e999", "1", "2", "3"), [], "1 x a region had coordinates that are no numbers and was left out"),
        (("100", "100", "120", "120"), [], "1 x a region lay outside the image and was left out"),
    ],
)
def test_foreign_coordinates(
    corners: tuple[str, str, str, str], wanted: list[tuple[float, ...]], note: str | None, tmp_path: Path
) -> None:
    item = foreign(tmp_path, xml(("x", *corners)))
    assert boxes_of(item) == wanted
    assert isinstance(item, Sample) and item.notes == ((note,) if note else ())


@pytest.mark.parametrize("size", ["", "<size/>", "<size><width>0</width><height>x</height></size>"])
def test_a_missing_size_is_read_from_the_image(size: str, tmp_path: Path) -> None:
    item = foreign(tmp_path, xml(("x", "1", "1", "10", "10"), size=size))
    assert isinstance(item, Sample) and (item.width, item.height) == (64, 48)
    assert item.notes == ("the annotation does not say how large the image is",)


def test_a_wrong_size_yields_to_the_image(tmp_path: Path) -> None:
    item = foreign(tmp_path, xml(("x", "1", "1", "10", "10"), size="<size><width>9</width><height>8</height></size>"))
    assert isinstance(item, Sample) and item.notes == (
        "the annotation says 9 x 8, the image is 64 x 48: the image holds",
    )


def test_a_size_from_before_the_exif_turn_is_told(tmp_path: Path) -> None:
    item = foreign(tmp_path, xml(("x", "1", "1", "40", "60")), orientation=6)
    assert isinstance(item, Sample) and (item.width, item.height) == (48, 64)
    assert boxes_of(item) == [(0, 0, 40, 60)]
    assert "before the EXIF turn (64 x 48)" in item.notes[0]


def test_boxes_from_before_the_exif_turn_are_not_guessed(tmp_path: Path) -> None:
    item = foreign(tmp_path, xml(("x", "1", "1", "60", "40")), orientation=6)
    assert isinstance(item, Skipped) and "before its EXIF turn" in item.reason


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + xml(("개 / 🦝 x", "1", "1", "9", "9")).encode(),
        (
            '<?xml version="1.0" encoding="utf-8"?>\r\n'
            + xml(("개 / 🦝 x", "1", "1", "9", "9")).replace("><", ">\r\n<")
        ).encode(),
        xml(("개 / 🦝 x", "1", "1", "9", "9")).encode("utf-16"),
    ],
)
def test_bom_and_line_ends_do_not_matter(data: bytes, tmp_path: Path) -> None:
    item = foreign(tmp_path, data)
    assert isinstance(item, Sample) and [r.label for r in item.regions] == ["개 / 🦝 x"]
    assert boxes_of(item) == [(0, 0, 9, 9)]


@pytest.mark.parametrize(
    "head", ["", '<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0" encoding="euc-kr"?>']
)
def test_korean_windows_encoding_is_read(head: str, tmp_path: Path) -> None:
    item = foreign(tmp_path, (head + xml(("너구리", "1", "1", "9", "9"))).encode("cp949"))
    assert isinstance(item, Sample) and item.regions[0].label == "너구리"


@pytest.mark.parametrize("text", ["", "<annotation>", "<html></html>", "no xml", "\x00\x01"])
def test_a_broken_xml_skips_its_image_with_the_reason(text: str, tmp_path: Path) -> None:
    item = foreign(tmp_path, text)
    assert isinstance(item, Skipped) and "Annotations/a.xml cannot be read" in item.reason


def test_a_folder_of_annotations_that_hold_none_is_not_one_of_background(tmp_path: Path) -> None:
    picture(tmp_path / "JPEGImages/a.png")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations/a.xml").write_text("<a>" * 200_000)
    (item,) = open_dataset(tmp_path).samples
    assert isinstance(item, Skipped) and "Annotations/a.xml cannot be read" in item.reason


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden")
    head = f'<!DOCTYPE annotation [<!ENTITY leak SYSTEM "{secret.as_uri()}">]>'
    item = foreign(tmp_path / "data", head + xml(("&leak;", "1", "1", "9", "9")))
    assert "hidden" not in repr(item)


def test_splits_and_orphans(tmp_path: Path) -> None:
    for name in ("a", "b c", "d", "e"):
        picture(tmp_path / "JPEGImages" / f"{name}.jpg")
        (tmp_path / "Annotations").mkdir(exist_ok=True)
        (tmp_path / "Annotations" / f"{name}.xml").write_text(xml(("x", "1", "1", "9", "9")))
    (tmp_path / "Annotations" / "gone.xml").write_text(xml(("x", "1", "1", "9", "9")))
    (tmp_path / "Annotations" / "e.xml").rename(tmp_path / "Annotations" / "other.xml")
    (tmp_path / "Annotations" / "other.xml").write_text(xml().replace("a.jpg", "e.jpg"))
    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (main / "train.txt").write_text("a\r\nb c\r\n")
    (main / "val.txt").write_text("d  1\na\n")
    (main / "trainval.txt").write_text("e\nd\n")
    (main / "x_train.txt").write_text("e  -1\n")
    items = list(VOC.open(tmp_path).samples)
    splits = {s.name: s.split for s in items if isinstance(s, Sample)}
    assert splits == {"a.jpg": "train", "b c.jpg": "train", "d.jpg": "val", "e.jpg": "train"}
    assert [s for s in items if isinstance(s, Skipped)] == [
        Skipped("Annotations/gone.xml", "an annotation without an image")
    ]


def test_images_without_xml_are_background_and_say_so(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "one.JPG")
    picture(tmp_path / "images" / "two.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "two.xml").write_text(xml(("x", "1", "1", "9", "9")))
    one, two = VOC.open(tmp_path).samples
    assert isinstance(one, Sample) and one.notes == ("no XML: taken as a background image",)
    assert isinstance(two, Sample) and two.notes == ("the annotation names another file, 'a.jpg'",)


def test_equal_names_in_nested_folders_stay_apart(tmp_path: Path) -> None:
    for place, label in (("day", "x"), ("night", "y")):
        picture(tmp_path / "JPEGImages" / place / "1.jpg")
        (tmp_path / "Annotations" / place).mkdir(parents=True)
        (tmp_path / "Annotations" / place / "1.xml").write_text(xml((label, "1", "1", "9", "9")))
    items = [s for s in VOC.open(tmp_path).samples if isinstance(s, Sample)]
    assert [(s.id, s.regions[0].label) for s in items] == [
        ("JPEGImages/day/1.jpg", "x"),
        ("JPEGImages/night/1.jpg", "y"),
    ]


def test_labels_stand_in_the_order_of_their_list_then_of_appearance(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    boxes = (("zebra", "1", "1", "9", "9"), ("ant", "1", "1", "9", "9"), ("bee", "1", "1", "9", "9"))
    (tmp_path / "a.xml").write_text(xml(*boxes))
    assert VOC.open(tmp_path).labels == ("zebra", "ant", "bee")
    (tmp_path / "classes.txt").write_text("\ufeffbee\r\nzebra\r\n")
    assert VOC.open(tmp_path).labels == ("bee", "zebra", "ant")


@pytest.mark.parametrize("fault", ["rgb", "size", "bytes"])
def test_an_unusable_mask_leaves_the_box(fault: str, tmp_path: Path) -> None:
    place = tmp_path / "SegmentationObject"
    place.mkdir()
    if fault == "bytes":
        (place / "a.png").write_bytes(b"\x89PNG\r\n")
    else:
        Image.new("RGB" if fault == "rgb" else "L", (64, 48) if fault == "rgb" else (3, 3)).save(place / "a.png")
    item = foreign(tmp_path, xml(("x", "1", "1", "9", "9")))
    assert boxes_of(item) == [(0, 0, 9, 9)]
    assert isinstance(item, Sample) and item.notes[0].startswith("mask a.png")
