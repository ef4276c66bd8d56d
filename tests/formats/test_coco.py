"""COCO: what is written, read by pycocotools, and foreign files as they are found."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as packed
from pycocotools.coco import COCO as Api
from written import LABELS, box, picture, sample, write

from backend.core import rle
from backend.core.credit import Credit, Terms
from backend.core.errors import UsageError
from backend.core.model import Box, Mask, Origin, Polygon, Region, RotatedBox, Sample, Skipped
from backend.formats.base import Classes
from backend.formats.coco import COCO

Json = dict[str, Any]


def foreign(folder: Path, **changes: Any) -> list[Sample | Skipped]:
    """Return what a small foreign file reads as; `changes` replace its lists."""
    document: Json = {
        "images": [{"id": 7, "file_name": "a.png", "width": 64, "height": 48}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 2, 10, 20]}],
        "categories": [{"id": 90, "name": "개"}, {"id": 3, "name": "cat / x"}],
        **changes,
    }
    picture(folder / "images" / "a.png")
    place = folder / "annotations" / "instances_default.json"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"\xef\xbb\xbf" + json.dumps(document).encode())
    return list(COCO.open(folder).samples)


def annotated(folder: Path, **fields: Any) -> Sample:
    (item,) = foreign(
        folder, annotations=[{"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 2, 10, 20], **fields}]
    )
    assert isinstance(item, Sample)
    return item


def test_pycocotools_reads_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = np.zeros((48, 64), dtype=bool)
    pixels[3:9, 4:30] = True
    source = picture(tmp_path / "source.png")
    polygon = Polygon((((1, 1), (9, 1), (9, 9)), ((20, 20), (30, 20), (30, 30))))
    samples = [
        sample(source, box(1, LABELS[1], 1.25, 2, 10, 20), name="a.png"),
        sample(source, name="b.png", split="val"),
        sample(
            source,
            Region("m", LABELS[0], rle.encode(pixels), attributes=(("iscrowd", 1),)),
            Region("p", LABELS[2], polygon, 0.5, (("truncated", 1), ("control", "poly"))),
            name="c.png",
        ),
    ]
    write("coco", tmp_path / "coco", samples, Classes(LABELS))
    train, val = (Api(str(tmp_path / f"coco/annotations/instances_{split}.json")) for split in ("train", "val"))
    assert [c["name"] for c in train.loadCats(train.getCatIds())] == list(LABELS)
    assert train.getCatIds() == val.getCatIds() == [1, 2, 3, 4]
    assert [i["id"] for i in train.dataset["images"]] == [1, 3] and val.getImgIds() == [2]
    assert [(a["id"], a["image_id"], a["category_id"]) for a in train.dataset["annotations"]] == [
        (1, 1, 2),
        (2, 3, 1),
        (3, 3, 3),
    ]
    plain, mask, outline = train.dataset["annotations"]
    assert (plain["bbox"], plain["area"], plain["segmentation"], plain["iscrowd"]) == (
        [1.25, 2, 8.75, 18],
        157.5,
        [],
        0,
    )
    assert (train.annToMask(mask).astype(bool) == pixels).all()
    assert (mask["area"], mask["iscrowd"], mask["bbox"]) == (6 * 26, 1, [4, 3, 26, 6])
    assert outline["segmentation"] == [[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30]]
    assert (outline["area"], outline["attributes"], outline["score"]) == (82, {"truncated": 1}, 0.5)
    assert "Done" in capsys.readouterr().out


def test_shapes_come_back(tmp_path: Path) -> None:
    pixels = np.eye(48, 64, dtype=bool)
    regions = (
        Region("1", "x", rle.encode(pixels), attributes=(("iscrowd", 1),)),
        Region("2", "x", Polygon((((1.5, 1), (9, 1), (9, 9.25)),)), 0.25, (("truncated", 1),)),
        Region("3", "x", Box(0, 0, 64, 48)),
    )
    write("coco", tmp_path / "coco", [sample(picture(tmp_path / "a.png"), *regions)], Classes(("x",)))
    (got,) = COCO.open(tmp_path / "coco").samples
    assert isinstance(got, Sample) and got.regions == regions


def test_a_rotated_box_becomes_its_corners_and_is_counted(tmp_path: Path) -> None:
    meant = sample(picture(tmp_path / "a.png"), Region("1", "x", RotatedBox(30, 20, 20, 10, 30)))
    losses = write("coco", tmp_path / "coco", [meant], Classes(("x",)))
    assert losses == {"rotated box written as a polygon": 1}


def test_sparse_ids_keep_the_order_of_the_file(tmp_path: Path) -> None:
    (item,) = foreign(tmp_path)
    assert COCO.open(tmp_path).labels == ("개", "cat / x")
    assert isinstance(item, Sample)
    assert [(r.label, r.shape) for r in item.regions] == [("개", Box(1, 2, 11, 22))]


@pytest.mark.parametrize("counts", ["list", "string", "bytes-like"])
def test_run_lengths_as_list_or_string(counts: str, tmp_path: Path) -> None:
    pixels = np.zeros((48, 64), dtype=bool)
    pixels[5:9, 7:20] = True
    told: Any = list(rle.encode(pixels).counts)
    if counts != "list":
        told = packed.encode(np.asfortranarray(pixels.astype(np.uint8)))["counts"].decode()
    item = annotated(tmp_path, segmentation={"size": [48, 64], "counts": told}, iscrowd=1)
    assert item.regions[0].shape == rle.encode(pixels)
    assert item.regions[0].attribute("iscrowd") == 1


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [48, 64], "counts": [1, 2, 3]},
        {"size": [48, 64], "counts": "garbage~~~~"},
        {"size": [48, 64], "counts": [-5, 48 * 64 + 5]},
        {"size": [48, 64]},
        {"size": [9, 9], "counts": [81]},
        {"counts": [81]},
    ],
)
def test_a_broken_mask_leaves_the_box(segmentation: Json, tmp_path: Path) -> None:
    item = annotated(tmp_path, segmentation=segmentation)
    assert item.regions[0].shape == Box(1, 2, 11, 22)
    assert "its box was taken" in item.notes[0]


@pytest.mark.parametrize("segmentation", [[1, 1, 9, 1, 9, 9], [[1, 1, 9, 1, 9, 9]], [[1, 1, 9, 1, 9, 9], [3, 3]]])
def test_outlines_in_any_form(segmentation: list[Any], tmp_path: Path) -> None:
    item = annotated(tmp_path, segmentation=segmentation)
    assert item.regions[0].shape == Polygon((((1, 1), (9, 1), (9, 9)),))


@pytest.mark.parametrize("segmentation", [None, [], [[]], "x", [[1, 2, 3, 4]]])
def test_without_an_outline_the_box_counts(segmentation: Any, tmp_path: Path) -> None:
    assert annotated(tmp_path, segmentation=segmentation).regions[0].shape == Box(1, 2, 11, 22)


@pytest.mark.parametrize(
    ("bbox", "note"),
    [
        ([1, 2, 0, 4], "1 x a region had no area and was left out"),
        ([1, 2, "x", 4], "1 x a region had coordinates that are no numbers and was left out"),
        ([float("nan"), 2, 3, 4], "1 x a region had coordinates that are no numbers and was left out"),
        ([1, 2, 3], "1 x a region had coordinates that are no numbers and was left out"),
        ([70, 2, 3, 4], "1 x a region lay outside the image and was left out"),
        ([], "1 x a region had neither a box nor an outline and was left out"),
    ],
)
def test_boxes_that_are_none(bbox: list[Any], note: str, tmp_path: Path) -> None:
    item = annotated(tmp_path, bbox=bbox)
    assert (item.regions, item.notes) == ((), (note,))


def test_a_polygon_beyond_the_frame_is_clipped_and_counted(tmp_path: Path) -> None:
    item = annotated(tmp_path, segmentation=[[-10, 0, 20, 0, 20, 10, -10, 10]])
    shape = item.regions[0].shape
    assert isinstance(shape, Polygon) and min(x for x, _ in shape.parts[0]) == 0
    assert item.notes == ("1 x a region reached beyond the frame and was clipped",)


def test_an_image_listed_twice_joins_its_regions(tmp_path: Path) -> None:
    images = [
        {"id": k, "file_name": name, "width": 64, "height": 48} for k, name in ((1, "a.png"), (2, "images/a.png"))
    ]
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 90, "bbox": [1, 2, 10, 20]},
        {"id": 1, "image_id": 2, "category_id": 90, "bbox": [1, 2, 10, 21]},
        {"id": 2, "image_id": 2, "category_id": 3, "bbox": [30, 2, 10, 20]},
    ]
    (item,) = foreign(tmp_path, images=images, annotations=annotations)
    assert isinstance(item, Sample)
    assert [r.label for r in item.regions] == ["개", "cat / x"]
    assert len({r.id for r in item.regions}) == 2
    assert item.notes == ("listed 2 times in annotations/instances_default.json: regions were joined",)


def test_images_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for place in ("day", "night"):
        picture(tmp_path / "images" / place / "1.png")
    images = [
        {"id": k, "file_name": f"{p}/1.png", "width": 64, "height": 48} for k, p in enumerate(("day", "night", "dusk"))
    ]
    items = foreign(tmp_path, images=images, annotations=[])
    assert [i.id for i in items if isinstance(i, Sample)] == ["images/day/1.png", "images/night/1.png"]
    assert [i.item for i in items if isinstance(i, Skipped)] == ["dusk/1.png", "images/a.png"]


def test_an_unknown_category_skips_the_image(tmp_path: Path) -> None:
    (item,) = foreign(tmp_path, categories=[])
    assert item == Skipped(
        "images/a.png", "category id 90 is not among the categories of annotations/instances_default.json"
    )


def test_names_cannot_lead_outside(tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.png")
    names = ("../secret.png", str(secret))
    images = [{"id": k, "file_name": name, "width": 64, "height": 48} for k, name in enumerate(names)]
    items = foreign(tmp_path / "set", images=images, annotations=[])
    assert all(isinstance(i, Skipped) for i in items) and len(items) == 3


def test_splits_come_from_file_or_folder_names(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        picture(tmp_path / split / f"{split}.png")
        document = {"images": [{"id": 1, "file_name": f"{split}.png"}], "annotations": [], "categories": []}
        (tmp_path / split / "_annotations.coco.json").write_text(json.dumps(document))
    assert [s.split for s in COCO.open(tmp_path).samples if isinstance(s, Sample)] == ["train", "val"]


def test_an_image_in_two_splits_is_read_once(tmp_path: Path) -> None:
    picture(tmp_path / "val2017" / "a.png")
    document = {"images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}], "annotations": []}
    for name in ("instances_train2017", "instances_val2017", "captions_val2017"):
        (tmp_path / "annotations").mkdir(exist_ok=True)
        (tmp_path / "annotations" / f"{name}.json").write_text(json.dumps(document))
    first, second = COCO.open(tmp_path).samples
    assert isinstance(first, Sample) and first.split == "train"
    assert second == Skipped(
        "val2017/a.png",
        "listed in annotations/instances_val2017.json, but already read from annotations/instances_train2017.json",
    )


@pytest.mark.parametrize("text", ['{"images": [', '{"images": [1], "annotations": {}}', '[{"images": []}]'])
def test_a_broken_file_is_named(text: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(UsageError, match=r"labels\.json"):
        COCO.open(tmp_path)


def test_entries_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    items = foreign(
        tmp_path, annotations=[None, 3, "x", {"image_id": 7}], images=["x", {"id": 7, "file_name": "a.png"}]
    )
    assert items == [
        Skipped("images/a.png", "category id None is not among the categories of annotations/instances_default.json")
    ]


def test_a_mask_covers_its_pixels_only(tmp_path: Path) -> None:
    item = annotated(tmp_path, segmentation={"size": [48, 64], "counts": [48 * 64]}, bbox=[1, 1, 5, 5])
    assert item.regions[0].shape == Box(1, 1, 6, 6) and not isinstance(item.regions[0].shape, Mask)


def test_an_image_id_given_twice_skips_both_images(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "b.png")
    picture(tmp_path / "images" / "c.png")
    images = [{"id": n, "file_name": f"{f}.png", "width": 64, "height": 48} for n, f in ((1, "a"), (1, "b"), (2, "c"))]
    items = foreign(tmp_path, images=images)
    assert [(i.item, i.reason) for i in items if isinstance(i, Skipped)] == [
        (f"images/{f}.png", "annotations/instances_default.json gives its id 1 to another image too") for f in "ab"
    ]
    assert [i.id for i in items if isinstance(i, Sample)] == ["images/c.png"]


def test_a_category_id_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="category id 1 means both 'r' and 'q'") as error:
        foreign(tmp_path, categories=[{"id": 1, "name": "r"}, {"id": 1, "name": "q"}])
    assert "instances_default.json" in str(error.value) and error.value.fix


def test_ids_that_are_lists_do_not_stop_the_run(tmp_path: Path) -> None:
    (item,) = foreign(
        tmp_path,
        images=[{"id": [1], "file_name": "a.png"}],
        annotations=[{"image_id": {}, "category_id": [3]}],
        categories=[{"id": [3], "name": "x"}],
    )
    assert isinstance(item, Sample) and not item.regions


def test_coordinates_beyond_all_reason_are_left_out_with_a_note(tmp_path: Path) -> None:
    item = annotated(tmp_path, segmentation=[[1e308, 1, 2, 3, 1e308, 5]])
    assert [type(region.shape) for region in item.regions] == [Box]
    assert item.notes == ("1 x a region had coordinates that are no numbers and was left out",)


def test_licences_are_listed_once_and_named_by_the_images_that_have_one(tmp_path: Path) -> None:
    source = picture(tmp_path / "source.png")
    free = Terms("by 4.0", "CC-BY-4.0", "https://cc.example/by", "api")
    given = [free, replace(free, raw="CC BY 4.0", confidence="page"), Terms(raw="© 김철수"), Terms(), None]
    samples = [
        replace(
            sample(source, name=f"{number}.png", split="val" if number == 1 else "train"),
            origin=Origin(credit=Credit(license=terms) if terms else None),
        )
        for number, terms in enumerate(given)
    ]
    write("coco", tmp_path / "coco", samples, Classes(LABELS))
    documents = [json.loads((tmp_path / f"coco/annotations/instances_{s}.json").read_bytes()) for s in ("train", "val")]
    listed = [
        {"id": 1, "name": "CC-BY-4.0", "url": "https://cc.example/by"},
        {"id": 2, "name": "© 김철수", "url": ""},
    ]
    assert [document["licenses"] for document in documents] == [listed, listed]
    numbers = {i["file_name"]: i.get("license") for document in documents for i in document["images"]}
    assert numbers == {"0.png": 1, "1.png": 1, "2.png": 2, "3.png": None, "4.png": None}
