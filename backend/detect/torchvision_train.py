"""Training a detector of torchvision on, or only exporting it. Runs in the child process."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.core.model import Box, Region
from backend.detect.base import FLOOR, Example, Predicted, Report, Training
from backend.detect.fewshot.views import View, Views, shrink, view
from backend.detect.letterbox import letterbox, unletterbox
from backend.detect.metrics import evaluate
from backend.detect.model_dir import WEIGHTS, ModelInfo, read_model
from backend.detect.options import TorchvisionOptions
from backend.detect.torchvision_net import (
    Single,
    build,
    export,
    fill,
    labels_of,
    read_options,
    side,
    weights_of,
)
from backend.imaging.decode import decode

_STEPS, _FAST = 300, 100
_LOOKS, _LOOKED = 3, 24  # how often the holdout is looked at on the way, and at how many of its images


def convert(training: Training, folder: Path, report: Report) -> ModelInfo:
    """Export a detector as its weights are.

    Raises:
        UsageError: the weights, the labels and the model's name do not go together.
        LabelLoomError: they cannot be downloaded.
    """
    options = read_options(training.options)
    torch.set_num_threads(training.threads)
    report({"event": "phase", "phase": "loading", "done": 0, "of": 1})
    if options.weights == "none":
        msg = "a detector with random weights finds nothing"
        raise UsageError(msg, fix='give the option `weights`: "coco" or a file')
    state, (labels, numbers) = weights_of(options), labels_of(options)
    net = build(options, len(numbers) - 1)
    fill(net, state, f"what {options.weights} holds", heads=True)
    info = _written(net, numbers, (labels, options), folder)
    if info.layout is None or not options.model.startswith("ssd"):
        return info
    # SSDs were trained on images squeezed into their square
    return info.model_copy(update={"layout": info.layout.model_copy(update={"fit": "stretch"})})


def train(training: Training, folder: Path, report: Report) -> ModelInfo:
    """Train a detector on labelled images and write the model's files into `folder`.

    It starts from the options' weights with a new head for the training's labels, or goes on from an earlier model.

    Raises:
        UsageError: an option is wrong, or there is nothing to learn from.
        LabelLoomError: the weights cannot be had, or the loss is no number any more.
    """
    options = read_options(training.options)
    if not any(example.boxes for example in training.train):
        msg = "there is no box in the images to train on"
        raise UsageError(msg, fix="label some, and train again")
    torch.set_num_threads(training.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(training.seed)
    device = _device(training.device)
    net = build(options, len(training.labels))
    _start(net, training, options, report)
    _learn(net.to(device), training, options, report)
    numbers = torch.arange(len(training.labels) + 1)
    return _written(net.cpu(), numbers, (training.labels, options), folder)


def _device(wanted: str) -> torch.device:
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        msg = "there is no CUDA device to train on"
        raise LabelLoomError(msg, fix="choose --device cpu, or install a torch with CUDA")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def _start(net: nn.Module, training: Training, options: TorchvisionOptions, report: Report) -> None:
    """Fill a detector with what it starts from."""
    if training.start is not None:
        before = read_model(Path(training.start))
        if before.options.get("model") == options.model:
            path = Path(training.start) / WEIGHTS
            state = weights_of(options.model_copy(update={"weights": path}))
            fill(net, state, str(path), heads=before.labels == training.labels)
            report({"event": "note", "text": f"goes on from {before.version}"})
            return
        report({"event": "note", "text": f"starts anew: {before.version} is no {options.model}"})
    if options.weights != "none":
        fill(net, weights_of(options), f"what {options.weights} holds", heads=False)


def _learn(net: nn.Module, training: Training, options: TorchvisionOptions, report: Report) -> None:
    steps = options.steps or (_FAST if training.fast else _STEPS)
    free = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(free, lr=options.rate, weight_decay=1e-2)
    warm = max(1, min(20, steps // 5))
    course = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1, (n + 1) / warm) * (0.51 + 0.49 * math.cos(math.pi * n / steps))
    )
    looks = {round(steps * part / _LOOKS) for part in range(1, _LOOKS + 1)}
    batches = _batches(training, options, report)
    for step in range(1, steps + 1):
        _to_training(net, options)
        loss = _loss(net, next(batches))
        if not torch.isfinite(loss):
            msg = f"the loss is no number any more at step {step}"
            raise LabelLoomError(msg, fix=f"train with a smaller rate than {options.rate:g}")
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(free, 5.0)
        optimizer.step()
        course.step()
        report({"event": "step", "step": step, "of": steps, "loss": round(loss.item(), 5)})
        if step in looks and training.holdout:
            report({"event": "curve", "step": step, **_judged(net, training, options)})


def _to_training(net: nn.Module, options: TorchvisionOptions) -> None:
    """Switch to training; statistics that weights came with are kept, as small batches would spoil them."""
    net.train()
    for part in net.modules():
        if options.weights != "none" and isinstance(part, _BatchNorm):
            part.eval()


def _loss(net: nn.Module, batch: list[View]) -> Tensor:
    device = next(net.parameters()).device
    images = [torch.from_numpy(one.rgb).permute(2, 0, 1).to(device).float() / 255 for one in batch]
    targets = [
        {
            "boxes": torch.from_numpy(np.ascontiguousarray(one.boxes, np.float32)).reshape(-1, 4).to(device),
            "labels": torch.from_numpy(one.labels.astype(np.int64)).to(device) + 1,
        }
        for one in batch
    ]
    return torch.stack(list(net(images, targets).values())).sum()


def _batches(training: Training, options: TorchvisionOptions, report: Report) -> Iterator[list[View]]:
    """Yield views of the images, all of them once before any comes again; the same for the same seed."""
    random = np.random.default_rng(training.seed)
    batch: list[View] = []
    bad: set[str] = set()
    while len(bad) < len(training.train):
        for number in random.permutation(len(training.train)):
            example = training.train[int(number)]
            try:
                image = _image(example)
            except (ImageError, OSError) as error:
                if example.path not in bad:
                    report({"event": "note", "text": f"{example.path} is left out: {error}"})
                bad.add(example.path)
                continue
            batch.append(view(image, side(options), Views(), random))
            if len(batch) == options.batch:
                yield batch
                batch = []
    msg = "none of the images to train on can be read"
    raise LabelLoomError(msg, fix="see that the images are where the examples say")


def _image(example: Example) -> View:
    rgb = decode(Path(example.path).read_bytes()).rgb
    small, boxes = shrink(rgb, np.array(example.boxes, np.float32).reshape(-1, 4))
    return View(small, boxes, np.array(example.labels, np.int64))


def _judged(net: nn.Module, training: Training, options: TorchvisionOptions) -> dict[str, float | None]:
    """Return AP and AP50 on some of the holdout."""
    net.eval()
    device = next(net.parameters()).device
    truth, found = training.holdout[:_LOOKED], []
    for example in truth:
        rgb = decode(Path(example.path).read_bytes()).rgb
        canvas, scale, dx, dy = letterbox(rgb, (side(options), side(options)))
        with torch.inference_mode():
            (one,) = net([torch.from_numpy(canvas).permute(2, 0, 1).to(device).float() / 255])
        boxes = unletterbox(one["boxes"].cpu().numpy(), scale, dx, dy, example.width, example.height)
        rows = zip(boxes.tolist(), one["labels"].tolist(), one["scores"].tolist(), strict=True)
        regions = [
            Region(str(number), training.labels[label - 1], Box(*box), score=score)
            for number, (box, label, score) in enumerate(rows)
            if label and score >= FLOOR and box[0] < box[2] and box[1] < box[3]
        ]
        found.append(Predicted(tuple(regions)))
    figures = evaluate(found, truth, training.labels, resamples=1)
    return {name: figures[name] for name in ("ap", "ap50")}


def _written(
    net: nn.Module, numbers: Tensor, told: tuple[tuple[str, ...], TorchvisionOptions], folder: Path
) -> ModelInfo:
    labels, options = told
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, folder / WEIGHTS)
    layout = export(Single(net, numbers), options, folder)
    kept = options.model_dump(mode="json", exclude_none=True, exclude={"labels"})
    return ModelInfo(detector="torchvision", version="untitled", labels=labels, layout=layout, options=kept)
