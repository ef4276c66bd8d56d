"""A collection on disk, as collecting leaves it, without any network."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from backend.flows.collect.spec import CollectSpec, LabelSpec
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual, pixel_hash, sha256

NAME = "고양이와 개"


def drawing(seed: int, size: tuple[int, int] = (160, 120), quality: int = 90) -> bytes:
    """Return a picture that looks like no other seed's."""
    random = np.random.default_rng(seed)
    pixels = cv2.resize(random.integers(0, 255, (6, 8, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def line(rank: int, label: str | None, **more: Any) -> dict[str, Any]:
    """Return a manifest line of a candidate that did not come; `more` says what differs."""
    return {
        "schema": "labelloom.collect/1",
        "state": "rejected",
        "reason": {"code": "http-404", "detail": "the host answered with 404"},
        "label": label,
        "query": f"{label or '무엇'} 사진",
        "source": "openverse",
        "rank": rank,
        "url": f"https://example.org/{rank}.jpg",
        "page_url": f"https://example.org/page/{rank}",
        "title": f"{label or '무엇'} {rank}",
        "license": {"raw": "by-sa 4.0", "spdx": "CC-BY-SA-4.0", "url": None, "confidence": "api"},
        "creator": {"name": "김작가", "url": None},
        "attribution": None,
        "extra": {},
    } | more


def looks(data: bytes) -> dict[str, Any]:
    """Return the fields of a picture's bytes."""
    rgb = decode(data).rgb
    found = perceptual(rgb)
    return {
        "final_url": "https://example.org/x.jpg",
        "redirects": [],
        "thumbnail": False,
        "fetched_at": "2026-11-23T10:12:21Z",
        "opt_out": {"robots": "allowed", "x_robots_tag": None, "meta": None, "tdm": None},
        "headers": {"content-type": "image/jpeg"},
        "sha256": sha256(data),
        "original_sha256": sha256(data),
        "pixels": pixel_hash(rgb),
        "phash": f"{found.phash:016x}",
        "dhash": f"{found.dhash:016x}",
        "flat": found.flat,
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "bytes": len(data),
        "format": "jpeg",
        "changes": [],
        "group": None,
    }


def keep(folder: Path, rank: int, label: str | None, data: bytes, **more: Any) -> dict[str, Any]:
    """Store a picture and return its line."""
    found = looks(data)
    file = f"images/{found['sha256'][:2]}/{found['sha256']}.jpg"
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(data)
    return line(rank, label, **found) | {"state": "kept", "reason": None, "file": file} | more


def make_collection(folder: Path, count: int = 5) -> list[dict[str, Any]]:
    """Write a collection of two labels with `count` kept images each, and some that were rejected."""
    lines = []
    for place, label in enumerate(("고양이", "개")):
        lines += [keep(folder, rank, label, drawing(1000 * place + rank)) for rank in range(1, count + 1)]
    lines[1]["title"] = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    lines[1]["page_url"] = "javascript:alert(3)"
    lines[2]["license"] = {"raw": None, "spdx": None, "url": None, "confidence": "unknown"}
    same = looks(drawing(1)) | {"reason": {"code": "duplicate", "detail": "the same file as rank 1 of openverse"}}
    near = looks(drawing(1, quality=40)) | {"reason": {"code": "near-duplicate", "detail": "nearly rank 1"}}
    lines += [line(count + 1, "고양이", **same), line(count + 2, "고양이", **near)]
    lines += [line(count + 3 + n, "개") for n in range(3)]
    write_collection(folder, lines, ("고양이", "개"), count)
    return lines


def write_collection(folder: Path, lines: list[dict[str, Any]], labels: tuple[str, ...], count: int) -> None:
    """Write the manifest and the description."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    spec = CollectSpec(tuple(LabelSpec(label, (f"{label} 사진",)) for label in labels), ("openverse",), count)
    document = {
        "schema": "labelloom.collection/1",
        "created_at": "2026-11-23T10:12:21Z",
        "state": "finished",
        "spec": spec.to_json(),
        "labels": [
            {"label": label, "queries": [f"{label} 사진"], "count": count, "kept": count, "state": "full", "notes": []}
            for label in labels
        ],
    }
    (folder / "collection.json").write_text(json.dumps(document), encoding="utf-8")
