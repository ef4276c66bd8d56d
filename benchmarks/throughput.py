"""How fast is `labelloom augment` on two processors against the plain loop that a user would write?"""

import os
import sys
from functools import partial
from statistics import median

from benchmarks.harness import ROOT, Ratio, Scale, Section, in_turns, ratios, scratch
from benchmarks.workload import VARIANTS, workload

LOOP = ROOT / "benchmarks" / "baselines" / "plain_loop.py"
CURVE = (1, 2, 4, 8)
TARGETS = {2: ">= 1.8"}
MORE = 3
BEFORE = """\
{words}, {variants} variants of each, JPEG quality 95, four steps (`HorizontalFlip`, `Affine`,
`RandomBrightnessContrast`, `GaussNoise`). Wall time of whole processes, in turns, files in
memory (`/dev/shm`) so that the disk has no say. Ours is `labelloom augment`,
everything included: damage checks, hashes, near-duplicates and splits, the ledger, originals and variants as YOLO and
VOC, and the certificate (every label read back by an independent reader). The baseline,
`benchmarks/baselines/plain_loop.py`, is one process that reads the image anew for each variant, runs one `A.Compose`
with boxes and writes JPEG and YOLO text, with `cv2.setNumThreads(1)`.

The last row takes the start of the programs out: both also run on {more} times as many photographs (each saved again at
other qualities), and what the additional ones took is compared."""


def run(scale: Scale) -> Section:
    """Time the loop and ours with 1, 2, 4, 8 workers as far as there are cores (2 always), and on more photographs."""
    cores = len(os.sched_getaffinity(0))
    workers = [n for n in CURVE if n == 2 or n <= cores]
    with scratch() as folder:
        work = workload(folder / "once", scale.images)
        sides = [partial(work.baseline, sys.executable, LOOP), *(partial(work.ours, n) for n in workers)]
        if scale.pairs > 1:
            in_turns(sides[:2], 1)  # once for nothing, so that files and libraries lie in the page cache
        rounds = in_turns(sides, scale.pairs)
        large = workload(folder / "more", scale.images, times=MORE)
        more = in_turns([partial(large.baseline, sys.executable, LOOP), partial(large.ours, 2)], min(scale.pairs, 3))
    found = [
        Ratio(f"`augment --workers {n}`", "plain loop", ratios(rounds, 0, side), TARGETS.get(n, ""))
        for side, n in enumerate(workers, start=1)
    ]
    medians = [median(times) for times in zip(*rounds, strict=True)]
    two = medians[workers.index(2) + 1]
    if scale.pairs > 1:  # a single pair says nothing about a difference of two
        found.append(
            Ratio(
                "`augment --workers 2`, per additional photograph",
                "plain loop",
                tuple((loop - medians[0]) / (ours - two) for loop, ours in more),
            )
        )
    seconds = ", ".join(f"{t:.1f} s with {n}" for n, t in zip(workers, medians[1:], strict=True))
    after = f"Median seconds: plain loop {medians[0]:.1f} s; ours {seconds} worker(s)."
    if cores < max(CURVE):
        after += f" The curve over workers ends at this machine's {cores} cores."
    before = BEFORE.format(words=work.words[0].upper() + work.words[1:], variants=VARIANTS, more=MORE)
    return Section("Throughput", before, tuple(found), after)
