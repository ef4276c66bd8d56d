"""Predicting with a model folder: frames, overlaps, files that are not what they should be."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import write_constant

from backend.core.errors import LabelLoomError, UsageError
from backend.core.model import Box
from backend.detect.base import FLOOR, Runtime
from backend.detect.candidates import AFTER
from backend.detect.model_dir import ONNX, Layout, ModelInfo, write_model
from backend.detect.onnx_model import open_model

LABELS = ("너구리", "흰 고양이")
WIDE = np.zeros((50, 100, 3), np.uint8)  # in 64 x 64: scale 0.64, 16 rows of padding above and below


def made(folder: Path, boxes: list[list[float]], scores: list[list[float]], **layout: object) -> ModelInfo:
    outputs = {"boxes": np.array([boxes], np.float32), "scores": np.array([scores], np.float32)}
    write_constant(folder / ONNX, outputs)
    wanted = Layout.model_validate({"kind": "labelloom", "size": (64, 64), "pad": 127, **layout})
    return write_model(folder, ModelInfo(detector="fewshot", version="fewshot-p1-v1", labels=LABELS, layout=wanted))


def found(folder: Path, info: ModelInfo, rgb: np.ndarray = WIDE) -> list[tuple[str, Box, float]]:
    (predicted,) = open_model(folder, info, Runtime()).predict([rgb])
    return [(r.label, r.shape, r.score) for r in predicted.regions]  # type: ignore[misc]


def test_boxes_come_back_in_pixels_of_the_image_surest_first(tmp_path: Path) -> None:
    info = made(tmp_path, [[0, 16, 32, 48], [32, 32, 64, 48]], [[0.2, 0.0], [0.0, 0.9]])
    first, second = found(tmp_path, info)
    assert (first[0], second[0]) == ("흰 고양이", "너구리")
    assert first[1] == Box(50, 25, 100, 50)
    assert second[1] == Box(0, 0, 50, 50)
    assert (first[2], second[2]) == pytest.approx((0.9, 0.2))


def test_a_stretched_frame_has_a_scale_for_each_side(tmp_path: Path) -> None:
    info = made(tmp_path, [[16, 16, 32, 64]], [[0.9, 0.0]], fit="stretch")
    assert found(tmp_path, info)[0][1] == Box(25, 12.5, 50, 50)


def test_the_less_sure_of_two_overlapping_boxes_goes_unless_its_label_differs(tmp_path: Path) -> None:
    overlapping = [[0, 20, 30, 40], [1, 20, 31, 40], [0, 20, 30, 40]]
    info = made(tmp_path, overlapping, [[0.6, 0.0], [0.8, 0.0], [0.0, 0.7]])
    assert [(label, round(score, 1)) for label, _, score in found(tmp_path, info)] == [
        ("너구리", 0.8),
        ("흰 고양이", 0.7),
    ]


def test_a_box_in_the_padding_or_below_the_floor_is_nothing(tmp_path: Path) -> None:
    info = made(tmp_path, [[0, 0, 30, 10], [0, 20, 30, 40]], [[0.9, 0.0], [FLOOR / 2, 0.0]])
    assert found(tmp_path, info) == []


def test_no_more_boxes_than_anybody_could_look_at(tmp_path: Path) -> None:
    boxes = [[x, 20 + y, x + 1, 21 + y] for x in range(50) for y in range(20)]
    info = made(tmp_path, boxes, [[0.5, 0.0]] * len(boxes))
    assert len(found(tmp_path, info)) == AFTER


def test_ids_are_the_same_every_time_and_differ_within_an_image(tmp_path: Path) -> None:
    info = made(tmp_path, [[0, 16, 32, 48], [0, 16, 32, 48]], [[0.9, 0.0], [0.0, 0.9]])
    detector = open_model(tmp_path, info, Runtime())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: detector.predict([WIDE])[0], range(40)))
    assert len(set(answers)) == 1
    ids = [region.id for region in answers[0].regions]
    assert len(set(ids)) == 2
    assert all(len(text) == 10 for text in ids)


@pytest.mark.parametrize(
    ("boxes", "scores", "said"),
    [
        ([[0, 0, float("nan"), 9]], [[0.9, 0.0]], "no numbers"),
        ([[0, 0, 9, 9]], [[float("nan"), 0.0]], "no numbers"),
        ([[0, 0, 9, 9]], [[17.0, 0.0]], "a score of 17"),
        ([[0, 0, 9, 9]], [[0.1, 0.2, 0.9]], "the class 2, but has 2 labels"),
        ([[0, 0, 9, 9], [0, 0, 9, 9]], [[0.9, 0.0]] * 3, "does not answer in the layout labelloom"),
    ],
)
def test_a_model_that_answers_nonsense_is_named(
    tmp_path: Path, boxes: list[list[float]], scores: list[list[float]], said: str
) -> None:
    info = made(tmp_path, boxes, scores)
    with pytest.raises(LabelLoomError, match=said) as caught:
        found(tmp_path, info)
    assert str(tmp_path / ONNX) in str(caught.value)


def test_a_model_that_fails_while_it_runs_is_named(tmp_path: Path) -> None:
    info = made(tmp_path, [[0, 0, 9, 9]], [[0.9, 0.0]])
    wrong = info.model_copy(update={"layout": info.layout.model_copy(update={"size": (32, 32)})})  # type: ignore[union-attr]
    with pytest.raises(LabelLoomError, match=r"model\.onnx failed on an image"):
        found(tmp_path, wrong)


def test_a_file_that_was_changed_is_not_loaded(tmp_path: Path) -> None:
    info = made(tmp_path, [[0, 0, 9, 9]], [[0.9, 0.0]])
    with (tmp_path / ONNX).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UsageError, match="not what it was"):
        open_model(tmp_path, info, Runtime())


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / ONNX).write_bytes(b"not a model at all")
    info = ModelInfo(detector="fewshot", version="v1", labels=LABELS, layout=Layout(kind="labelloom"))
    with pytest.raises(LabelLoomError, match=r"model\.onnx cannot be loaded"):
        open_model(tmp_path, write_model(tmp_path, info), Runtime())


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    info = write_model(tmp_path, ModelInfo(detector="onnx", version="v1", labels=LABELS, layout=Layout(kind="odd")))
    with pytest.raises(UsageError, match="'odd'"):
        open_model(tmp_path, info, Runtime())


def test_a_device_that_is_not_there_is_told(tmp_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    info = made(tmp_path, [[0, 20, 9, 30]], [[0.9, 0.0]])
    with pytest.raises(LabelLoomError, match="no CUDA") as caught:
        open_model(tmp_path, info, Runtime(device="cuda"))
    assert "onnxruntime-gpu" in (caught.value.fix or "")
    assert open_model(tmp_path, info, Runtime(device="auto")).predict([WIDE])[0].regions


def test_pixels_are_scaled_channel_by_channel(tmp_path: Path) -> None:
    """A model that gives its input back as scores shows what it was fed."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Reshape", ["means", "shape"], ["scores"]),
        helper.make_node("Identity", ["one"], ["boxes"]),
    ]
    values = [
        numpy_helper.from_array(np.array([1, 1, 3]), "shape"),
        numpy_helper.from_array(np.array([[[0, 0, 8, 8]]], np.float32), "one"),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 8, 8])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("boxes", "scores")]
    graph = helper.make_graph(nodes, "g", [images], outputs, values)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / ONNX)
    layout = Layout(kind="labelloom", size=(8, 8), scale=0.01, mean=(0.1, 0.2, 0.3), std=(2.0, 4.0, 5.0))
    info = write_model(tmp_path, ModelInfo(detector="onnx", version="v1", labels=("r", "g", "b"), layout=layout))
    rgb = np.full((8, 8, 3), (110, 180, 230), np.uint8)
    (predicted,) = open_model(tmp_path, info, Runtime()).predict([rgb])
    scores = {region.label: region.score for region in predicted.regions}
    assert scores == pytest.approx({"r": 0.5, "g": 0.4, "b": 0.4}, abs=1e-5)
