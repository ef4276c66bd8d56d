"""How fast, how small and how frugal are the style engines?"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from torch import nn

from backend.imaging.decode import decode
from backend.style.adain import AdainEngine
from backend.style.base import Engine, Rgb, Runtime
from backend.style.compact import SHIPPED, open_engine
from backend.style.vgg_net import BF16, FP32, Vgg, best_way, decoder, encoder, has_bf16
from benchmarks.baselines import adain_plain
from benchmarks.harness import ONE_THREAD, Ratio, Scale, Section, in_turns, peak_pss, ratios
from benchmarks.photographs import raccoons
from benchmarks.style_alone import work

SIDE, PREVIEW = 256, 512  # pixels
LARGE = (3024, 4032)  # height and width
MOST_BYTES, MOST_MEMORY, MOST_PREVIEW = 2_000_000, 1.5e9 / 2**20, 0.150  # bytes, MiB, seconds
WORKED = 48  # pictures that the workers share
BEFORE = """\
Pictures of {side} x {side} pixels, out of {words}; one thread and processor time, but for workers and preview, which
are wall time. "Cached": the style was looked at before; a picture is then looked at, painted and brought back to uint8.
The weights of `vgg` are drawn at random, which makes it no faster or slower. The plain network is
`benchmarks/baselines/adain_plain.py`, fp32, NCHW, with the same weights and the style's statistics kept. `vgg` as it
opens is {way}. Size, memory and preview are over what they may be at most: {most}."""


def run(scale: Scale) -> Section:
    """Time the engines in turns; with `scale.images` everything is measured on less."""
    small = scale.images is not None
    with TemporaryDirectory() as name:
        folder, words = raccoons(Path(name), 2)
        paths = sorted((folder / "JPEGImages").iterdir())
        photographs = [decode(path.read_bytes()).rgb for path in paths]
    torch.set_num_threads(1)
    content, style = (_square(rgb, SIDE) for rgb in photographs)
    pair = random_pair()
    way = best_way(pair, "cpu")
    found = [*_speeds(pair, (content, style), scale), *_bf16(pair, (content, style), scale)]
    size = sum(path.stat().st_size for path in SHIPPED.iterdir()) / MOST_BYTES
    found.append(Ratio("shipped files of compact", "2 MB", (size,), "<= 1"))
    found.append(_memory((LARGE[0] // 4, LARGE[1] // 4) if small else LARGE, scale))
    found.append(_workers(content, style, scale.images or WORKED, scale.pairs))
    found.append(_preview([_square(rgb, PREVIEW) for rgb in photographs], scale))
    most = f"{MOST_BYTES:,} bytes, {MOST_MEMORY:,.0f} MiB, {MOST_PREVIEW * 1000:.0f} ms"
    before = BEFORE.format(side=SIDE, words=words, way=way.name or "fp32, NCHW", most=most)
    after = "" if has_bf16() else "bf16 + channels_last was skipped: this processor has neither AMX nor AVX512-BF16."
    return Section("Style transfer", before, tuple(found), after)


def random_pair() -> tuple[nn.Sequential, nn.Sequential]:
    """Return the networks of the paper with weights that mean nothing."""
    torch.manual_seed(0)
    pair = encoder(), decoder()
    for net in pair:
        for layer in net:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
    return pair


def _speeds(pair: tuple[nn.Sequential, nn.Sequential], pictures: tuple[Rgb, Rgb], scale: Scale) -> list[Ratio]:
    compact, fp32 = open_engine({}, Runtime()), AdainEngine(Vgg(pair, FP32))
    opened = AdainEngine(Vgg(pair, best_way(pair, "cpu")))
    often = 1 if scale.images else 4
    sides = [
        _cached(compact, pictures, 1.0, 8 * often),
        _cached(compact, pictures, 0.5, 8 * often),
        _anew(compact, pictures, 8 * often),
        _cached(fp32, pictures, 1.0, often),
        _anew(fp32, pictures, often),
        _plain(pair, pictures, often),
        _cached(opened, pictures, 1.0, often),
    ]
    rounds = in_turns(sides, scale.pairs)
    cached, half, anew, vgg, vgg_anew, plain, best = range(7)
    against = "vgg fp32 NCHW, cached, alpha 1"
    return [
        Ratio("compact, cached, alpha 1", against, ratios(rounds, cached, vgg), "<= 0.10"),
        Ratio("compact, cached, alpha 0.5", against, ratios(rounds, half, vgg), "<= 0.16"),
        Ratio("compact, cached", "compact, style looked at each time", ratios(rounds, cached, anew), "<= 0.85"),
        Ratio("vgg fp32, cached", "vgg fp32, style looked at each time", ratios(rounds, vgg, vgg_anew), "<= 0.65"),
        Ratio("vgg as it opens, cached", "plain torch, cached", ratios(rounds, best, plain), "<= 1"),
    ]


def _bf16(pair: tuple[nn.Sequential, nn.Sequential], pictures: tuple[Rgb, Rgb], scale: Scale) -> list[Ratio]:
    """Return how many times faster bfloat16 is, where the processor has it."""
    if not has_bf16():
        return []
    sides = [_cached(AdainEngine(Vgg(pair, way)), pictures, 1.0, 2) for way in (FP32, BF16)]
    pairs = ratios(in_turns(sides, scale.pairs), 0, 1)
    return [Ratio("vgg bf16 + channels_last, pictures a second", "vgg fp32 NCHW", pairs, ">= 3 with AMX")]


def _cached(engine: Engine, pictures: tuple[Rgb, Rgb], alpha: float, often: int) -> Callable[[], float]:
    content, style = pictures
    code = engine.style(style)
    return _timed(lambda: engine.paint(engine.content(content), code, alpha), often)


def _anew(engine: Engine, pictures: tuple[Rgb, Rgb], often: int) -> Callable[[], float]:
    content, style = pictures
    return _timed(lambda: engine.paint(engine.content(content), engine.style(style), 1.0), often)


def _plain(pair: tuple[nn.Sequential, nn.Sequential], pictures: tuple[Rgb, Rgb], often: int) -> Callable[[], float]:
    content, style = pictures
    for theirs, ours in zip((adain_plain.vgg, adain_plain.decoder), pair, strict=True):
        theirs.load_state_dict(ours.state_dict())
    with torch.no_grad():
        statistics = adain_plain.mean_std(adain_plain.features(style))
    return _timed(lambda: adain_plain.painted(content, statistics, 1.0), often)


def _timed(work: Callable[[], object], often: int) -> Callable[[], float]:
    """Return what gives the work's processor seconds, a mean; the first run, which makes ready, is not counted."""
    work()

    def measure() -> float:
        start = time.process_time()
        for _ in range(often):
            work()
        return (time.process_time() - start) / often

    return measure


def _memory(size: tuple[int, int], scale: Scale) -> Ratio:
    command = [sys.executable, "-m", "benchmarks.style_alone", *map(str, size)]
    peaks = tuple(peak_pss(command, ONE_THREAD) / MOST_MEMORY for _ in range(min(scale.pairs, 2)))
    return Ratio(f"memory of compact, {size[1]} x {size[0]}", "1.5 GB", peaks, "<= 1")


def _workers(content: Rgb, style: Rgb, count: int, rounds: int) -> Ratio:
    """Return how many times faster two processes of one thread are than one."""
    context = multiprocessing.get_context("spawn")
    given = [(content, style)] * count
    with context.Pool(1) as alone, context.Pool(2) as both:
        for pool in (alone, both):
            pool.map(work, given, chunksize=1)  # both are ready then
        sides = [_wall(lambda pool=pool: pool.map(work, given, chunksize=2)) for pool in (alone, both)]  # type: ignore[misc]
        pairs = ratios(in_turns(sides, rounds), 0, 1)
    return Ratio("compact, 2 workers, pictures a second", "1 worker", pairs, ">= 1.8")


def _preview(photographs: Sequence[Rgb], scale: Scale) -> Ratio:
    engine = open_engine({}, Runtime(threads=2))
    content, style = engine.content(photographs[0]), engine.style(photographs[1])
    engine.paint(content, style, 0.3)  # a slider is moved: what the decoder loses is known by then
    alphas = np.linspace(0.35, 0.95, 3 * scale.pairs)
    taken = [_wall(lambda alpha=alpha: engine.paint(content, style, alpha))() for alpha in alphas]  # type: ignore[misc]
    words = f"preview of compact at {PREVIEW} px, another alpha, 2 threads"
    return Ratio(words, "150 ms", tuple(one / MOST_PREVIEW for one in taken), "< 1")


def _wall(work: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return measure


def _square(rgb: Rgb, side: int) -> Rgb:
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
