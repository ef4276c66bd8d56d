"""Pictures of every kind that an image host may serve, good ones and hostile ones, as bytes."""

import io
import struct
import zlib
from functools import cache

import cv2
import numpy as np
from PIL import Image


@cache
def scene(seed: int, width: int = 96, height: int = 64) -> Image.Image:
    """Return a picture of its own for each seed: smooth patches, so that perceptual hashes tell them apart."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return a picture as a file's bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(seed: int, width: int = 96, height: int = 64, quality: int = 90) -> bytes:
    """Return a good JPEG."""
    return encoded(scene(seed, width, height), quality=quality)


def noisy(seed: int, width: int = 640, height: int = 480) -> bytes:
    """Return a good JPEG of a photograph's weight."""
    grain = np.random.default_rng(seed).normal(0, 22, (height, width, 3))
    pixels = np.clip(np.asarray(scene(seed, width, height), dtype=np.float32) + grain, 0, 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    assert done
    return data.tobytes()


def with_exif(seed: int) -> bytes:
    """Return a JPEG that is to be turned (orientation 6) and tells where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (37.0, 33.0, 59.0), "E", (126.0, 58.0, 41.0)
    return encoded(scene(seed), exif=exif)


def bomb(side: int = 20000, depth: int = 1) -> bytes:
    """Return a small PNG of side x side pixels, grey, `depth` bits each."""
    row = b"\0" * (1 + side * depth // 8)
    machine = zlib.compressobj(9 if depth == 1 else 1)
    data = b"".join(machine.compress(row) for _ in range(side)) + machine.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def animated(frames: int) -> bytes:
    """Return a GIF of many frames."""
    pictures = [Image.new("RGB", (32, 32), (number % 256, number // 256, 99)) for number in range(frames)]  # all differ
    return encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:], duration=10)


def stock() -> dict[str, bytes]:
    """Return one body for each trouble with a picture's content, by path."""
    good = jpeg(1)
    return {
        "/good.jpg": good,
        "/again.jpg": good,
        "/re-encoded.jpg": jpeg(1, quality=60),
        "/resized.jpg": encoded(scene(1).resize((72, 48)), quality=90),
        "/other.jpg": jpeg(2),
        "/truncated.jpg": good[: len(good) // 2],
        "/html.jpg": b"<!doctype html><title>Not here</title><p>The picture is gone.",
        "/drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "/bomb.png": bomb(),
        "/animated-bomb.gif": animated(1200),
        "/webp.jpg": encoded(scene(3), "WEBP"),
        "/avif.jpg": encoded(scene(4), "AVIF"),
        "/turned.jpg": with_exif(5),
        "/cmyk.jpg": encoded(scene(6).convert("CMYK")),
        "/sixteen.png": encoded(Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16), "PNG"),
        "/palette.png": encoded(scene(7).convert("RGBA").quantize(32), "PNG", transparency=0),
        "/tail.jpg": jpeg(8) + b"<script>alert(1)</script>",
        "/empty.jpg": b"",
    }
