"""Can torchvision's own dataset class read the VOC folder that `labelloom augment` writes? A count, not a time."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import ROOT, Ratio, Scale, Section, bench_python
from benchmarks.workload import workload

READER = ROOT / "benchmarks" / "baselines" / "voc_detection.py"
BEFORE = """\
A dataset made by `labelloom augment` from {words}, its `voc/` folder read by `torchvision.datasets.VOCDetection` as the
2012 edition (a symbolic link, nothing copied): images and objects that it finds, over those of the manifest."""


def run(scale: Scale) -> Section:
    """Return what VOCDetection finds over what the manifest lists: 1 is right."""
    with TemporaryDirectory() as name:
        work = workload(Path(name), scale.images)
        dataset = work.made()
        root = Path(name) / "VOCdevkit"
        root.mkdir()
        (root / "VOC2012").symlink_to(dataset / "voc", target_is_directory=True)
        command = [bench_python(), READER, name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        counts = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))["counts"]
    found = json.loads(done.stdout)
    written = {"images": counts["images"], "objects": sum(counts["regions"].values())}
    lines = tuple(
        Ratio(f"{what} found ({found[what]:,})", f"manifest ({written[what]:,})", (found[what] / written[what],), "1")
        for what in ("images", "objects")
    )
    return Section("Read back by torchvision", BEFORE.format(words=work.words), lines)
