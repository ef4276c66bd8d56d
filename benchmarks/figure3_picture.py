"""Draws docs/figure3.png from rates on standard input: `python -m benchmarks.figure3_picture PATH`."""

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"labelloom": "#1b6ca8", "torchvision v2": "#e07a1f", "Pillow": "#8a8f98"}


def draw(rates: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw one group of bars per transform, images per second on a logarithmic scale."""
    names = list(rates)
    libraries = list(rates[names[0]])
    figure, axes = plt.subplots(figsize=(9, 8.5), dpi=110)
    thickness = 0.8 / len(libraries)
    for number, library in enumerate(libraries):
        places = [row + (number - (len(libraries) - 1) / 2) * thickness for row in range(len(names))]
        values = [median(rates[name][library]) for name in names]
        axes.barh(places, values, thickness * 0.92, color=COLOURS[library], label=library)
        for place, value in zip(places, values, strict=True):
            axes.text(value * 1.04, place, f"{value:,.0f}", va="center", fontsize=6.5, color="#444")
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("images per second, one thread (logarithmic)")
    axes.set_title("18 transforms on the raccoon photographs")
    axes.grid(axis="x", which="both", color="#ddd", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=True)
    figure.tight_layout()
    figure.savefig(path)


if __name__ == "__main__":
    draw(json.load(sys.stdin), Path(sys.argv[1]))
