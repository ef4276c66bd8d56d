"""Torchvision's detectors: exported as they are, trained on, and what is refused; small ones, with random weights."""

import copy
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.ops import box_iou

from backend.core.errors import LabelLoomError, UsageError
from backend.detect import torchvision_net
from backend.detect.base import Example, Runtime, Training
from backend.detect.model_dir import ONNX, WEIGHTS, check_files, write_model
from backend.detect.onnx_model import image_input, open_model, open_session
from backend.detect.torchvision_model import make
from backend.detect.torchvision_net import Single, build, fill, labels_of, read_options, weights_of
from backend.detect.torchvision_train import _batches, _start, convert, train

LABELS = ("너구리", "흰 고양이")
SSD = {"model": "ssdlite320_mobilenet_v3_large"}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@cache
def scattered(labels: int) -> torch.nn.Module:
    """Return an SSD whose random boxes and scores differ from anchor to anchor, as those of a trained one do."""
    torch.manual_seed(0)
    net = build(read_options(SSD), labels)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0  # without statistics of their own, its layers would fade to nothing
    with torch.no_grad():
        net.train()
        found = net.head(list(net.backbone(torch.rand(2, 3, 320, 320)).values()))
        spread = {"regression_head": found["bbox_regression"].std(), "classification_head": found["cls_logits"].std()}
        for name, value in net.named_parameters():
            if name.startswith("head") and name.endswith(".1.weight"):
                value.div_(3 * spread[name.split(".")[1]])
    return net.eval()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights with a label list beside it."""
    folder = tmp_path_factory.mktemp("가중치")
    save_file(scattered(2).state_dict(), folder / "ssd.safetensors")
    torch.save({"model": scattered(2).state_dict()}, folder / "ssd.pth")
    (folder / "ssd.labels.txt").write_text("\n".join(LABELS))
    return folder / "ssd.safetensors"


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, ...]:
    """Six images with a bright square each, no two alike, and one without."""
    folder, made = tmp_path_factory.mktemp("그림"), []
    random = np.random.default_rng(0)
    for number in range(6):
        image = random.integers(0, 60, (120, 160, 3)).astype(np.uint8)
        x, y = 20 + 10 * number, 30
        image[y : y + 50, x : x + 50] = 255
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), image)
        box = (float(x), float(y), x + 50.0, y + 50.0)
        made.append(Example(str(path), f"{number:064d}", 160, 120, (box,), (number % 2,)))
    return (*made, replace(made[0], boxes=(), labels=()))


@pytest.fixture(scope="module")
def converted(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that was made of these weights, in a process of its own."""
    folder = tmp_path_factory.mktemp("모델")
    info = make({**SSD, "weights": str(weights)}, folder)
    assert check_files(folder) == info
    return folder


def test_weights_by_path_become_a_model(converted: Path) -> None:
    info = check_files(converted)
    assert (info.detector, info.labels) == ("torchvision", LABELS)
    assert info.layout is not None
    assert (info.layout.fit, info.layout.size, info.layout.background) == ("stretch", (320, 320), True)
    rgb = np.random.default_rng(0).integers(0, 256, (60, 200, 3)).astype(np.uint8)
    (found,) = open_model(converted, info, Runtime()).predict([rgb])
    assert found.regions
    assert {region.label for region in found.regions} <= set(LABELS)
    assert max(region.shape.x1 for region in found.regions) > 100  # type: ignore[union-attr]


def test_it_finds_what_it_found_in_torch(converted: Path) -> None:
    session = open_session(converted / ONNX, Runtime())
    torch.manual_seed(7)
    image = torch.rand(1, 3, 320, 320)
    with torch.inference_mode():
        boxes, labels, scores = Single(scattered(2), torch.tensor([0, 1, 2])).eval()(image)
    again, names, sure = (torch.from_numpy(v) for v in session.run(None, {image_input(session).name: image.numpy()}))
    assert len(boxes) > 50
    overlaps = box_iou(boxes, again) * (labels[:, None] == names[None])
    best = overlaps.max(1)
    assert (best.values > 0.99).float().mean() > 0.98  # an overlap right at the limit may fall either way
    close = (scores - sure[best.indices]).abs()[best.values > 0.99]
    assert close.max() < 1e-4


def test_it_learns_the_labels_of_a_project_and_goes_on_from_there(
    weights: Path, examples: tuple[Example, ...], tmp_path: Path
) -> None:
    events: list[dict[str, Any]] = []
    labels = ("곰", *LABELS)
    training = Training(
        labels, examples[:5], examples[5:6], options={**SSD, "steps": 2, "batch": 2, "weights": weights}
    )
    (tmp_path / "first").mkdir()
    info = train(training, tmp_path / "first", events.append)
    info = write_model(tmp_path / "first", info)
    assert info.labels == labels
    json.dumps(events)
    steps = [event for event in events if event["event"] == "step"]
    assert [(e["step"], e["of"]) for e in steps] == [(1, 2), (2, 2)]
    assert all(np.isfinite(e["loss"]) for e in steps)
    curve = [event for event in events if event["event"] == "curve"]
    assert curve[-1]["step"] == 2 and {"ap", "ap50"} <= set(curve[-1])
    rgb = cv2.imread(examples[0].path)[:, :, ::-1]
    open_model(tmp_path / "first", info, Runtime()).predict([np.ascontiguousarray(rgb)])
    again = replace(training, start=str(tmp_path / "first"))
    net = build(read_options(SSD), 3)
    _start(net, again, read_options(again.options), events.append)
    assert {"event": "note", "text": "goes on from untitled"} in events
    kept = load_file(tmp_path / "first" / WEIGHTS)  # with the head, as the labels are the same
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())


def test_the_same_seed_sees_the_same(examples: tuple[Example, ...]) -> None:
    options = read_options({**SSD, "batch": 2})
    training = Training(LABELS, examples, options={})
    seen = [next(_batches(replace(training, seed=seed), options, print)) for seed in (3, 3, 4)]
    pixels = [np.stack([one.rgb for one in batch]) for batch in seen]
    assert np.array_equal(pixels[0], pixels[1])
    assert not np.array_equal(pixels[0], pixels[2])


def test_a_loss_that_is_no_number_ends_it(examples: tuple[Example, ...], tmp_path: Path) -> None:
    state = scattered(2).state_dict()
    broken = copy.deepcopy(state)
    next(iter(broken.values())).fill_(float("nan"))
    save_file(broken, tmp_path / "nan.safetensors")
    options = {**SSD, "steps": 2, "batch": 2, "weights": tmp_path / "nan.safetensors"}
    with pytest.raises(LabelLoomError, match="the loss is no number any more at step 1"):
        train(Training(LABELS, examples, options=options), tmp_path, lambda _event: None)


def test_nothing_is_downloaded_and_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from urllib.error import URLError

    def offline(*_: Any, **__: Any) -> Any:
        raise URLError("Name or service not known")

    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(LabelLoomError, match="cannot be downloaded") as caught:
        convert(Training((), ()), tmp_path, lambda _event: None)
    assert "`weights`" in (caught.value.fix or "")
    assert not (tmp_path / WEIGHTS).exists()


def test_coco_has_eighty_labels_in_ninety_one_classes() -> None:
    labels, numbers = labels_of(read_options({}))
    assert len(labels) == 80
    assert len(numbers) == 91
    assert labels[int(numbers[17]) - 1] == "cat"
    assert int(numbers[0]) == int(numbers[12]) == 0
    assert sorted(number for number in numbers.tolist() if number) == list(range(1, 81))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "yolov8n"}, "no detector 'yolov8n'"),
        ({"model": "maskrcnn_resnet50_fpn"}, "no detector 'maskrcnn"),
        ({"wieghts": "x"}, "the option wieghts"),
        ({"steps": 0}, "the option steps"),
        ({"weights": "none"}, "finds nothing"),
        ({"weights": "/nowhere/x.pth"}, "/nowhere/x.pth cannot be read"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        convert(Training((), (), options=options), tmp_path, lambda _event: None)


def test_files_that_are_no_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "run",)

    (tmp_path / "a.pth").write_bytes(b"hello")
    (tmp_path / "a.safetensors").write_bytes(b"hello")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(Evil(), tmp_path / "evil.pth")
    for name, said in {
        "a.pth": "no file",
        "a.safetensors": "no file",
        "list.pth": "no state dict",
        "evil.pth": "no file",
    }.items():
        with pytest.raises(UsageError, match=said):
            weights_of(read_options({**SSD, "weights": tmp_path / name}))
    assert not (tmp_path / "run").exists()
    state = weights_of(read_options({**SSD, "weights": weights.with_suffix(".pth")}))
    with pytest.raises(UsageError, match="does not fit"):
        fill(build(read_options(SSD), 5), state, "it", heads=True)
    with pytest.raises(UsageError, match="nothing tells the labels"):
        save_file(state, tmp_path / "b.safetensors")
        labels_of(read_options({**SSD, "weights": tmp_path / "b.safetensors"}))


def test_no_training_without_a_box(examples: tuple[Example, ...], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no box"):
        train(Training(LABELS, examples[6:], options=SSD), tmp_path, lambda _event: None)


def test_the_parent_loads_no_torch() -> None:
    source = Path(torchvision_net.__file__).with_name("torchvision_model.py").read_text()
    assert "import torch" not in source
