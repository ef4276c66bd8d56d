"""Fingerprints: equal for equal pictures, near for similar ones, and pairs found exactly as by brute force."""

import io
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.core.forest import Forest
from backend.imaging import hashes
from backend.imaging.decode import decode
from backend.imaging.hashes import Perceptual, near_pairs, perceptual, pixel_hash, sha256


def distance(a: Perceptual, b: Perceptual) -> tuple[int, int]:
    return (a.phash ^ b.phash).bit_count(), (a.dhash ^ b.dhash).bit_count()


def load(path: Path) -> np.ndarray:
    return decode(path.read_bytes()).rgb


def test_sha256_of_the_empty_string() -> None:
    assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_equal_pixels_in_another_container_have_an_equal_hash() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "BMP")
    assert pixel_hash(decode(stream.getvalue()).rgb) == pixel_hash(rgb)
    assert pixel_hash(rgb) != pixel_hash(rgb.reshape(30, 20, 3))
    assert pixel_hash(np.ascontiguousarray(rgb[:, ::-1])[:, ::-1]) == pixel_hash(rgb)


def test_duplicates_of_the_edge_folder(data_dir: Path) -> None:
    a, exact, near = (load(data_dir / "edge" / f"duplicate_{name}.jpg") for name in ("a", "b_exact", "c_near"))
    assert pixel_hash(a) == pixel_hash(exact)
    assert pixel_hash(a) != pixel_hash(near)
    assert max(distance(perceptual(a), perceptual(near))) <= 8


def test_resized_and_recompressed_photographs_are_near_and_others_are_not(data_dir: Path) -> None:
    photographs = [load(path) for path in sorted((data_dir / "raccoon").rglob("*.jpg"))[:24]]
    looks = [perceptual(rgb) for rgb in photographs]
    for rgb, look in zip(photographs, looks, strict=True):
        small = cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        worse = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)
        assert max(distance(look, perceptual(worse))) <= 8
        assert not look.flat
    apart = [max(distance(a, b)) > 8 for a, b in itertools.combinations(looks, 2)]
    assert sum(apart) >= len(apart) - 2


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_pictures_are_marked(value: int) -> None:
    assert perceptual(np.full((60, 80, 3), value, np.uint8)).flat
    noisy = np.clip(np.random.default_rng(1).normal(value, 6, (600, 800, 3)), 0, 255).astype(np.uint8)
    assert perceptual(noisy).flat


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (3000, 10, 3)])
def test_odd_sizes_can_be_hashed(shape: tuple[int, int, int]) -> None:
    assert perceptual(np.zeros(shape, np.uint8)).flat


def components(size: int, pairs: object) -> list[int]:
    forest = Forest(size)
    for a, b in pairs:
        forest.join(a, b)
    return forest.roots().tolist()


@settings(max_examples=40, deadline=None)
@given(data=st.data(), size=st.integers(0, 40), limit=st.integers(0, 16))
def test_pairs_link_what_brute_force_links(data: st.DataObject, size: int, limit: int) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 2**64, (4, 2), dtype=np.uint64)
    flips = rng.random((size, 2, 64)) < 0.06
    noise = (flips * (np.uint64(1) << np.arange(64, dtype=np.uint64))).sum(axis=2, dtype=np.uint64)
    phash, dhash = (centres[rng.integers(0, 4, size)] ^ noise).T
    flat = rng.random(size) < 0.1
    keys = rng.integers(-1, 3, size)

    def near(a: int, b: int) -> bool:
        same = keys[a] == keys[b] or -1 in (keys[a], keys[b])
        close = [(int(h[a]) ^ int(h[b])).bit_count() <= limit for h in (phash, dhash)]
        return all(close) and same and not flat[a] and not flat[b]

    expected = [pair for pair in itertools.combinations(range(size), 2) if near(*pair)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "_ROWS", 5)
        patch.setattr(hashes, "_COLUMNS", 7)
        found = list(near_pairs(phash, dhash, flat, limit, keys))
    assert set(found) <= set(expected)
    assert components(size, found) == components(size, expected)


def test_a_thousand_frames_of_one_scene_give_a_thousand_pairs_less_one() -> None:
    same = np.full(1000, 12345, np.uint64)
    assert len(list(near_pairs(same, same, np.zeros(1000, bool), 8))) == 999


def test_agreement_of_one_hash_is_not_enough() -> None:
    phash, dhash = np.array([5, 5], np.uint64), np.array([0, 2**64 - 1], np.uint64)
    assert not list(near_pairs(phash, dhash, np.zeros(2, bool), 16))
