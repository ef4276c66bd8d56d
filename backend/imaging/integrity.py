"""Is the file whole? Decoders fill in what is missing or damaged without a word; these checks do not.

libjpeg only warns, on stderr, when compressed data runs out early or is left over, which is what damage in the
middle of a JPEG leads to. Pillow hides the warning, so `load_jpeg` arranges the input such that both become visible:
the end marker is replaced by a few filler bytes (a decoder that runs dry asks for more than those) and the last
bytes are handed over apart (a decoder that is done before asking for them left data over).
"""

import io
import re
import zlib

from PIL import ImageFile, JpegImagePlugin

from backend.core.errors import ImageError

_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_ONE_SCAN = {0xC0, 0xC1}  # baseline and extended sequential, Huffman coded
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_FILLER = bytes(8)  # what a decoder may read ahead of need
_SLACK = 16  # bytes of padding some cameras leave before the end marker


class _Feed(io.BytesIO):
    """Bytes that are never read across `cut` in one go, so that it shows whether those behind it were wanted."""

    cut = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does, but stop at `cut` first."""
        before = self.cut - self.tell()
        return super().read(min(size, before) if size and size > 0 and before > 0 else size)


def _segments(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return a JPEG's (marker, position) list up to its end marker, and where the end marker lies."""
    found: list[tuple[int, int]] = []
    position = 2
    while match := _MARKER.search(data, position):
        marker = match[1][0]
        if marker == _EOI:
            return found, match.start()
        found.append((marker, match.start()))
        length = int.from_bytes(data[match.end() : match.end() + 2], "big")
        position = match.end() + length
    msg = "truncated: the JPEG ends before its end marker"
    raise ImageError(msg)


def load_jpeg(data: bytes) -> ImageFile.ImageFile:
    """Decode a JPEG, refusing damaged ones.

    Raises:
        ImageError: truncated, or damaged in the compressed data of a one-scan (not progressive) picture.
        OSError: Pillow's own complaint.
    """
    segments, end = _segments(data)
    scans = [position for marker, position in segments if marker == _SOS]
    frame = next((marker for marker, _ in segments if marker in _FRAMES), None)
    if not scans or len(scans) > 1 or frame not in _ONE_SCAN:
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data[: end + 2]))
        image.load()
        return image
    feed = _Feed(data[:end] + _FILLER)
    image = JpegImagePlugin.JpegImageFile(feed)
    feed.cut = max(end - _SLACK, scans[0] + 2)
    try:
        image.load()
    except OSError as error:
        msg = "damaged: the JPEG's picture data ends too early"
        raise ImageError(msg) from error
    if feed.tell() <= feed.cut:
        msg = "damaged: the JPEG has picture data left over"
        raise ImageError(msg)
    return image


def check_png(data: bytes) -> None:
    """Check every chunk's checksum up to the end chunk; Pillow skips that of the picture data.

    Raises:
        ImageError: truncated or damaged.
    """
    view, position = memoryview(data), 8
    while position + 12 <= len(data):
        stop = position + 8 + int.from_bytes(view[position : position + 4], "big")
        name = data[position + 4 : position + 8]
        if stop + 4 > len(data):
            break
        if zlib.crc32(view[position + 4 : stop]) != int.from_bytes(view[stop : stop + 4], "big"):
            msg = f"damaged: checksum of the PNG's {name.decode('latin-1')} chunk is wrong"
            raise ImageError(msg)
        if name == b"IEND":
            return
        position = stop + 4
    msg = "truncated: the PNG ends before its end chunk"
    raise ImageError(msg)
