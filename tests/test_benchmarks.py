"""Every benchmark runs on four images and prints its ratio. What it measures is not judged here."""

import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import BENCHMARKS, __main__, figure3, figure3_timing
from benchmarks.harness import BENCH_PYTHON, Ratio, Scale, Section, peak_pss

FEW = Scale(images=4, pairs=1)
NEEDS_OTHERS = {"torchvision_v2", "figure3", "read_back", "collect"}  # run in the environment that `make bench` makes
NEEDS_LABEL_STUDIO = {"write_back", "annotators"}  # run by tests/e2e, which has one
TOO_LONG = {"detect", "jobs"}  # trainings, a dozen processes: tests/detect and tests/jobs see to their parts


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in NEEDS_LABEL_STUDIO | TOO_LONG])
def test_it_runs_on_four_images_and_prints_its_ratio(name: str) -> None:
    if name in NEEDS_OTHERS and not BENCH_PYTHON.exists():
        pytest.skip("no .venv-bench: `make bench` makes it, with torch and torchvision")
    section = import_module(BENCHMARKS[name]).run(FEW)
    assert section.ratios
    assert all(ratio.pairs and min(ratio.pairs) > 0 for ratio in section.ratios)
    for ratio in section.ratios:
        assert ratio.line() in section.markdown()


def test_our_side_of_figure_3_runs_in_our_own_environment(tmp_path: Path) -> None:
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), picture)
    rates = figure3.timed(sys.executable, tmp_path, 1, ["labelloom", "Pillow"])
    assert list(rates) == list(figure3_timing.TRANSFORMS)
    assert all(rate > 0 for by in rates.values() for rounds in by.values() for rate in rounds)


def test_memory_counts_the_children_as_well() -> None:
    hold = "b = bytearray(60 << 20); b[::4096] = b'x' * len(b[::4096])"
    alone = f"import time; {hold}; time.sleep(1)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {alone!r}])"
    assert 60 < peak_pss([sys.executable, "-c", parent], {}) < 150


def test_a_section_is_renewed_and_those_of_another_machine_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "DOCUMENT", tmp_path / "benchmarks.md")
    section = Section("Memory", "before", (Ratio("many", "few", (1.0, 1.2, 1.1), "<= 1.1"),), "after")
    __main__.put("memory", section.markdown())
    __main__.put("throughput", Section("Throughput", "first run", ()).markdown())
    __main__.put("throughput", Section("Throughput", "second run", ()).markdown())
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.index("## Throughput") < text.index("## Memory")
    assert "| many | few | 1.00 / **1.10** / 1.20 | 3 | <= 1.1 |" in text
    assert "second run" in text and "first run" not in text
    monkeypatch.setattr(__main__, "machine", lambda: "another one")
    __main__.put("throughput", Section("Throughput", "elsewhere", ()).markdown())
    assert "Memory" not in (tmp_path / "benchmarks.md").read_text()


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["thruput"]) == 2
    assert "choose from throughput" in capsys.readouterr().err
