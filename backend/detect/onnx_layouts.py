"""What the outputs of exported detectors mean. One line in `LAYOUTS` makes a new one.

A decoder takes the outputs of one image, by name, and gives candidates in pixels of the model's input. `classes` tells
from names and shapes whether outputs can be of that layout at all, so that a file need not say which it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.detect.base import FLOOR
from backend.detect.candidates import Candidates, Floats, dense

Outputs = Mapping[str, NDArray[Any]]
Size = tuple[int, int]
_CHOSEN = 1000  # rows at most, of models that choose: 300 is usual
ANY = 0  # these outputs tell nothing about the number of classes

_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True, slots=True)
class LayoutKind:
    """A family of exported detectors.

    decode: (outputs, (width, height) of the input) -> candidates. classes: how many classes outputs of these shapes
    have in this layout, ANY, or None: they are not of it. frame: how such a model usually wants its images, as fields
    of `model_dir.Layout`. alike: another layout looks the same but for one label more or less, so this one has to be
    asked for by name (a label list that lacks a line shall be refused, not make another layout fit).
    """

    name: str
    summary: str
    decode: Callable[[Outputs, Size], Candidates]
    classes: Callable[[Outputs, Size], int | None]
    frame: Mapping[str, Any] = field(default_factory=dict)
    alike: bool = False


def _one(outputs: Outputs) -> NDArray[Any] | None:
    """Return a model's only output, if its shape is (1, A, B)."""
    values = list(outputs.values())
    return values[0] if len(values) == 1 and values[0].ndim == 3 and values[0].shape[0] == 1 else None


def _corners(boxes: Floats) -> Floats:
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _anchors(size: Size) -> int:
    """Return how many boxes a YOLOv5 gives for an input: three a cell, at strides 8, 16 and 32."""
    return 3 * sum((size[0] // stride) * (size[1] // stride) for stride in (8, 16, 32))


def _many(rows: int, size: Size) -> bool:
    """Return whether that many boxes are those of all cells, not the few that a model has chosen."""
    return rows in (_anchors(size), _anchors(size) // 3) or rows > _CHOSEN


def _labelloom(outputs: Outputs, _: Size) -> Candidates:
    return dense(outputs["boxes"][0], outputs["scores"][0])


def _labelloom_classes(outputs: Outputs, _: Size) -> int | None:
    if set(outputs) != {"boxes", "scores"}:
        return None
    boxes, scores = outputs["boxes"], outputs["scores"]
    fits = boxes.ndim == scores.ndim == 3 and boxes.shape[:2] == scores.shape[:2] and boxes.shape[2] == 4
    return scores.shape[2] if fits else None


def _yolov5(outputs: Outputs, _: Size) -> Candidates:
    (rows,) = (value[0] for value in outputs.values())
    return dense(_corners(rows[:, :4]), rows[:, 4:5] * rows[:, 5:])


def _yolov5_classes(outputs: Outputs, size: Size) -> int | None:
    value = _one(outputs)
    if value is None or value.shape[2] < 6 or not _many(value.shape[1], size):
        return None
    # with one class a row has six numbers, as it has after suppression: the number of rows tells which it is
    return None if value.shape[2] == 6 and value.shape[1] != _anchors(size) else value.shape[2] - 5


def _yolov8(outputs: Outputs, _: Size) -> Candidates:
    (columns,) = (value[0] for value in outputs.values())
    return dense(_corners(columns[:4].T), columns[4:].T)


def _yolov8_classes(outputs: Outputs, _: Size) -> int | None:
    value = _one(outputs)
    return value.shape[1] - 4 if value is not None and value.shape[2] > value.shape[1] >= 5 else None


def _turned(outputs: Outputs, _: Size) -> Candidates:
    (columns,) = (value[0] for value in outputs.values())
    boxes = np.concatenate([columns[:4].T, np.degrees(columns[-1:].T)], axis=1)
    return dense(boxes, columns[4:-1].T)


def _turned_classes(outputs: Outputs, size: Size) -> int | None:
    classes = _yolov8_classes(outputs, size)
    return classes - 1 if classes is not None and classes > 1 else None


def _parts(outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return a segmenting YOLO's columns (1, 4 + C + M, N) and masks (1, M, height, width)."""
    columns = [value for value in outputs.values() if value.ndim == 3]
    masks = [value for value in outputs.values() if value.ndim == 4]
    return (columns[0], masks[0]) if len(columns) == len(masks) == 1 and len(outputs) == 2 else None


def _outlined(outputs: Outputs, size: Size) -> Candidates:
    parts = _parts(outputs)
    if parts is None:
        msg = "columns and masks are not to be told apart"
        raise ValueError(msg)
    columns, masks = parts[0][0], parts[1][0]
    scores = columns[4 : -len(masks)].T
    rows, classes = np.nonzero(scores >= FLOOR)
    boxes = _corners(columns[:4].T)[rows]
    return Candidates(boxes, scores[rows, classes], classes.astype(np.int64), columns[-len(masks) :].T[rows], masks)


def _outlined_classes(outputs: Outputs, size: Size) -> int | None:
    parts = _parts(outputs)
    fits = parts is not None and parts[0].shape[2] > parts[0].shape[1] > 4 + parts[1].shape[1]
    return parts[0].shape[1] - 4 - parts[1].shape[1] if parts is not None and fits else None


def _end_to_end(outputs: Outputs, _: Size) -> Candidates:
    (rows,) = (value[0] for value in outputs.values())
    return Candidates(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))


def _end_to_end_classes(outputs: Outputs, size: Size) -> int | None:
    value = _one(outputs)
    return ANY if value is not None and value.shape[2] == 6 and value.shape[1] != _anchors(size) else None


def _scaled(boxes: Floats, size: Size) -> Floats:
    return _corners(boxes) * np.array(size * 2, np.float32)


def _sigmoid(values: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(values, -60, 60)))).astype(np.float32)


def _rtdetr(outputs: Outputs, size: Size) -> Candidates:
    return dense(_scaled(outputs["pred_boxes"][0], size), _sigmoid(outputs["logits"][0]))


def _queries(outputs: Outputs) -> int | None:
    """Return the number of columns of a DETR's logits."""
    if not {"logits", "pred_boxes"} <= set(outputs):
        return None
    logits, boxes = outputs["logits"], outputs["pred_boxes"]
    fits = logits.ndim == boxes.ndim == 3 and logits.shape[:2] == boxes.shape[:2] and boxes.shape[2] == 4
    return logits.shape[2] if fits else None


def _detr(outputs: Outputs, size: Size) -> Candidates:
    logits = outputs["logits"][0]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return dense(_scaled(outputs["pred_boxes"][0], size), (powers / powers.sum(axis=1, keepdims=True))[:, :-1])


def _rtdetr_joined(outputs: Outputs, size: Size) -> Candidates:
    (rows,) = (value[0] for value in outputs.values())
    return dense(_scaled(rows[:, :4], size), rows[:, 4:])


def _joined_classes(outputs: Outputs, size: Size) -> int | None:
    value = _one(outputs)
    fits = value is not None and value.shape[2] >= 5 and not _many(value.shape[1], size)
    return value.shape[2] - 4 if value is not None and fits else None


def _listed_parts(outputs: Outputs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Return boxes, scores and classes by their names, or, as exports often number them, by shape and type."""
    if {"boxes", "scores", "labels"} <= set(outputs):
        return outputs["boxes"], outputs["scores"], outputs["labels"]
    values = list(outputs.values())
    boxes = [value for value in values if value.ndim > 1 and value.shape[-1] == 4 and value.dtype.kind == "f"]
    if len(values) != 3 or len(boxes) != 1:
        return None
    flat = [value for value in values if value is not boxes[0]]
    scores = [value for value in flat if value.dtype.kind == "f"]
    labels = [value for value in flat if value.dtype.kind in "iu"]
    return (boxes[0], scores[0], labels[0]) if len(scores) == len(labels) == 1 else None


def _listed(outputs: Outputs, _: Size) -> Candidates:
    parts = _listed_parts(outputs)
    if parts is None:
        msg = "boxes, scores and labels are not to be told apart"
        raise ValueError(msg)
    boxes, scores, labels = parts
    return Candidates(boxes.reshape(-1, 4), scores.reshape(-1), labels.reshape(-1).astype(np.int64))


def _listed_classes(rank: int) -> Callable[[Outputs, Size], int | None]:
    def classes(outputs: Outputs, _: Size) -> int | None:
        boxes, scores, labels = _listed_parts(outputs) or (np.zeros(0),) * 3
        fits = labels.ndim == scores.ndim == rank and boxes.ndim == rank + 1 and boxes.shape[-1] == 4
        return ANY if fits else None

    return classes


def _detr_classes(outputs: Outputs, _: Size) -> int | None:
    columns = _queries(outputs)
    return columns - 1 if columns else None


_STRETCHED = {"fit": "stretch", "nms": None}

LAYOUTS: dict[str, LayoutKind] = {
    kind.name: kind
    for kind in (
        LayoutKind(
            "labelloom",
            "what this program trains: boxes (1, P, 4), scores (1, P, C)",
            _labelloom,
            _labelloom_classes,
            {"pad": 127, "scale": 1 / 127.5, "mean": (1.0, 1.0, 1.0)},
        ),
        LayoutKind("yolov5", "YOLOv5, v6, v7: (1, N, 5 + C) with objectness", _yolov5, _yolov5_classes),
        LayoutKind("yolov8", "YOLOv8, v9, v11, v12: (1, 4 + C, N)", _yolov8, _yolov8_classes),
        LayoutKind(
            "yolo-obb", "YOLOv8, v11 with turned boxes: (1, 4 + C + 1, N)", _turned, _turned_classes, alike=True
        ),
        LayoutKind(
            "yolo-seg",
            "YOLOv8, v11 with outlines: (1, 4 + C + M, N) and masks (1, M, H, W)",
            _outlined,
            _outlined_classes,
        ),
        LayoutKind(
            "yolo-end2end", "YOLOv10 and exports with NMS: (1, N, 6)", _end_to_end, _end_to_end_classes, {"nms": None}
        ),
        LayoutKind(
            "rtdetr",
            "RT-DETR: logits (1, Q, C), pred_boxes (1, Q, 4)",
            _rtdetr,
            lambda outputs, _: _queries(outputs),
            _STRETCHED,
        ),
        LayoutKind(
            "rtdetr-joined", "RT-DETR of the YOLO exporter: (1, Q, 4 + C)", _rtdetr_joined, _joined_classes, _STRETCHED
        ),
        LayoutKind(
            "rtdetr-listed",
            "RT-DETR with orig_target_sizes: labels (1, Q), boxes (1, Q, 4), scores (1, Q)",
            _listed,
            _listed_classes(2),
            _STRETCHED,
        ),
        LayoutKind(
            "detr",
            "DETR: as RT-DETR, with a last column for nothing",
            _detr,
            _detr_classes,
            {**_STRETCHED, **_IMAGENET},
            alike=True,
        ),
        LayoutKind(
            "torchvision",
            "torchvision: boxes (K, 4), labels (K,), scores (K,)",
            _listed,
            _listed_classes(1),
            {"nms": None, "pad": 114, "background": True},
        ),
    )
}
