"""The bytes of a download -> a clean image file and what identifies it; or the reason why it is of no use.

The first bytes decide what it is, never a name or a header. Sizes are refused before a pixel is decoded, the whole
picture is decoded to find truncation and damage, and the file is changed as little as can be: see `docs/collect.md`.
"""

import io
from dataclasses import dataclass

from PIL import Image

from backend.core.errors import ImageError
from backend.flows.collect.spec import MAX_PIXELS, MIN_SIDE, CollectSpec
from backend.imaging.containers import Header, open_header, quiet, sniff
from backend.imaging.decode import Decoded, decode
from backend.imaging.encode import encode
from backend.imaging.glance import glance
from backend.imaging.hashes import Perceptual, perceptual, perceptual_gray, pixel_hash, sha256
from backend.imaging.strip import STRIPS, strip
from connectors.fetching.values import BadContent

_SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "gif": ".gif"}
_QUALITY = 95  # of a JPEG that had to be turned
_ORIENTATION, _GPS = 0x0112, 0x8825  # EXIF tags
_PIXELS, _SMALL = "too-many-pixels", "too-small"
_LARGE, _SQUEEZED = 16_000_000, 200  # pixels, bytes of pixels per byte of file: more of both is a bomb, not a picture

# How the reasons of `backend.imaging` begin or read, and the code that stands for each.
_CODES = (
    ("refused before decoding", _PIXELS),
    ("truncated", "truncated"),
    ("ends too early", "truncated"),
    ("damaged", "damaged"),
    ("broken data stream", "damaged"),
    ("checksum", "damaged"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a picture must be. min_side, max_pixels: as displayed. keep_gps: leave EXIF and XMP in the file."""

    min_side: int = MIN_SIDE
    max_pixels: int = MAX_PIXELS
    keep_gps: bool = False

    @classmethod
    def of(cls, spec: CollectSpec) -> "Rules":
        """Return the rules of a collection."""
        return cls(spec.min_side, spec.max_pixels, spec.keep_gps)


@dataclass(frozen=True, slots=True)
class Checked:
    """A good image.

    data: the clean file. original_sha256: of the bytes that came. pixels: None where they were not needed. changes:
    what was done to the bytes.
    """

    data: bytes
    format: str
    width: int
    height: int
    sha256: str
    original_sha256: str
    pixels: str | None
    phash: int
    dhash: int
    flat: bool
    changes: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The end of a file name for it, with its dot."""
        return _SUFFIXES[self.format]


def check(data: bytes, rules: Rules = Rules()) -> Checked:
    """Return the clean file and its fingerprints.

    Raises:
        BadContent: not-an-image, truncated, damaged, too-many-pixels, too-small or unreadable.
    """
    try:
        kind = sniff(data).name
    except ImageError as error:
        raise BadContent("unreadable" if _is_image(data) else "not-an-image", str(error)) from error
    try:
        if kind == "webp":
            strip(kind, data)  # its reader calls a file that was cut any name but that
        header = open_header(io.BytesIO(data))
        _check_size(header, len(data), rules)
        decoded, looks = _seen(data, header)
        kept, kept_kind, changes = _clean(data, header, decoded, rules)
    except ImageError as error:
        raise BadContent(_code(error), str(error)) from error
    original = sha256(data)
    own = original if kept is data else sha256(kept)
    pixels = pixel_hash(decoded.rgb) if decoded else None
    return Checked(
        kept, kept_kind, *header.size_wh, own, original, pixels, looks.phash, looks.dhash, looks.flat, changes
    )


def _seen(data: bytes, header: Header) -> tuple[Decoded | None, Perceptual]:
    """Decode all of it; return the pixels only where they are needed further on, for at full size they take long.

    An upright JPEG is read at a fraction of its size: all of its data passes the decoder, and its looks are the same.
    """
    gray = glance(data, header)
    looks = None if gray is None else perceptual_gray(gray)
    if looks and not looks.flat:
        return None, looks
    decoded = decode(data)  # flat ones are only told apart by their pixels
    return decoded, perceptual(decoded.rgb)


def _code(error: ImageError) -> str:
    text = str(error).lower()
    return next((code for words, code in _CODES if words in text), "unreadable")


def _is_image(data: bytes) -> bool:
    """Return whether this is a picture of a kind that we do not read."""
    return data[4:12] in {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1"} or data.startswith(b"8BPS")


def _check_size(header: Header, size: int, rules: Rules) -> None:
    width, height = header.size_wh
    pixels = width * height
    if pixels > rules.max_pixels:
        detail = f"{width} x {height} pixels, more than {rules.max_pixels:,}"
        raise BadContent(_PIXELS, detail)
    if pixels > _LARGE and 3 * pixels > _SQUEEZED * size:
        detail = f"{width} x {height} pixels out of {size:,} bytes"
        raise BadContent(_PIXELS, detail)
    if min(width, height) < rules.min_side:
        detail = f"{width} x {height} pixels, the shorter side less than {rules.min_side}"
        raise BadContent(_SMALL, detail)


def _clean(data: bytes, header: Header, decoded: Decoded | None, rules: Rules) -> tuple[bytes, str, tuple[str, ...]]:
    """Return the file to keep (`data` itself where nothing has to change), its kind, and what was changed."""
    animated = bool(getattr(header.image, "is_animated", False))
    if decoded and (animated or header.kind not in STRIPS):
        frame = ("only the first frame of the animation is kept",) if animated else ()
        notes = tuple(note for note in decoded.notes if not note.startswith("only the first"))
        said = f"converted from {header.kind.upper()} to PNG"
        return encode(decoded.rgb, "png"), "png", (*frame, said, *notes)
    if decoded and decoded.turned:
        said = f"turned upright (EXIF orientation {header.orientation})"
        gone = ("GPS position removed",) if _has_gps(header) and not rules.keep_gps else ()
        if header.kind == "jpeg":
            return _turned_jpeg(header, decoded, rules), "jpeg", (said, *gone)
        return encode(decoded.rgb, "png"), "png", (said, *gone)
    stripped = strip(header.kind, data, keep_metadata=rules.keep_gps)
    changes = []
    if stripped.metadata:
        changes.append("GPS position removed" if _has_gps(header) else "EXIF and XMP removed")
    if stripped.tail:
        changes.append(f"{stripped.tail:,} bytes after the end of the picture cut")
    return stripped.data, header.kind, tuple(changes)


def _turned_jpeg(header: Header, decoded: Decoded, rules: Rules) -> bytes:
    """Return the turned pixels as JPEG; a colour profile stays, for it belongs to how they look."""
    profile = header.image.info.get("icc_profile") if header.image.mode == "RGB" else None
    out = io.BytesIO()
    with quiet():
        exif = header.image.getexif() if rules.keep_gps else Image.Exif()
        exif.pop(_ORIENTATION, None)
        more = {"icc_profile": profile} if profile else {}
        Image.fromarray(decoded.rgb).save(out, "jpeg", quality=_QUALITY, exif=exif, **more)
    return out.getvalue()


def _has_gps(header: Header) -> bool:
    if b"GPSLatitude" in header.image.info.get("xmp", b""):
        return True
    with quiet():
        try:
            return _GPS in header.image.getexif()
        except Exception:  # noqa: BLE001 - a broken EXIF block says nothing, and is removed all the same
            return False
