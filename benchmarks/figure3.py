"""The survey's figure again, with today's libraries: images per second of 18 transforms, one thread each."""

import json
import subprocess
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.figure3_timing import LIBRARIES, Times
from benchmarks.harness import ONE_THREAD, ROOT, Ratio, Scale, Section, bench_python, environment_with
from benchmarks.photographs import raccoons

PICTURE = ROOT / "docs" / "figure3.png"
PHOTOGRAPHS = 60
BEFORE = """\
The figure that Albumentations' paper compared libraries with, drawn again: images per second of its transforms on
{words}, decoded beforehand, one process, one thread, libraries in turns, median of {rounds} rounds. Ours is the step
runner of `backend/augment` (seeding of each image included) over Albumentations 2.0.8; the others are written as their
documentation suggests (`benchmarks/baselines/`). Resizing differs by default: torchvision and Pillow smooth before they
shrink, OpenCV does not.

![Images per second of 18 transforms](figure3.png)"""
GONE = """\
Why the other libraries of the paper are not in the picture (tried in November 2026):

- **imgaug** 0.4.0, the last release, is of February 2020: importing it fails on `np.sctypes`, which NumPy 2 removed.
- **Keras**: the functions that the paper timed (`keras-preprocessing` 1.1.2, May 2020) were given up. What Keras offers
  today are layers of a network, which work on batches inside TensorFlow, JAX or torch.
- **Augmentor** 0.2.12, the last release, is of March 2023: a pipeline over folders without
  boxes, and what it does to pixels is done by Pillow, which is in the picture.
- **SOLT** came back after years (0.2, on NumPy 2), but needs torch and torchvision to be installed, knows keypoints and
  masks but no boxes, and works by the same OpenCV calls as ours."""


def run(scale: Scale) -> Section:
    """Time all libraries in the environment that has them, draw the picture, return the table."""
    with TemporaryDirectory() as name:
        dataset, words = raccoons(Path(name), scale.images or PHOTOGRAPHS)
        rates = timed(bench_python(), dataset / "JPEGImages", scale.pairs, list(LIBRARIES))
    if scale.images is None:
        draw = [bench_python(), "-m", "benchmarks.figure3_picture", PICTURE]
        subprocess.run(draw, input=json.dumps(rates), text=True, check=True, cwd=ROOT)
    return Section(
        "Figure 3, today",
        BEFORE.format(words=words, rounds=scale.pairs),
        tuple(_ratios(rates)),
        f"{_table(rates)}\n\n{GONE}",
    )


def timed(python: Path | str, folder: Path, rounds: int, libraries: list[str]) -> Times:
    """Return what `figure3_timing` measures in a process of its own."""
    command = [python, "-m", "benchmarks.figure3_timing", folder, str(rounds), *libraries]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment_with(ONE_THREAD)
    )
    if done.returncode:
        msg = f"timing the transforms failed: {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    times: Times = json.loads(done.stdout)
    return times


def _ratios(rates: Times) -> list[Ratio]:
    """Return, per round, the median over all transforms of our rate divided by another library's."""
    others = [library for library in LIBRARIES if library != "labelloom"]
    return [
        Ratio(
            "our images/s, median transform",
            other,
            tuple(
                median(ours / theirs for ours, theirs in pairs)
                for pairs in zip(*(zip(by["labelloom"], by[other], strict=True) for by in rates.values()), strict=True)
            ),
        )
        for other in others
    ]


def _table(rates: Times) -> str:
    rows = [
        "| images/s | ours | torchvision v2 | Pillow | ours / torchvision | ours / Pillow |",
        "|---|---|---|---|---|---|",
    ]
    for name, by in rates.items():
        ours, theirs, pillow = (median(by[library]) for library in LIBRARIES)
        rows.append(
            f"| {name} | {ours:,.0f} | {theirs:,.0f} | {pillow:,.0f} | {ours / theirs:.1f} | {ours / pillow:.1f} |"
        )
    return "\n".join(rows)
