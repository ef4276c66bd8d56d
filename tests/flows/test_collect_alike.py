"""Nothing twice: the same file, the same pixels, nearly the same; within a run, with earlier ones, with a project."""

import io

import numpy as np
import pytest
from PIL import Image

from backend.flows.collect.fingerprints import Fingerprint, Index
from backend.imaging.decode import decode
from backend.imaging.hashes import perceptual, pixel_hash, sha256
from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import encoded, jpeg, scene
from tests.flows.collect_kit import Made, lines, offers, put, run, spec

BIG = jpeg(1, 640, 480)  # read at a fraction of its size
FLAT = (Image.new("RGB", (80, 60), (9, 90, 200)), Image.new("RGB", (80, 60), (10, 90, 200)))


def as_png(data: bytes) -> bytes:
    """Return the pixels of an image as PNG: another file, the same picture."""
    return encoded(Image.fromarray(decode(data).rgb), "PNG")


@pytest.fixture
def collected(tmp_path, monkeypatch):
    """Return what becomes of pictures, in order: `kept`, or the reason's code and detail."""

    def collect(pictures: list[bytes], folder: str = "c", **options):
        known = options.pop("known", ())
        with ImageHost({f"/{n}": Reply(data) for n, data in enumerate(pictures)}) as host:
            put(monkeypatch, Made(lambda _: offers(host.url(f"/{n}") for n in range(len(pictures)))))
            run(spec(**options), tmp_path / folder, tmp_path, known=known)
        return lines(tmp_path / folder)

    return collect


def verdicts(found: list[dict]) -> list[str]:
    return [line["state"] if not line["reason"] else line["reason"]["code"] for line in found]


def test_the_same_bytes_and_the_same_pixels_are_duplicates_and_say_of_what(collected) -> None:
    found = collected([BIG, jpeg(2), BIG, as_png(BIG), BIG + b"tail"])
    assert verdicts(found) == ["kept", "kept", "duplicate", "duplicate", "duplicate"]
    assert found[2]["reason"]["detail"] == "the same file as rank 1 of made"
    assert found[3]["reason"]["detail"] == "the same picture as rank 1 of made"


@pytest.mark.parametrize(("near", "expected"), [("skip", "near-duplicate"), ("group", "kept"), ("keep", "kept")])
def test_nearly_the_same_is_skipped_grouped_or_kept_as_asked_but_the_same_never(collected, near, expected) -> None:
    small = encoded(scene(1, 640, 480).resize((320, 240)), quality=70)
    found = collected([BIG, jpeg(5), small, as_png(BIG)], near=near)
    assert verdicts(found) == ["kept", "kept", expected, "duplicate"]
    first = found[0]["sha256"][:12]
    groups = [line["group"] for line in found[:3]]
    assert groups == ([first, found[1]["sha256"][:12], first] if near == "group" else [None, None, None])


def test_flat_pictures_look_alike_but_are_only_the_same_where_their_pixels_are(collected) -> None:
    one, other = FLAT
    found = collected([encoded(one, "PNG"), encoded(other, "PNG"), encoded(one, "WEBP", lossless=True)])
    assert verdicts(found) == ["kept", "kept", "duplicate"] and found[0]["flat"]


def test_what_a_project_has_is_known_and_what_is_near_to_it_is_left_out(collected) -> None:
    rgb = decode(BIG).rgb
    looks = perceptual(rgb)
    task = Fingerprint(sha256(BIG), pixel_hash(rgb), looks.phash, looks.dhash, looks.flat, "task 41")
    small = encoded(scene(1, 640, 480).resize((320, 240)), quality=70)
    found = collected([BIG, as_png(BIG), small, jpeg(3)], known=[task])
    assert verdicts(found) == ["known", "known", "near-duplicate", "kept"]
    assert [line["reason"]["detail"] for line in found[:3]] == [
        "the same file as task 41", "the same picture as task 41", "nearly the same as task 41"]  # fmt: skip
    grouped = collected([small], "grouped", known=[task], near="group")
    assert grouped[0]["group"] == task.sha256[:12]


def test_a_picture_that_was_turned_upright_is_found_again_by_the_bytes_that_came(collected) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(scene(8), exif=exif)
    found = collected([turned, turned])
    assert verdicts(found) == ["kept", "duplicate"] and found[0]["sha256"] != found[0]["original_sha256"]
    assert (found[0]["width"], found[0]["height"]) == (64, 96)


def test_a_later_run_knows_what_earlier_ones_kept(collected) -> None:
    collected([BIG, jpeg(2)])
    found = collected([jpeg(4), jpeg(3), as_png(BIG)], count=3)
    assert verdicts(found)[2:] == ["kept", "kept", "duplicate"][: len(found) - 2]


def test_a_hundred_thousand_pictures_are_looked_through_in_columns() -> None:
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, (2, 100_000), dtype=np.uint64)
    index = Index()
    for n, (p, d) in enumerate(hashes.T.tolist()):
        index.add(Fingerprint(f"{n:064x}", None, p, d, False, str(n)))
    p, d = hashes[:, 77_777].tolist()
    asked = Fingerprint("ff" * 32, None, p ^ 0b1010101, d ^ 0xFF, False, "x")
    assert index.alike(asked) == [77_777]
    assert index.alike(Fingerprint("ff" * 32, None, p ^ 0x1FF, d, False, "x")) == []
    assert index.alike(Fingerprint("ff" * 32, None, p, d, True, "flat")) == []


def test_small_gray_reading_looks_as_the_whole_picture_does(collected) -> None:
    out = io.BytesIO()
    scene(9, 1000, 700).save(out, "JPEG", quality=85, progressive=True)
    (line,) = collected([out.getvalue()])
    whole = perceptual(decode(out.getvalue()).rgb)
    assert line["pixels"] is None
    assert (int(line["phash"], 16) ^ whole.phash).bit_count() <= 2
    assert (int(line["dhash"], 16) ^ whole.dhash).bit_count() <= 2
