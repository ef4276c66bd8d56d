"""Detectors: models that predict regions or tags. One file and one line in `DETECTORS` make a new one.

Everything predicts through ONNX Runtime; only training and exporting load torch, in a process of their own. Nothing
here knows Label Studio, a network or a database.
"""

from backend.detect.base import DetectorKind

DETECTORS: dict[str, DetectorKind] = {
    kind.name: kind
    for kind in (
        DetectorKind(
            "fewshot",
            "learns the project's own labels on a CPU in minutes; predicts nothing before the first training",
            opens="backend.detect.onnx_model:open_model",
            trains="backend.detect.fewshot.train:train",
            takes="backend.detect.fewshot.recipe:read_options",
        ),
        DetectorKind(
            "torchvision",
            "a COCO-pretrained model of torchvision by name, or its weights by path; can be trained on",
            opens="backend.detect.onnx_model:open_model",
            trains="backend.detect.torchvision_train:train",
            makes="backend.detect.torchvision_model:make",
            takes="backend.detect.options:torchvision",
        ),
        DetectorKind(
            "onnx",
            "any exported detector by path: YOLO family, RT-DETR or torchvision layout",
            opens="backend.detect.onnx_model:open_model",
            makes="backend.detect.onnx_import:make",
            takes="backend.detect.onnx_import:read_options",
        ),
        DetectorKind("proxy", "any running Label Studio ML backend, by address"),
        DetectorKind(
            "similar",
            "tags an image as its most similar labelled images are tagged",
            opens="backend.detect.similar:open_model",
            trains="backend.detect.similar:train",
            takes="backend.detect.similar:read_options",
            learns="tags",
        ),
    )
}
