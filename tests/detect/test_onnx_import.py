"""Exported detectors of any make: what their outputs mean, in pixels of images that are no squares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import write_constant

from backend.core.errors import LabelLoomError, UsageError
from backend.core.geometry import tight_box
from backend.core.model import Box, Polygon, RotatedBox
from backend.detect.base import Runtime
from backend.detect.label_list import read_labels
from backend.detect.model_dir import ONNX, check_files
from backend.detect.onnx_file import has_external_data
from backend.detect.onnx_import import make
from backend.detect.onnx_layouts import LAYOUTS
from backend.detect.onnx_model import open_model

LABELS = ["붉은 곰", "cat", "개 한 마리"]
WIDE = np.zeros((100, 200, 3), np.uint8)  # in a letterbox of 64 x 64: scale 0.32, 16 rows of padding above and below
N = 40
CELLS = 3 * (8 * 8 + 4 * 4 + 2 * 2)  # boxes of a YOLOv5 with an input of 64 x 64

Arrays = dict[str, np.ndarray[Any, Any]]


def rows(width: int, *first: list[float], count: int = N) -> np.ndarray[Any, Any]:
    """Return (1, count, width) zeros that begin with these rows."""
    made = np.zeros((1, count, width), np.float32)
    for number, row in enumerate(first):
        made[0, number, : len(row)] = row
    return made


# Each says of the same box, in its own way: label 1 with score 0.8, x 50..150 and y 25..75 of WIDE.
# Letterboxed that is x 16..48, y 24..40 of 64 x 64 (centre 32, 32; 32 x 16); stretched x 16..48, y 16..48.
CASES: dict[str, Arrays] = {
    "labelloom": {"boxes": rows(4, [16, 24, 48, 40]), "scores": rows(3, [0, 0.8, 0])},
    "yolov5": {"output0": rows(8, [32, 32, 32, 16, 0.9, 0, 0.8 / 0.9, 0], count=CELLS)},
    "yolov8": {"output0": rows(7, [32, 32, 32, 16, 0, 0.8, 0]).transpose(0, 2, 1)},
    "yolo-obb": {"output0": rows(8, [32, 32, 32, 16, 0, 0.8, 0, 0.5]).transpose(0, 2, 1)},
    "yolo-seg": {
        "output0": rows(9, [32, 32, 32, 16, 0, 0.8, 0, 1, 0.5]).transpose(0, 2, 1),
        "output1": np.stack([np.full((16, 16), 1.0), np.full((16, 16), -1.0)])[None].astype(np.float32),
    },
    "yolo-end2end": {"output0": rows(6, [16, 24, 48, 40, 0.8, 1])},
    "rtdetr": {
        "logits": np.concatenate([np.full((1, 1, 3), -20.0), np.full((1, 9, 3), -20.0)], 1).astype(np.float32)
        + rows(3, [0, 20 + np.log(4), 0], count=10),
        "pred_boxes": rows(4, [0.5, 0.5, 0.5, 0.5], count=10),
    },
    "rtdetr-joined": {"output0": rows(7, [0.5, 0.5, 0.5, 0.5, 0, 0.8, 0])},
    "rtdetr-listed": {
        "labels": np.array([[1, 0]], np.int64),
        "boxes": np.array([[[16, 16, 48, 48], [0, 0, 9, 9]]], np.float32),
        "scores": np.array([[0.8, 0.01]], np.float32),
    },
    "detr": {
        "logits": np.log(np.array([[[0.1, 0.8, 0.05, 0.05], [0.0001, 0.0001, 0.0001, 0.9997]]], np.float32)),
        "pred_boxes": np.array([[[0.5, 0.5, 0.5, 0.5], [0.1, 0.1, 0.1, 0.1]]], np.float32),
    },
    "torchvision": {
        "4051": np.array([[16, 24, 48, 40], [0, 0, 5, 5]], np.float32),
        "4052": np.array([2, 1], np.int64),  # class 0 is the background
        "4053": np.array([0.8, 0.01], np.float32),
    },
}


def imported(tmp_path: Path, outputs: Mapping[str, Any], labels: list[str] = LABELS, **options: Any) -> Path:
    """Import a constant model and return its folder."""
    extra = {"orig_target_sizes": (1, 2)} if options.pop("sizes", False) else None
    path = write_constant(tmp_path / "내 모델.onnx", outputs, extra=extra, shape=options.pop("shape", (1, 3, 64, 64)))
    folder = tmp_path / "model folder"
    folder.mkdir()
    make({"path": str(path), "labels": labels, **options}, folder)
    return folder


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised_and_its_box_found_where_it_is(name: str, tmp_path: Path) -> None:
    told = {"layout": name} if LAYOUTS[name].alike else {}
    folder = imported(tmp_path, CASES[name], sizes=name == "rtdetr-listed", **told)
    info = check_files(folder)
    assert info.layout is not None
    assert (info.layout.kind, info.detector, info.version) == (name, "onnx", "untitled")
    (predicted,) = open_model(folder, info, Runtime()).predict([WIDE])
    best = predicted.regions[0]
    assert best.label == "cat"
    assert best.score == pytest.approx(0.8, abs=1e-4)
    if isinstance(best.shape, RotatedBox):
        got = (best.shape.cx, best.shape.cy, best.shape.width, best.shape.height, best.shape.angle)
        assert got == pytest.approx((100, 50, 100, 50, np.degrees(0.5)))
    else:
        assert isinstance(best.shape, Polygon if name == "yolo-seg" else Box)
        around = tight_box(best.shape)
        assert around is not None
        corners = (around.x0, around.y0, around.x1, around.y1)
        assert corners == pytest.approx((50, 25, 150, 75), abs=1e-3)
    others = [r for r in predicted.regions[1:] if (r.score or 0) > 0.11]
    assert others == []


def test_turned_boxes_of_one_label_that_overlap_are_cleared_away(tmp_path: Path) -> None:
    columns = rows(8, [32, 32, 32, 8, 0.9, 0, 0, 0.5], [32, 33, 32, 8, 0.7, 0, 0, 0.5], [32, 32, 32, 8, 0, 0.6, 0, 0.5])
    folder = imported(tmp_path, {"output0": columns.transpose(0, 2, 1)}, layout="yolo-obb")
    (predicted,) = open_model(folder, check_files(folder), Runtime()).predict([WIDE])
    assert [(r.label, round(r.score or 0, 1)) for r in predicted.regions] == [("붉은 곰", 0.9), ("cat", 0.6)]


def test_an_outline_follows_the_masks_and_stays_in_its_box(tmp_path: Path) -> None:
    masks = np.full((1, 2, 16, 16), -1.0, np.float32)
    masks[0, 0, 7:9, :] = 1.0  # a bar across the input, y 28 to 36 of 64
    masks[0, 1] = 0.0
    columns = rows(9, [32, 32, 32, 24, 0, 0.8, 0, 1, 0.5]).transpose(0, 2, 1)
    folder = imported(tmp_path, {"output1": masks, "output0": columns})
    (predicted,) = open_model(folder, check_files(folder), Runtime()).predict([WIDE])
    (region,) = predicted.regions
    around = tight_box(region.shape)
    assert isinstance(region.shape, Polygon) and around is not None
    assert (around.x0, around.x1) == (50, 150)
    assert (around.y0, around.y1) == pytest.approx((37.5, 62.5), abs=4)


def test_one_label_with_objectness_is_told_from_suppressed_rows_by_their_number(tmp_path: Path) -> None:
    folder = imported(tmp_path, {"output0": rows(6, [32, 32, 32, 16, 0.5, 1.0], count=CELLS)}, ["곰"])
    info = check_files(folder)
    assert info.layout is not None and info.layout.kind == "yolov5"


def test_a_torchvision_graph_takes_one_image_without_a_batch(tmp_path: Path) -> None:
    folder = imported(tmp_path, CASES["torchvision"], ["__background__", *LABELS], shape=(3, 64, 64))
    info = check_files(folder)
    assert info.labels == tuple(LABELS)
    assert open_model(folder, info, Runtime()).predict([WIDE])[0].regions[0].label == "cat"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".labels.txt", "\ufeff붉은 곰\r\ncat\r\n개 한 마리\r\n\r\n"),
        (".labels.json", '["붉은 곰", "cat", "개 한 마리"]'),
        (".labels.json", '{"2": "개 한 마리", "0": "붉은 곰", "1": "cat"}'),
        (".labels.yaml", "path: data\nnames:\n  0: 붉은 곰\n  1: cat\n  2: 개 한 마리\n"),
        (".labels.yml", "names: [붉은 곰, cat, 개 한 마리]"),
    ],
)
def test_labels_lie_beside_the_model(suffix: str, text: str, tmp_path: Path) -> None:
    path = write_constant(tmp_path / "best.v2.onnx", CASES["yolov8"], metadata={"names": "{0: 'a', 1: 'b', 2: 'c'}"})
    (tmp_path / f"best.v2{suffix}").write_text(text)
    (tmp_path / "out").mkdir()
    assert make({"path": path}, tmp_path / "out").labels == tuple(LABELS)


def test_the_exporters_own_labels_and_size_do_where_there_is_nothing_beside(tmp_path: Path) -> None:
    metadata = {"names": "{0: '붉은 곰', 1: 'cat', 2: \"it's\"}", "imgsz": "[32, 96]"}
    path = write_constant(tmp_path / "best.onnx", CASES["yolov8"], shape=("n", 3, "h", "w"), metadata=metadata)
    (tmp_path / "out").mkdir()
    info = make({"path": path}, tmp_path / "out")
    assert info.labels == ("붉은 곰", "cat", "it's")
    assert info.layout is not None and info.layout.size == (96, 32)


def test_the_exporters_own_task_tells_turned_boxes(tmp_path: Path) -> None:
    metadata = {"names": "{0: 'a', 1: 'b', 2: 'c'}", "task": "obb"}
    path = write_constant(tmp_path / "best.onnx", CASES["yolo-obb"], metadata=metadata)
    (tmp_path / "out").mkdir()
    layout = make({"path": path}, tmp_path / "out").layout
    assert layout is not None and layout.kind == "yolo-obb"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no labels"),
        ("cat\ncat\n", "'cat' is there twice"),
        ("cat\n\ndog\n", "the label 1 is ''"),
    ],
)
def test_a_label_list_that_cannot_be_one_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.labels.txt").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_labels(tmp_path / "m.labels.txt")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("m.json", '{"1": "a", "2": "b"}', "0 is missing"),
        ("m.json", "[1, 2]", "the label 0 is 1"),
        ("m.json", "[" * 100_000, "cannot be read"),
        ("m.yaml", "a: [", "cannot be read"),
        ("m.yaml", "7", "no list of labels"),
    ],
)
def test_a_label_document_that_cannot_be_one_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(
    ("outputs", "options", "said"),
    [
        (CASES["yolov8"], {"labels": LABELS[:2]}, r"yolov8 with 3 labels"),
        ({"masks": np.zeros((1, 3, 8, 8), np.float32)}, {}, r"masks \(1, 3, 8, 8\) float32\) are of no known layout"),
        ({"output0": rows(6)}, {"labels": ["a", "b"]}, "yolo-end2end or rtdetr-joined"),
        (CASES["rtdetr"], {"labels": LABELS[:2]}, r"rtdetr with 3 labels"),
        (CASES["yolo-obb"], {"layout": "yolo-obb", "labels": LABELS[:2]}, "hold 3 labels in the layout yolo-obb"),
        (CASES["yolov8"], {"layout": "detr"}, "are not of the layout detr"),
        (CASES["yolov8"], {"layout": "yolo99"}, "no layout 'yolo99'"),
        (CASES["yolov8"], {"fit": "squeeze"}, "the option fit"),
        (CASES["yolov8"], {"treshold": 0.4}, "the option treshold"),
        (CASES["yolov8"], {"labels": None}, "nothing tells the labels"),
        ({"output0": rows(6, [0, 0, 9, 9, 0.9, 7])}, {}, "the class 7, but has 3 labels"),
        ({"output0": rows(6, [0, 0, 9, 9, 88, 1])}, {}, "a score of 88"),
        (CASES["yolov8"], {"shape": ("n", 3, "h", "w")}, "images of any size"),
        (CASES["yolov8"], {"size": (32, 32)}, "failed on an image"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_found(
    outputs: Arrays, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(LabelLoomError, match=said) as caught:
        imported(tmp_path, outputs, **options)
    assert caught.value.fix


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    for name, data in {"photo.jpg": b"\xff\xd8\xff\xe0" * 100, "text.onnx": b"hello", "gone.onnx": None}.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(LabelLoomError, match=name.split(".")[0]):
            make({"path": tmp_path / name, "labels": LABELS}, tmp_path)


@pytest.mark.parametrize("nested", [False, True])
def test_values_in_another_file_are_refused(nested: bool, tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "secret")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    tensor.ClearField("raw_data")
    inner = helper.make_graph([helper.make_node("Constant", [], ["x"], value=tensor)], "inner", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([node] if nested else [], "g", [], [], [] if nested else [tensor])
    path = tmp_path / "outside.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(UsageError, match="keeps its values in other files"):
        make({"path": path, "labels": LABELS}, tmp_path)
    tensor.ClearField("external_data")
    tensor.data_location = TensorProto.DEFAULT
    assert not has_external_data(
        onnx.ModelProto(graph=helper.make_graph([], "location", [], [], [tensor])).SerializeToString()
    )


def test_a_model_that_is_too_large_is_refused(tmp_path: Path) -> None:
    from backend.detect import onnx_import

    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(onnx_import.LARGEST + 1)
    with pytest.raises(UsageError, match="more than the 1024 MiB"):
        make({"path": tmp_path / "huge.onnx", "labels": LABELS}, tmp_path)
    assert not (tmp_path / ONNX).exists()
