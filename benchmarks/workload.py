"""The work that the throughput figures time: photographs, a recipe, and runs of ours and of other programs."""

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.harness import ONE_THREAD, labelloom, seconds
from benchmarks.photographs import multiply, raccoons

VARIANTS = 4
_RUNS = count(1)
STEPS = [
    {"HorizontalFlip": {"p": 0.5}},
    {"Affine": {"rotate": [-15, 15], "scale": [0.8, 1.2], "p": 0.9}},
    {"RandomBrightnessContrast": {"p": 0.5}},
    {"GaussNoise": {"p": 0.3}},
]


def write_recipe(path: Path, *, variants: int = VARIANTS, train: float = 1.0) -> Path:
    """Write the recipe; with `train` 1 all images are augmented, yet groups and near-duplicates are looked for."""
    rest = (1 - train) / 2
    document = {
        "name": "bench",
        "seed": 7,
        "variants": variants,
        "split": {"train": train, "val": rest, "test": rest},
        "steps": STEPS,
        "output": {"formats": ["yolo", "voc"], "image": {"format": "jpeg", "quality": 95}},
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def augment_command(dataset: Path, recipe: Path, out: Path, workers: int) -> tuple[list[str | Path], dict[str, str]]:
    """Return the command line and environment of one `labelloom augment`; its own database lies below `out`."""
    command = [labelloom(), "augment", dataset, "--recipe", recipe, "--out", out, "--workers", str(workers), "--json"]
    return command, {"LABELLOOM_DATA_DIR": str(out / ".data"), "LABELLOOM_CACHE_DIR": str(out / ".cache")}


@dataclass(frozen=True, slots=True)
class Workload:
    """Photographs and a recipe in a scratch folder; each run starts from nothing and must write all variants."""

    folder: Path
    dataset: Path
    recipe: Path
    images: int
    words: str

    def ours(self, workers: int) -> float:
        """Return the wall seconds of `labelloom augment`."""
        return self._ours(workers)[0]

    def made(self) -> Path:
        """Return the folder of a dataset that `labelloom augment` made."""
        return self._ours(2)[1]

    def _ours(self, workers: int) -> tuple[float, Path]:
        out = self._fresh()
        taken = seconds(*augment_command(self.dataset, self.recipe, out, workers))
        written = json.loads((out / "bench" / "dataset.json").read_text(encoding="utf-8"))["counts"]
        self._check(written["variants"], "labelloom augment")
        return taken, out / "bench"

    def baseline(self, python: Path | str, script: Path) -> float:
        """Return the wall seconds of a program of `baselines/`, on one thread."""
        out = self._fresh()
        taken = seconds([python, script, self.dataset, out, str(VARIANTS)], ONE_THREAD)
        self._check(len(list((out / "images").iterdir())), script.name)
        return taken

    def _fresh(self) -> Path:
        """Return a folder that does not exist yet; nothing is removed meanwhile, which slows some file systems down."""
        return self.folder / f"run-{next(_RUNS)}"

    def _check(self, written: int, who: str) -> None:
        if written != self.images * VARIANTS:
            msg = f"{who} wrote {written} variants of {self.images} images, not {self.images * VARIANTS}"
            raise RuntimeError(msg)


def workload(folder: Path, images: int | None, *, times: int = 1) -> Workload:
    """Lay out photographs, `times` times as many as there are, and the recipe below `folder`."""
    folder.mkdir(exist_ok=True)
    dataset, words = raccoons(folder, images)
    multiply(dataset, times - 1)
    count = len(list((dataset / "JPEGImages").iterdir()))
    return Workload(folder, dataset, write_recipe(folder / "recipe.json"), count, words)
