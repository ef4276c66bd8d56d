"""Take out of an image file what is not picture, without touching the picture: camera data, and what follows the end.

JPEG, PNG, WebP and GIF are cut at their own segment borders; colour profiles stay, for they change what is seen.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from backend.core.errors import ImageError
from backend.imaging.integrity import segments

STRIPS = ("jpeg", "png", "webp", "gif")

_APP1 = 0xE1  # EXIF and XMP
_PNG_TEXT = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0", b"Raw profile type APP1\0", b"Raw profile type xmp\0")
_WEBP_FLAGS = 0x0C  # in VP8X: there is EXIF, there is XMP
_XMP_IN_GIF = b"\x21\xff\x0bXMP DataXMP"

Part = tuple[int, int, bool]  # start, stop, is camera data


@dataclass(frozen=True, slots=True)
class Stripped:
    """A file without what was taken out. metadata: EXIF or XMP was removed; tail: bytes cut after the picture's end."""

    data: bytes
    metadata: bool
    tail: int


def strip(kind: str, data: bytes, *, keep_metadata: bool = False) -> Stripped:
    """Return a file of one of the kinds in `STRIPS`, cut; the pixels are those of before, bit for bit.

    Raises:
        ImageError: the file ends before its picture does.
    """
    parts = list({"jpeg": _jpeg, "png": _png, "webp": _webp, "gif": _gif}[kind](data))
    tail = len(data) - parts[-1][1]
    removed = not keep_metadata and any(camera for _, _, camera in parts)
    if not removed:
        return Stripped(data[: parts[-1][1]] if tail else data, metadata=False, tail=tail)
    kept = b"".join(data[start:stop] for start, stop, camera in parts if not camera)
    return Stripped(_repaired(kept) if kind == "webp" else kept, metadata=True, tail=tail)


def _jpeg(data: bytes) -> Iterator[Part]:
    markers, end = segments(data)
    done = 0
    for marker, start in markers:
        if marker == _APP1 and start >= done:
            stop = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
            yield done, start, False
            yield start, stop, True
            done = stop
    yield done, end + 2, False


def _png(data: bytes) -> Iterator[Part]:
    yield 0, 8, False
    position = 8
    while position + 12 <= len(data):
        stop = position + 12 + int.from_bytes(data[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        text = name in {b"tEXt", b"zTXt", b"iTXt"} and data.startswith(_PNG_TEXT, position + 8)
        yield position, stop, name == b"eXIf" or text
        if name == b"IEND":
            return
        position = stop
    msg = "truncated: the PNG ends before its end chunk"
    raise ImageError(msg)


def _webp(data: bytes) -> Iterator[Part]:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        msg = "truncated: the WebP is shorter than it says"
        raise ImageError(msg)
    yield 0, 12, False
    position = 12
    while position + 8 <= end:
        stop = position + 8 + int.from_bytes(data[position + 4 : position + 8], "little")
        stop = min(stop + stop % 2, end)
        yield position, stop, data[position : position + 4] in {b"EXIF", b"XMP "}
        position = stop


def _repaired(data: bytes) -> bytes:
    """Return a WebP whose head says what is in it now."""
    whole = bytearray(data)
    whole[4:8] = struct.pack("<I", len(whole) - 8)
    if whole[12:16] == b"VP8X":
        whole[20] &= ~_WEBP_FLAGS & 0xFF
    return bytes(whole)


def _gif(data: bytes) -> Iterator[Part]:
    position = 13 + _colours(data[10:11])
    yield 0, position, False
    while position < len(data):
        start, kind = position, data[position]
        if kind == 0x3B:
            yield start, start + 1, False
            return
        if kind == 0x2C:
            position = _blocks(data, start + 11 + _colours(data[start + 9 : start + 10]))
        elif kind == 0x21:
            position = _blocks(data, start + 2)
        else:
            msg = "damaged: the GIF has a block of an unknown kind"
            raise ImageError(msg)
        yield start, position, data.startswith(_XMP_IN_GIF, start)
    msg = "truncated: the GIF ends before its end mark"
    raise ImageError(msg)


def _colours(packed: bytes) -> int:
    """Return the bytes of a GIF's colour table."""
    return 3 * 2 ** ((packed[0] & 7) + 1) if packed and packed[0] & 0x80 else 0


def _blocks(data: bytes, position: int) -> int:
    """Return where a GIF's chain of length-prefixed blocks ends."""
    while position < len(data):
        length = data[position]
        position += 1 + length
        if not length:
            return position
    msg = "truncated: the GIF ends inside a block"
    raise ImageError(msg)
