"""Planted faults: whatever is wrong in a written folder, its certificate says so."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written import LABELS, TAGS, box, picture, sample, write

from backend.core import rle
from backend.core.model import Box, Mask, Polygon, Region, RotatedBox, Sample
from backend.formats import FORMATS
from backend.formats.base import Classes
from backend.formats.verify import Certificate, verify_format
from backend.imaging.files import write_atomic

CLASSES = Classes(LABELS, TAGS)
REGIONAL = [key for key in FORMATS if key != "folders"]
PIXELS = np.zeros((48, 64), dtype=bool)
PIXELS[20:40, 20:50] = True

every_format = pytest.mark.parametrize("key", FORMATS)
regional = pytest.mark.parametrize("key", REGIONAL)


def shapes() -> tuple[Region, ...]:
    return (
        box(1, LABELS[0], 2, 3, 20, 30),
        box(2, LABELS[0], 3, 3, 20, 30),
        box(3, LABELS[1], 40, 10, 60, 40),
        Region("4", LABELS[2], RotatedBox(30, 20, 20, 10, 30)),
        Region("5", LABELS[3], Polygon((((5, 5), (30, 8), (12, 30)),))),
        Region("6", LABELS[3], rle.encode(PIXELS)),
    )


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    source = picture(tmp_path / "source.png")
    other = sample(source, name="b.png", split="val", tags=(TAGS[1],))
    return [sample(source, *shapes(), tags=(TAGS[0],)), other]


def check(key: str, folder: Path, samples: list[Sample], classes: Classes = CLASSES) -> Certificate:
    return verify_format(key, folder / key, samples, classes)


@regional
def test_without_a_fault_it_is_clean(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    part = check(key, tmp_path, samples)
    assert part.ok, part.problems
    assert (part.images, part.regions, part.faults) == (2, 6, 0)


def shifted(region: Region, by: float) -> Region:
    match region.shape:
        case Box(x0, y0, x1, y1):
            return replace(region, shape=Box(x0 + by, y0, x1 + by, y1))
        case RotatedBox(cx, cy, w, h, angle):
            return replace(region, shape=RotatedBox(cx + by, cy, w, h, angle))
        case Polygon(parts):
            return replace(region, shape=Polygon(tuple(tuple((x + by, y) for x, y in ring) for ring in parts)))
        case Mask():
            return replace(region, shape=rle.encode(np.roll(PIXELS, round(by), axis=1)))
    raise AssertionError(region)


@regional
@pytest.mark.parametrize("number", range(6))
def test_a_shift_by_one_pixel_is_caught(key: str, number: int, samples: list[Sample], tmp_path: Path) -> None:
    regions = list(shapes())
    regions[number] = shifted(regions[number], 1)
    wrong = [replace(samples[0], regions=tuple(regions)), samples[1]]
    write(key, tmp_path / key, wrong, CLASSES)
    part = check(key, tmp_path, samples)
    assert not part.ok
    assert any(f"region {regions[number].id} " in p or "off" in p for p in part.problems), part.problems


@pytest.mark.parametrize("key", [key for key in REGIONAL if key != "voc"])
@pytest.mark.parametrize("number", [0, 3, 4])
def test_a_shift_by_a_fiftieth_of_a_pixel_is_caught(
    key: str, number: int, samples: list[Sample], tmp_path: Path
) -> None:
    regions = list(shapes())
    regions[number] = shifted(regions[number], 0.02)
    write(key, tmp_path / key, [replace(samples[0], regions=tuple(regions)), samples[1]], CLASSES)
    part = check(key, tmp_path, samples)
    assert not part.ok and 0.01 < part.max_error_px < 0.03


@regional
def test_the_order_of_regions_does_not_matter(key: str, samples: list[Sample], tmp_path: Path) -> None:
    if key == "voc":  # where masks overlap, the later one hides the earlier: their order is part of what was meant
        samples = [replace(samples[0], regions=samples[0].regions[:4]), samples[1]]
    turned = [replace(samples[0], regions=samples[0].regions[::-1]), samples[1]]
    write(key, tmp_path / key, turned, CLASSES)
    part = check(key, tmp_path, samples)
    assert part.ok, part.problems


@regional
def test_a_dropped_and_an_invented_region_are_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, [replace(samples[0], regions=samples[0].regions[:5]), samples[1]], CLASSES)
    assert f"a.png: region 6 ({LABELS[3]!r}) is missing" in check(key, tmp_path, samples).problems
    more = [*samples[:1], replace(samples[1], regions=(box(9, LABELS[0], 1, 1, 9, 9),))]
    write(key, tmp_path / key, more, CLASSES)
    (problem,) = check(key, tmp_path, samples).problems
    assert "was not meant" in problem and problem.startswith("b.png")


@regional
def test_a_swapped_label_is_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    regions = (replace(samples[0].regions[0], label=LABELS[1]), *samples[0].regions[1:])
    write(key, tmp_path / key, [replace(samples[0], regions=regions), samples[1]], CLASSES)
    problems = check(key, tmp_path, samples).problems
    assert f"a.png: region r1 is labelled {LABELS[1]!r} instead of {LABELS[0]!r}" in problems


@every_format
def test_swapped_classes_are_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    FORMATS[key].finish(tmp_path / key, samples, Classes(LABELS[::-1], TAGS[::-1]))
    part = check(key, tmp_path, samples)
    assert not part.ok and not part.classes_ok
    assert any("class names are" in p for p in part.problems)


@every_format
def test_a_flipped_split_is_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, [samples[0], replace(samples[1], split="test")], CLASSES)
    assert "b.png: its split is test, not val" in check(key, tmp_path, samples).problems


@every_format
@pytest.mark.parametrize("name", ["images/train/extra.png", "stray.txt", "labels/train/c.txt"])
def test_an_extra_file_is_caught(key: str, name: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    write_atomic(tmp_path / key / name, b"x")
    assert f"{name}: a file that was not meant" in check(key, tmp_path, samples).problems


@every_format
def test_what_trainers_leave_behind_is_no_fault(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    for name in ("labels/train.cache", ".DS_Store", "images/Thumbs.db"):
        write_atomic(tmp_path / key / name, b"x")
    assert check(key, tmp_path, samples).ok


@every_format
def test_a_missing_image_is_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    FORMATS[key].image_path(tmp_path / key, samples[0]).unlink()
    assert "a.png: the image is missing" in check(key, tmp_path, samples).problems


@every_format
def test_an_image_of_another_size_is_caught(key: str, samples: list[Sample], tmp_path: Path) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    path = FORMATS[key].image_path(tmp_path / key, samples[0])
    path.unlink()
    picture(path, 48, 64)
    assert "a.png: the image is 48 x 64 pixels, not 64 x 48" in check(key, tmp_path, samples).problems
    path.write_bytes(b"")
    assert "a.png: the image is the file is empty, not 64 x 48" in check(key, tmp_path, samples).problems


Edit = Callable[[str], str]


@pytest.mark.parametrize(
    ("key", "file", "edit", "problem"),
    [
        (
            "voc",
            "Annotations/a.xml",
            lambda t: t.replace("<width>64", "<width>65"),
            "the size its labels tell is 65 x 48",
        ),
        ("voc", "Annotations/a.xml", lambda t: t.replace("<filename>a", "<filename>b"), "names another file"),
        (
            "voc",
            "Annotations/a.xml",
            lambda t: t.replace("<truncated>0", "<truncated>1", 1),
            "truncated is told differently",
        ),
        ("voc", "Annotations/a.xml", lambda t: t[:-20], "ParseError"),
        ("voc", "Annotations/a.xml", lambda t: t.replace("<xmin>", "<left>").replace("</xmin>", "</left>"), "xmin"),
        ("yolo", "labels/train/a.txt", lambda t: t.replace("\n", " 0.9\n", 1), "line 1: 5 numbers"),
        ("yolo", "labels/train/a.txt", lambda t: t.replace("0 ", "nan ", 1), "line 1: "),
        ("yolo", "labels/train/a.txt", lambda t: "-1" + t[1:], "class id -1"),
        ("yolo", "labels/train/a.txt", lambda t: "9" + t[1:], "line 1: "),
        ("yolo", "data.yaml", lambda t: "[", "cannot be read back"),
        ("yolo", "data.yaml", lambda t: t.replace("0:", "1:", 1), "cannot be read back"),
        ("coco", "annotations/instances_train.json", lambda t: re.sub('"width":64', '"width":65', t), "65 x 48"),
        ("coco", "annotations/instances_train.json", lambda t: t.replace('"iscrowd":0', '"iscrowd":1', 1), "iscrowd"),
        ("coco", "annotations/instances_train.json", lambda t: t[:-9], "cannot be read back"),
        ("coco", "annotations/instances_train.json", lambda t: t.replace('"id":4,"name"', '"id":5,"name"'), ""),
        (
            "folders",
            "classes.json",
            lambda t: t.replace(f'"name": "{TAGS[0]}"', '"name": "other"'),
            "its class is 'other'",
        ),
    ],
)
def test_an_edited_file_is_caught(
    key: str, file: str, edit: Edit, problem: str, samples: list[Sample], tmp_path: Path
) -> None:
    write(key, tmp_path / key, samples, CLASSES)
    path = tmp_path / key / file
    text = path.read_text(encoding="utf-8")
    assert edit(text) != text
    path.write_text(edit(text), encoding="utf-8")
    part = check(key, tmp_path, samples)
    assert not part.ok and any(problem in p for p in part.problems), part.problems


@pytest.mark.parametrize("kind", ["SegmentationClass", "SegmentationObject"])
def test_a_changed_mask_pixel_is_caught(kind: str, samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "voc", samples, CLASSES)
    path = tmp_path / "voc" / kind / "a.png"
    with Image.open(path) as image:
        image.load()
        image.putpixel((25, 25), 2)
        image.save(path)
    assert not check("voc", tmp_path, samples).ok


def test_a_missing_mask_is_caught(samples: list[Sample], tmp_path: Path) -> None:
    write("voc", tmp_path / "voc", samples, CLASSES)
    for kind in ("SegmentationClass", "SegmentationObject"):
        (tmp_path / "voc" / kind / "a.png").unlink()
    problems = check("voc", tmp_path, samples).problems
    assert f"a.png: region 6 ({LABELS[3]!r}): its mask is missing" in problems


def test_vertices_in_another_order_are_caught(samples: list[Sample], tmp_path: Path) -> None:
    star = ((5.0, 5.0), (40.0, 6.0), (30.0, 40.0), (20.0, 12.0))
    crossed = (star[0], star[2], star[1], star[3])
    for key in ("coco", "yolo-seg"):
        meant, wrong = (replace(samples[0], regions=(Region("1", LABELS[0], Polygon((r,))),)) for r in (star, crossed))
        write(key, tmp_path / key, [wrong], CLASSES)
        assert not check(key, tmp_path, [meant]).ok


def test_problems_are_counted_in_full_and_twenty_are_told(tmp_path: Path) -> None:
    source = picture(tmp_path / "a.png")
    samples = [sample(source, name=f"{k}.png") for k in range(50)]
    write("yolo", tmp_path / "yolo", samples, CLASSES)
    for k in range(50):
        (tmp_path / f"yolo/labels/train/{k}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    part = check("yolo", tmp_path, samples)
    assert (len(part.problems), part.faults) == (20, 50)
    json.dumps(part.problems)
