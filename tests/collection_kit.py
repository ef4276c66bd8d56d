"""A collection on disk as a finished run leaves it, without any fetching."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from backend.flows.collect.collection import Collection, open_collection
from backend.flows.collect.spec import CollectSpec, LabelSpec
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual, pixel_hash

EVIL = '<img src=x onerror="alert(1)"> =cmd|"고양이"'
BY_SA = {"raw": "by-sa 4.0", "spdx": "CC-BY-SA-4.0", "url": "https://creativecommons.org/licenses/by-sa/4.0/",
         "confidence": "api"}  # fmt: skip
BY_NC_ND = {"raw": "by-nc-nd", "spdx": "CC-BY-NC-ND-4.0", "url": None, "confidence": "api"}
UNKNOWN = {"raw": None, "spdx": None, "url": None, "confidence": "unknown"}


def photo(number: int, size: tuple[int, int] = (96, 72)) -> bytes:
    """Return a JPEG that looks like no other one."""
    pixels = np.random.default_rng(number).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def line(data: bytes, rank: int, **more: Any) -> dict[str, Any]:
    """Return a kept image's manifest line; keywords replace its fields."""
    sha, rgb = hashlib.sha256(data).hexdigest(), decode(data).rgb
    looks = perceptual(rgb)
    return {
        "schema": "labelloom.collect/1", "state": "kept", "reason": None, "label": "고양이", "query": "고양이 사진",
        "source": "openverse", "rank": rank, "url": f"https://img.example/고양이 {rank}.jpg", "final_url": "",
        "redirects": [], "thumbnail": False, "page_url": f"https://page.example/{rank}", "title": EVIL,
        "fetched_at": "2026-11-23T10:12:21Z", "license": BY_SA, "creator": {"name": "김철수", "url": "https://me.example"},
        "attribution": None, "opt_out": {"robots": "allowed", "x_robots_tag": None, "meta": None, "tdm": None},
        "headers": {"content-type": "image/jpeg"}, "file": f"images/{sha[:2]}/{sha}.jpg", "sha256": sha,
        "original_sha256": sha, "pixels": pixel_hash(rgb), "phash": f"{looks.phash:016x}",
        "dhash": f"{looks.dhash:016x}", "flat": looks.flat, "width": rgb.shape[1], "height": rgb.shape[0],
        "bytes": len(data), "format": "jpeg", "changes": ["GPS position removed"], "group": None, "extra": {}, **more,
    }  # fmt: skip


def collection(folder: Path, pictures: list[tuple[bytes, dict[str, Any]]], labels: tuple[str, ...]) -> Collection:
    """Make a collection of pictures, each with the fields of its line that are not the usual ones."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line(data, rank, **more) for rank, (data, more) in enumerate(pictures, start=1)]
    for entry, (data, _) in zip(lines, pictures, strict=True):
        (folder / entry["file"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / entry["file"]).write_bytes(data)
    lost = {"state": "rejected", "reason": {"code": "http-404", "detail": "gone"}, "label": None, "rank": 99}
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in [*lines, lost])
    (folder / "manifest.jsonl").write_text(text)
    spec = CollectSpec(tuple(LabelSpec(label, (label,)) for label in labels), ("openverse",))
    document = {"schema": "labelloom.collection/1", "spec": spec.to_json(), "state": "finished",
                "created_at": "2026-11-23T10:12:21Z", "labels": []}  # fmt: skip
    (folder / "collection.json").write_text(json.dumps(document))
    return open_collection(folder)
