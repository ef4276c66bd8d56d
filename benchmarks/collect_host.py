"""The images of the collect benchmark, served on loopback by a process of its own.

`python -m benchmarks.collect_host GOOD` prints the addresses of the clean and of the hostile list as one JSON line,
and then, for every line it reads, how many requests came since the last one.
"""

import json
import sys
from zlib import crc32

import cv2
import numpy as np

from tests.fakes.image_host import ImageHost, Reply
from tests.fakes.pictures import bomb

LATENCY = 0.05
JPEG = (("Content-Type", "image/jpeg"),)


def photographs(count: int) -> list[bytes]:
    """Return that many different JPEGs of about 230 KB."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 22, (480, 800, 3)).astype(np.float32)
    found = []
    for number in range(count):
        patches = rng.integers(30, 226, (5, 8, 3), dtype=np.uint8)
        scene = cv2.resize(patches, (800, 480), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        pixels = np.clip(scene + np.roll(grain, number, axis=1), 0, 255).astype(np.uint8)
        found.append(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())
    return found


def hostile(good: list[bytes]) -> dict[str, Reply]:
    """Return what makes the list hostile, in proportion to 500 good ones."""
    share = len(good) / 500

    def some(name: str, number: int, reply: "list[Reply]") -> dict[str, Reply]:
        return {f"/{name}/{n}.jpg": reply[n % len(reply)] for n in range(max(1, round(number * share)))}

    return {
        **some("missing", 25, [Reply(b"gone", 404)]),
        **some("truncated", 5, [Reply(data[: len(data) * 2 // 3]) for data in good[:5]]),
        **some("cut", 5, [Reply(good[1], trouble="cut")]),
        **some("html", 10, [Reply(b"<!doctype html><p>Not here.")]),
        **some("duplicate", 25, [Reply(data) for data in good[:25]]),
        **some("drip", 15, [Reply(data, trouble="drip") for data in good[:15]]),
        **some("noai", 5, [Reply(data, headers=(*JPEG, ("X-Robots-Tag", "noai"))) for data in good[:5]]),
        **some("huge", 2, [Reply(b"\xff\xd8\xff\xe0" + bytes(80_000_000))]),
        **some("bomb", 3, [Reply(bomb(20_000, 8))]),
    }


def main() -> None:
    """Serve until nobody reads any more."""
    good = photographs(int(sys.argv[1]))
    clean = {f"/good/{number}.jpg": Reply(data) for number, data in enumerate(good)}
    trouble = hostile(good)
    mixed = sorted({**clean, **trouble}, key=lambda path: crc32(path.encode()))
    with ImageHost({**clean, **trouble}, latency=LATENCY) as host:
        print(json.dumps({"clean": [host.url(p) for p in clean], "hostile": [host.url(p) for p in mixed]}), flush=True)
        for _ in sys.stdin:
            print(len(host.asked), flush=True)
            host.asked.clear()


if __name__ == "__main__":
    main()
