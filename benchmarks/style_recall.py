"""Does a detector still find what it was shown, when the picture is painted? `python -m benchmarks.style_recall`.

Trains the default detector (`--fast`) on raccoons, and asks it about others: as they are, and painted at alpha 0.5 in
the styles that LabelLoom makes. Recall is over boxes, at IoU 0.5, of findings scored at least 0.3.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from backend.detect.base import Predicted, Runtime, Training
from backend.detect.onnx_model import open_model
from backend.detect.training import run_training
from backend.flows.style.library import made_styles
from backend.imaging.decode import Rgb, decode
from backend.settings import load_settings
from backend.style import ENGINES
from backend.style.base import Runtime as StyleRuntime
from backend.style.base import StyleCode
from benchmarks.detect import split

ALPHA, IOU, SCORE = 0.5, 0.5, 0.3
Corners = tuple[float, float, float, float]


def main() -> int:
    """Print recall on originals and on painted pictures, per style, and their ratio."""
    held, rest, labels = split("raccoon")
    training = Training(tuple(labels), tuple(rest[:100]), tuple(held), 0, fast=True)
    engine = ENGINES["compact"].open({}, StyleRuntime())
    styles = {name: engine.style(decode(path.read_bytes()).rgb) for name, path in made_styles(load_settings())}
    with TemporaryDirectory() as folder:
        info = run_training("fewshot", training, Path(folder) / "model", lambda _event: None)
        detector = open_model(Path(folder) / "model", info, Runtime("cpu", 1))
        plain, painted = 0, dict.fromkeys(styles, 0)
        total = sum(len(one.boxes) for one in held)
        for one in held:
            rgb = decode(Path(one.path).read_bytes()).rgb
            looked = engine.content(rgb)
            plain += _found(detector.predict([rgb])[0], one.boxes)
            for name, code in styles.items():
                painted[name] += _found(detector.predict([_paint(engine, looked, code)])[0], one.boxes)
    recall = plain / total
    ratios = {name: count / max(plain, 1) for name, count in painted.items()}
    mean = sum(ratios.values()) / len(ratios)
    print(json.dumps({"boxes": total, "recall": round(recall, 3), "ratio": round(mean, 3), "styles": ratios}, indent=1))
    return 0 if mean >= 0.75 else 1


def _paint(engine: object, looked: object, code: StyleCode) -> Rgb:
    painted: Rgb = engine.paint(looked, code, ALPHA)  # type: ignore[attr-defined]
    return painted


def _found(predicted: Predicted, truth: tuple[Corners, ...]) -> int:
    boxes = [
        (r.shape.x0, r.shape.y0, r.shape.x1, r.shape.y1)  # type: ignore[union-attr]
        for r in predicted.regions
        if (r.score or 0) >= SCORE
    ]
    return sum(any(_overlap(box, true) >= IOU for box in boxes) for true in truth)


def _overlap(a: Corners, b: Corners) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


if __name__ == "__main__":
    sys.exit(main())
