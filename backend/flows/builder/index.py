"""Phase 2: each listed image is decoded once, to know that it is usable and what it looks like."""

from pathlib import Path

from backend.core.codec import sample_from_json
from backend.core.errors import ImageError
from backend.core.model import Sample
from backend.flows.builder.shards import Json, read_shard, shard_path, write_shard
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual, pixel_hash


def index_shard(argument: tuple[str, int]) -> int:
    """Index list shard `number` of a work folder; return how many items it holds."""
    work, number = Path(argument[0]), argument[1]
    lines = [_index(entry) for entry in read_shard(shard_path(work, "list", number))]
    write_shard(shard_path(work, "index", number), lines)
    return len(lines)


def read_sample(entry: Json) -> Sample:
    """Return the sample of a list or plan entry."""
    return sample_from_json({**entry["sample"], "path": entry["path"]})


def _index(entry: Json) -> Json:
    if "skipped" in entry:
        return entry
    sample = read_sample(entry)
    item = sample.origin.uri or sample.name
    try:
        data = Path(sample.path).read_bytes()
        image = decode(data)
    except (ImageError, OSError) as error:
        return {"skipped": item, "reason": str(error)}
    height, width = image.rgb.shape[:2]
    if (width, height) != (sample.width, sample.height):
        reason = f"decodes to {width} x {height}, but its header says {sample.width} x {sample.height}"
        return {"skipped": item, "reason": reason}
    looks = perceptual(image.rgb)
    return {
        "sha256": entry["sha256"],
        "pixels": pixel_hash(image.rgb),
        "phash": looks.phash,
        "dhash": looks.dhash,
        "flat": looks.flat,
    }
