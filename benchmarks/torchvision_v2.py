"""How fast is `labelloom augment` against the same recipe built with torchvision's v2 transforms?"""

from functools import partial
from statistics import median

from benchmarks.harness import ROOT, Ratio, Scale, Section, bench_python, in_turns, ratios, scratch
from benchmarks.workload import VARIANTS, workload

LOOP = ROOT / "benchmarks" / "baselines" / "torchvision_loop.py"
BEFORE = """\
{words}, {variants} variants of each. The baseline, `benchmarks/baselines/torchvision_loop.py`, is the recipe of the
section above as a user of torchvision would write it: `tv_tensors.BoundingBoxes` through one `v2.Compose` (flip,
`RandomAffine` with the same bilinear sampling, `ColorJitter`, `GaussianNoise`), read and saved by Pillow with quality
95, YOLO text beside it; one process, one thread. Both times are of whole processes, importing torch included."""


def run(scale: Scale) -> Section:
    """Time the torchvision loop and ours with one and two workers."""
    with scratch() as folder:
        work = workload(folder, scale.images)
        sides = [partial(work.baseline, bench_python(), LOOP), partial(work.ours, 1), partial(work.ours, 2)]
        if scale.pairs > 1:
            in_turns(sides, 1)  # once for nothing, so that files and libraries lie in the page cache
        rounds = in_turns(sides, min(scale.pairs, 3))
    found = (
        Ratio("`augment --workers 1`", "torchvision v2 loop", ratios(rounds, 0, 1)),
        Ratio("`augment --workers 2`", "torchvision v2 loop", ratios(rounds, 0, 2), ">= 3"),
    )
    medians = [median(times) for times in zip(*rounds, strict=True)]
    ours = f"{medians[1]:.1f} s with 1 worker, {medians[2]:.1f} s with 2"
    after = f"Median seconds: torchvision {medians[0]:.1f} s; ours {ours}."
    words = work.words[0].upper() + work.words[1:]
    return Section("Against torchvision v2", BEFORE.format(words=words, variants=VARIANTS), found, after)
