"""What a build would cost: a few sources are really rendered into a scratch folder, timed and weighed."""

import time
from pathlib import Path

from backend.flows.builder.plan import Planned
from backend.flows.builder.render import Job, Renderer
from backend.flows.builder.shards import Json, read_shard, shard_paths, write_shard

PROBES = 6


def estimate(job: Job, planned: Planned, workers: int) -> dict[str, float]:
    """Return {"seconds", "bytes"} for the whole plan, from up to PROBES sources spread over it.

    `job.folder` is a scratch work folder that holds the plan; what is rendered there is the caller's to remove.
    """
    entries = [entry for path in shard_paths(job.folder, "plan") for entry in _first(path)]
    probes = entries[:: max(1, len(entries) // PROBES)][:PROBES]
    if not probes:
        return {"seconds": 0.0, "bytes": 0.0}
    write_shard(job.folder / ".work" / "plan" / "000000.jsonl", probes)
    renderer = Renderer(job)
    start = time.perf_counter()
    renderer.shard(0)
    seconds = time.perf_counter() - start
    written = {f.stat().st_ino: f.stat().st_size for key in job.formats for f in _files(job.folder / key)}
    share = planned.images.total() / sum(len(probe["variants"]) for probe in probes)
    return {"seconds": round(seconds * share / max(workers, 1), 1), "bytes": round(sum(written.values()) * share)}


def _first(path: Path) -> list[Json]:
    return list(read_shard(path))[:1]  # one of each shard: enough to spread the probes over the whole plan


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
