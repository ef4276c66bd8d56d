"""The network of the paper: its files, its arithmetic beside a plain one, its tiles, its ways to compute."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from backend.core.errors import LabelLoomError, UsageError
from backend.style import ENGINES, vgg_net
from backend.style.adain import AdainEngine
from backend.style.base import Json, Rgb, Runtime
from backend.style.vgg_net import BF16, FP32, Vgg, best_way, decoder, encoder, has_bf16, read_pair
from tests.style_pictures import noise
from tests.vgg_files import drawn, vgg_files

Pair = tuple[nn.Sequential, nn.Sequential]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    vgg_files(folder)
    return folder / "vgg_normalised.pth", folder / "decoder.pth"


@pytest.fixture(scope="module")
def pair(files: tuple[Path, Path]) -> Pair:
    return read_pair(files)


class Tiny(Vgg):
    """The network with tiles so small that a small picture takes several."""

    side = 64


def test_layers_are_numbered_as_in_the_files_people_have() -> None:
    weights = {int(name.split(".")[0]): tuple(t.shape) for name, t in encoder().state_dict().items() if t.dim() > 1}
    assert list(weights) == [0, 2, 5, 9, 12, 16, 19, 22, 25, 29]
    assert weights[0] == (3, 3, 1, 1) and weights[2] == (64, 3, 3, 3) and weights[29] == (512, 256, 3, 3)
    weights = {int(name.split(".")[0]): tuple(t.shape) for name, t in decoder().state_dict().items() if t.dim() > 1}
    assert list(weights) == [1, 5, 8, 11, 14, 18, 21, 25, 28]
    assert weights[1] == (256, 512, 3, 3) and weights[28] == (3, 64, 3, 3)


@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_it_computes_what_the_paper_says(pair: Pair, alpha: float) -> None:
    image, picture = noise(48, 64), noise(40, 56, 9)
    engine = AdainEngine(Vgg(pair, FP32))
    painted = engine.paint(engine.content(image), engine.style(picture), alpha)
    with torch.inference_mode():
        x, y = (pair[0](torch.tensor(one).permute(2, 0, 1)[None] / 255) for one in (image, picture))
        (mean, deviation), (mean_y, deviation_y) = (
            (m.mean((2, 3), keepdim=True), (m.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt()) for m in (x, y)
        )
        mixed = alpha * (deviation_y * (x - mean) / deviation + mean_y) + (1 - alpha) * x
        plain, whole = (pair[1](m)[0].permute(1, 2, 0).numpy() * 255 for m in (x, mixed))
    wanted = np.clip(np.rint(whole + (1 - alpha) * (image - plain)), 0, 255)
    assert np.abs(painted.astype(int) - wanted).max() <= 1


def test_tiles_show_no_seam(pair: Pair) -> None:
    image, style = noise(16, 250), noise(32, 32, 9)
    whole, tiled = (
        engine.paint(engine.content(image), engine.style(style), 0.7).astype(int)
        for engine in (AdainEngine(Vgg(pair, FP32)), AdainEngine(Tiny(pair, FP32)))
    )
    assert np.abs(whole - tiled).max() <= 1


def test_reach_is_as_far_as_a_pixel_matters_and_not_much_further(pair: Pair) -> None:
    middle = 104
    x = torch.rand(1, 3, 16, 2 * middle, requires_grad=True)
    cell = slice(middle, middle + 8)  # where in a cell of stride 8 a pixel lies makes a difference
    pair[1](pair[0](x))[..., cell].abs().sum().backward()
    assert x.grad is not None
    there = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    furthest = max(middle + 7 - int(there.min()), int(there.max()) - middle)
    assert Vgg.reach - 16 <= furthest <= Vgg.reach


def test_bfloat16_paints_nearly_the_same_under_a_version_of_its_own(pair: Pair) -> None:
    image, style = noise(64, 64), noise(64, 64, 9)
    exact, coarse = AdainEngine(Vgg(pair, FP32)), AdainEngine(Vgg(pair, BF16))
    assert coarse.version == f"{exact.version}bf16"
    one, two = (e.paint(e.content(image), e.style(style), 1.0).astype(float) for e in (exact, coarse))
    assert np.abs(one - two).mean() < 3


def test_bfloat16_is_used_where_the_processor_has_it_and_it_is_faster(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text("model name : one\nflags : fpu sse2 avx512f avx512_bf16 amx_tile\n")
    assert has_bf16(cpu)
    cpu.write_text("flags : fpu sse2 avx512f avx512_vnni\n")
    assert not has_bf16(cpu) and not has_bf16(tmp_path / "none")
    seconds = {"bf16": 0.5, "": 1.0}
    monkeypatch.setattr(vgg_net, "has_bf16", lambda: True)
    monkeypatch.setattr(vgg_net, "_seconds", lambda net: seconds[net.version[12:]])
    assert best_way(pair, "cpu") == BF16
    seconds["bf16"] = 0.95
    assert best_way(pair, "cpu") == FP32


def test_cuda_that_is_asked_for_must_be_there(pair: Pair) -> None:
    if torch.cuda.is_available():
        assert best_way(pair, "cuda").device == "cuda"
        return
    with pytest.raises(UsageError, match="no CUDA device"):
        best_way(pair, "cuda")
    assert best_way(pair, "auto").device == "cpu"


def opened(files: tuple[Path, Path], **changes: Path) -> None:
    options: Json = {"encoder": str(files[0]), "decoder": str(files[1])}
    ENGINES["vgg"].open(options | {name: str(path) for name, path in changes.items()}, Runtime(device="cpu"))


def test_the_version_is_the_weights_however_they_are_wrapped(files: tuple[Path, Path], tmp_path: Path) -> None:
    short = {name: t for name, t in torch.load(files[0], weights_only=True).items() if int(name.split(".")[0]) < 31}
    torch.save(short, tmp_path / "short.pth", _use_new_zipfile_serialization=False)
    versions = {Vgg(read_pair((path, files[1])), FP32).version for path in (files[0], tmp_path / "short.pth")}
    assert len(versions) == 1
    vgg_files(tmp_path / "others", seed=5)
    assert Vgg(read_pair((files[0], tmp_path / "others" / "decoder.pth")), FP32).version not in versions


class Payload:
    """What a pickle runs when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


def hostile(kind: str, files: tuple[Path, Path], path: Path) -> Path:
    """Write a decoder file that is wrong in one way, and return its path."""
    good = torch.load(files[1], weights_only=True)
    match kind:
        case "missing":
            return path
        case "cut":
            path.write_bytes(files[1].read_bytes()[:100_000])
        case "picture" | "empty":
            path.write_bytes(b"\xff\xd8\xff\xe0 a picture" if kind == "picture" else b"")
        case "payload":
            torch.save({**good, "more": Payload()}, path)
        case "of the encoder":
            torch.save(torch.load(files[0], weights_only=True), path)
        case "another shape":
            torch.save(good | {"28.weight": torch.zeros(1, 64, 3, 3)}, path)
        case "more layers":
            torch.save(good | {"30.weight": torch.zeros(3, 3)}, path)
        case "whole numbers":
            torch.save(good | {"28.bias": torch.zeros(3, dtype=torch.int64)}, path)
        case "no number":
            torch.save(good | {"28.bias": torch.tensor([0.0, float("nan"), 0.0])}, path)
        case "a list":
            torch.save(list(good.values())[:2], path)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "does not exist"),
        ("cut", "cut short"),
        ("picture", "cut short, or no file of torch"),
        ("empty", "cut short"),
        ("payload", "asks to run .*mkdir"),
        ("of the encoder", "another network: it has"),
        ("another shape", "28.weight is 1 x 64 x 3 x 3, not 3 x 64 x 3 x 3"),
        ("more layers", "it has 30.weight"),
        ("whole numbers", "28.bias is missing"),
        ("no number", "28.bias holds values that are no numbers"),
        ("a list", "holds a list"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_cause_and_fix(
    kind: str, said: str, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = hostile(kind, files, tmp_path / "잘못 decoder.pth")
    with pytest.raises(UsageError, match=said) as raised:
        opened(files, decoder=path)
    assert str(path) in str(raised.value)
    assert raised.value.fix and "style fetch" in raised.value.fix
    assert not (tmp_path / "pwned").exists()


def test_the_two_files_swapped_and_a_vgg_of_elsewhere_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"decoder\.pth holds weights of another network: 0\.weight is missing"):
        opened((files[1], files[0]))
    torch.save({f"features.{name}": t for name, t in drawn(encoder(), 0).items()}, tmp_path / "vgg19.pth")
    with pytest.raises(UsageError, match=r"0\.weight is missing"):
        opened(files, encoder=tmp_path / "vgg19.pth")


def test_weights_that_are_not_named_and_torch_that_is_not_there(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no decoder is named") as raised:
        ENGINES["vgg"].open({"encoder": str(files[0])}, Runtime())
    assert raised.value.fix and "labelloom style fetch" in raised.value.fix
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "torch", None)
        with pytest.raises(LabelLoomError, match="needs torch") as missing:
            opened(files)
        assert missing.value.fix == "pip install 'labelloom[train]'"


def test_a_picture_that_may_not_be_written_to_is_read(pair: Pair) -> None:
    image: Rgb = noise(16, 16)
    image.flags.writeable = False
    assert Vgg(pair, FP32).encode(image)[0].shape == (512, 2, 2)
