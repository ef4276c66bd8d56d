"""Is the file whole? Decoders fill in what is missing or damaged without a word; these checks do not.

libjpeg only warns, on stderr, when compressed data runs out early or is left over, which is what damage in the
middle of a JPEG leads to, and Pillow hides the warning. `JpegFeed` hands the file to the decoder such that both
become visible: the end marker is replaced by a few filler bytes (a decoder that runs dry asks for more than those),
and the last bytes are handed over apart (a decoder that is done before asking for them left data over).
"""

import io
import re
import zlib

from PIL import ImageFile

from backend.core.errors import ImageError

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # but for restarts, which belong to the data
_EOI, _SOS = 0xD9, 0xDA
_ONE_SCAN = {0xC0, 0xC1}  # baseline and extended sequential, Huffman coded
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_FILLER = bytes(8)  # what a decoder may read ahead of need
_SLACK = 16  # bytes of padding some cameras leave before the end marker


class JpegFeed(io.BytesIO):
    """A JPEG without what follows its end marker, read such that damage in a one-scan picture shows.

    Progressive pictures and others of several scans pass as they are: only missing data is noticed in them.

    Raises:
        ImageError: the end marker is missing.
    """

    def __init__(self, data: bytes) -> None:
        markers, end = segments(data)
        scans = [position for marker, position in markers if marker == _SOS]
        frame = next((marker for marker, _ in markers if marker in _FRAMES), None)
        watched = len(scans) == 1 and frame in _ONE_SCAN
        super().__init__(data[:end] + _FILLER if watched else data[: end + 2])
        self._cut = max(end - _SLACK, scans[0]) if watched else 0

    def read(self, size: int | None = -1) -> bytes:
        """Read as a file does, but never across the cut in one go."""
        before = self._cut - self.tell()
        return super().read(min(size, before) if size and size > 0 and before > 0 else size)

    def load(self, image: ImageFile.ImageFile) -> None:
        """Decode the pixels of an image that was opened from this feed.

        Raises:
            ImageError: the picture data is damaged.
            OSError: Pillow's own complaint.
        """
        try:
            image.load()
        except OSError as error:
            if not self._cut:
                raise
            msg = "damaged: the JPEG's picture data ends too early"
            raise ImageError(msg) from error
        if self.tell() <= self._cut:
            msg = "damaged: the JPEG has picture data left over"
            raise ImageError(msg)


def segments(data: bytes) -> tuple[list[tuple[int, int]], int]:
    """Return a JPEG's (marker, position) list up to its end marker, and where the end marker lies.

    Raises:
        ImageError: the end marker is missing.
    """
    found: list[tuple[int, int]] = []
    position = 2
    while match := _MARKER.search(data, position):
        start = match.start()
        marker = data[start + 1]
        if marker == _EOI:
            return found, start
        found.append((marker, start))
        position = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    msg = "truncated: the JPEG ends before its end marker"
    raise ImageError(msg)


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
