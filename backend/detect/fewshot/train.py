"""Training the default detector.

The holdout is only looked at to report how the training goes (`curve` events): no weights are chosen by it. A training
ends after its last step, or sooner when its own loss goes down no more; the weights kept are a moving average.
"""

import hashlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.detect.base import Example, Report, Rgb, Runtime, Training
from backend.detect.fewshot.backbone import Lite0, pretrained, untrained
from backend.detect.fewshot.cache import Cache, features, fill, normalised, rounds
from backend.detect.fewshot.course import EVERY, Course
from backend.detect.fewshot.export import export, tidy
from backend.detect.fewshot.net import SIZE, Net, Whole
from backend.detect.fewshot.recipe import BATCH, Recipe, recipe
from backend.detect.letterbox import GREY, letterbox
from backend.detect.metrics import evaluate
from backend.detect.model_dir import INT8, ONNX, WEIGHTS, Layout, ModelInfo, read_model
from backend.detect.onnx_model import OnnxDetector, open_session
from backend.detect.quantize import quantize
from backend.detect.training import WORK
from backend.imaging.decode import decode

Json = dict[str, Any]
LAYOUT = Layout(
    kind="labelloom",
    size=(SIZE, SIZE),
    scale=1 / 127.5,
    mean=(1.0, 1.0, 1.0),
    pad=GREY,
)
_OUTPUTS = ("boxes", "scores")
_LAST = ("cls_logits", "bbox_reg", "bbox_ctrness")  # the convolutions that say what is where
_LOOKS, _LOOKED = 3, 24  # how often the holdout is looked at on the way, and at how many of its images
_CALIBRATION = 24  # images that the 8-bit ranges are set by


def train(training: Training, folder: Path, report: Report) -> ModelInfo:
    """Train on labelled images and write the model's files into `folder`.

    Raises:
        UsageError: an option is wrong, or there is nothing to learn from.
        LabelLoomError: the loss is no number any more, or the backbone is not installed.
    """
    chosen = recipe(training.options, len(training.train), fast=training.fast)
    _check(training)
    torch.set_num_threads(training.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(training.seed)
    trunk = untrained(training.seed) if chosen.backbone == "random" else pretrained()
    trunk = trunk.to(memory_format=torch.channels_last)
    net = Net(len(training.labels), trunk, frozen=not chosen.trunk_rate).to(memory_format=torch.channels_last)
    _warm_start(training, net, trunk, report)
    course = Course(net, chosen)
    work = folder / WORK
    work.mkdir(parents=True, exist_ok=True)
    what = _digest(training)
    if course.resume(work / "checkpoint.pt", what):
        report({"event": "note", "text": f"went on from step {course.step}"})
    _run(training, course, trunk, report, lambda: course.save(work / "checkpoint.pt", what))
    _write(training, course, trunk, folder, report)
    return _info(training, chosen, course)


def _check(training: Training) -> None:
    boxes = sum(len(example.boxes) for example in training.train)
    if not boxes:
        msg = "there is no box in the images to train on"
        raise UsageError(msg, fix="label some, and train again")
    wrong = {n for example in training.train for n in example.labels if not 0 <= n < len(training.labels)}
    if wrong:
        msg = f"boxes name the labels {sorted(wrong)}, but there are {len(training.labels)}"
        raise UsageError(msg, fix="give the label list that the boxes were numbered by")


def _digest(training: Training) -> str:
    """Return what tells a training from others, whatever it runs on."""
    told = {k: v for k, v in asdict(training).items() if k not in {"threads", "device"}}
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _warm_start(training: Training, net: Net, trunk: Lite0, report: Report) -> None:
    """Begin with the weights of an earlier model, if it knows the same labels."""
    if training.start is None:
        return
    before = read_model(Path(training.start))
    if before.detector != "fewshot" or before.labels != training.labels:
        text = f"starts anew: {before.version} is of other labels"
        report({"event": "note", "text": text})
        return
    path = Path(training.start) / WEIGHTS
    try:
        weights = load_file(path)
        whole = Whole(trunk, net).state_dict()
        if {name: tensor.shape for name, tensor in weights.items()} != {n: t.shape for n, t in whole.items()}:
            raise ValueError("its tensors are others")  # noqa: EM101, TRY301
    except Exception as error:  # safetensors raises kinds of its own
        msg = f"{path} is no file of weights of this detector: {str(error).splitlines()[0][:200]}"
        raise UsageError(msg, fix="train without a model to go on from") from error
    Whole(trunk, net).load_state_dict(weights)
    report({"event": "note", "text": f"goes on from {before.version}"})


def _run(training: Training, course: Course, trunk: Lite0, report: Report, save: Callable[[], None]) -> None:
    """Take the steps of a course, from where it is to its end."""
    looks = {round(course.end * part / _LOOKS) for part in range(1, _LOOKS + 1)}
    of = rounds(len(training.train), course.recipe.views)
    each = -(-course.recipe.steps // of)
    lower = features(trunk, training.threads, whole=not course.recipe.trunk_rate)
    cached: tuple[int, Cache] | None = None
    while course.step < course.end:
        number = course.step // each
        if cached is None or cached[0] != number:
            cached = None  # the old views go before the new ones come
            cached = number, fill(lower, training.train, course.recipe, (training.seed, number), report)
        loss = course.learn(_loss(course.net, cached[1], course.step, training.seed))
        report({"event": "step", "step": course.step, "of": course.end, "loss": loss})
        if course.step in looks or course.step == course.end:
            _look(training, course, trunk, report)
        if course.step % EVERY == 0 and course.step < course.end:
            save()


def _loss(net: Net, cache: Cache, step: int, seed: int) -> Tensor:
    """Return the loss of a step's batch; which views those are, only seed and step decide."""
    count = len(cache.targets)
    if not count:
        msg = "none of the images to train on can be read"
        raise LabelLoomError(msg, fix="see the notes of the training for each image's reason")
    places = []
    for at in range(step * BATCH, step * BATCH + BATCH):
        order = np.random.default_rng((seed, at // count)).permutation(count)
        places.append(int(order[at % count]))
    return net.loss(*cache.batch(places))


def _some(examples: Sequence[Example], count: int) -> list[Example]:
    """Return at most so many of the examples, evenly taken."""
    few = len(examples) <= count
    return list(examples) if few else [examples[place * len(examples) // count] for place in range(count)]


def _look(training: Training, course: Course, trunk: Lite0, report: Report) -> None:
    """Report how good the averaged weights are by now on some images of the holdout."""
    pairs = [(example, rgb) for example in _some(training.holdout, _LOOKED) if (rgb := _pixels(example)) is not None]
    if not pairs:
        return
    info = ModelInfo(detector="fewshot", version="untitled", labels=training.labels, layout=LAYOUT)
    with TemporaryDirectory() as folder:
        path = Path(folder) / ONNX
        export(_whole(course, trunk), path, _OUTPUTS)
        detector = OnnxDetector(open_session(path, Runtime(threads=training.threads, device="cpu")), info, LAYOUT, path)
        found = [one for _, rgb in pairs for one in detector.predict([rgb])]
    metrics = evaluate(found, [example for example, _ in pairs], training.labels, resamples=0)
    if metrics["ap"] is not None:
        report({"event": "curve", "step": course.step, "ap": metrics["ap"], "ap50": metrics["ap50"]})


def _pixels(example: Example) -> Rgb | None:
    try:
        return decode(Path(example.path).read_bytes()).rgb
    except (ImageError, OSError):
        return None  # whoever judges by the whole holdout says so


def _whole(course: Course, trunk: Lite0) -> Whole:
    """Return the network with the weights that are kept, beside the one that goes on learning."""
    net = deepcopy(course.net)
    net.load_state_dict(course.average, strict=False)  # frozen weights have no average
    return Whole(trunk, net).eval()


def _write(training: Training, course: Course, trunk: Lite0, folder: Path, report: Report) -> None:
    """Write the model's files: what predicts, the same quantised, and the weights to go on from."""
    whole = _whole(course, trunk)
    report({"event": "phase", "phase": "exporting", "done": 0, "of": 3})
    save_file({name: tensor.contiguous() for name, tensor in whole.state_dict().items()}, folder / WEIGHTS)
    export(whole, folder / ONNX, _OUTPUTS)
    tidy(folder / ONNX)
    report({"event": "phase", "phase": "exporting", "done": 1, "of": 3})
    pictures = (rgb for example in _some(training.train, _CALIBRATION) if (rgb := _pixels(example)) is not None)
    samples = (normalised(letterbox(rgb, (SIZE, SIZE), GREY)[0][None]) for rgb in pictures)
    quantize(folder / ONNX, folder / INT8, "images", samples, keep=_LAST)
    report({"event": "phase", "phase": "exporting", "done": 3, "of": 3})


def _info(training: Training, chosen: Recipe, course: Course) -> ModelInfo:
    told = asdict(chosen) | {"steps": course.step, "fast": training.fast, "seed": training.seed}
    return ModelInfo(
        detector="fewshot",
        version="untitled",
        labels=training.labels,
        layout=LAYOUT,
        options=told,
    )
