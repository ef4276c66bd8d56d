"""Every kind of file that people call an image, good and bad."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from backend.core.errors import ImageError
from backend.imaging import containers
from backend.imaging.decode import decode, probe, turn

SIZES = {  # displayed width, height
    "UPPER.JPG": (120, 90),
    "animated.gif": (120, 90),
    "animated.webp": (120, 90),
    "bilevel.png": (200, 150),
    "cmyk.jpg": (200, 150),
    "duplicate_a.jpg": (256, 192),
    "duplicate_b_exact.jpg": (256, 192),
    "duplicate_c_near.jpg": (200, 150),
    "exif_gps.jpg": (300, 200),
    **{f"exif_orientation_{k}.jpg": (400, 200) if k < 5 else (200, 400) for k in range(1, 9)},
    "gray16.png": (200, 150),
    "gray8.png": (200, 150),
    "jpeg_named.png": (400, 300),
    "jpeg_trailing_garbage.jpg": (400, 300),
    "large_4032x3024.jpg": (4032, 3024),
    "one_pixel.png": (1, 1),
    "palette.gif": (200, 150),
    "palette.png": (200, 150),
    "photo.bmp": (100, 80),
    "photo.tiff": (100, 80),
    "photo.webp": (300, 200),
    "progressive.jpg": (300, 200),
    "rgba.png": (200, 150),
    "thin_1x500.png": (1, 500),
    "wide_3000x10.jpg": (3000, 10),
}
REASONS = {
    "bad_bomb_50000x50000.png": "50000 x 50000 pixels are more than the limit",
    "bad_corrupt_middle.jpg": "damaged: the JPEG's picture data ends too early",
    "bad_empty.jpg": "the file is empty",
    "bad_header_only.png": r"broken PNG header \(the file ends too early\)",
    "bad_html.jpg": "a web page, not an image",
    "bad_svg.jpg": "an SVG drawing has no pixels",
    "bad_text.png": "text, not an image",
    "bad_truncated.jpg": "truncated: the JPEG ends before its end marker",
}


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def test_every_edge_file_is_expected(data_dir: Path) -> None:
    assert {path.name for path in (data_dir / "edge").iterdir()} == SIZES.keys() | REASONS.keys()


@pytest.mark.parametrize("name", SIZES)
def test_usable_edge_files(data_dir: Path, name: str) -> None:
    path = data_dir / "edge" / name
    header, image = probe(path), decode(path.read_bytes())
    assert (header.width, header.height) == SIZES[name]
    assert image.rgb.shape == (*SIZES[name][::-1], 3)
    assert image.rgb.dtype == np.uint8
    assert image.rgb.flags.c_contiguous
    assert image.rgb.flags.writeable
    assert (header.turned, header.format) == (image.turned, image.format)
    assert np.array_equal(image.rgb, decode(path.read_bytes()).rgb)


@pytest.mark.parametrize("name", REASONS)
def test_bad_edge_files_are_refused_with_their_reason(data_dir: Path, name: str) -> None:
    with pytest.raises(ImageError, match=REASONS[name]):
        decode((data_dir / "edge" / name).read_bytes())


def test_the_bomb_is_refused_by_its_header(data_dir: Path) -> None:
    with pytest.raises(ImageError, match="refused before decoding"):
        probe(data_dir / "edge" / "bad_bomb_50000x50000.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(data_dir: Path, orientation: int) -> None:
    path = data_dir / "edge" / f"exif_orientation_{orientation}.jpg"
    image = decode(path.read_bytes())
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    assert image.turned == (orientation != 1)
    assert np.array_equal(image.rgb, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_red_frame_is_where_a_viewer_shows_it(data_dir: Path, orientation: int) -> None:
    rgb = decode((data_dir / "edge" / f"exif_orientation_{orientation}.jpg").read_bytes()).rgb.astype(int)
    height, width = rgb.shape[:2]
    stored = {"x": (0.25, 0.60), "y": (0.25, 0.70)}
    mirrored = {axis: (1 - high, 1 - low) for axis, (low, high) in stored.items()}
    # EXIF says where the stored top row and left column go; x and y of the display, as fractions
    across, down = {
        1: (stored["x"], stored["y"]),
        2: (mirrored["x"], stored["y"]),
        3: (mirrored["x"], mirrored["y"]),
        4: (stored["x"], mirrored["y"]),
        5: (stored["y"], stored["x"]),
        6: (mirrored["y"], stored["x"]),
        7: (mirrored["y"], mirrored["x"]),
        8: (stored["y"], mirrored["x"]),
    }[orientation]
    red = (rgb[..., 0] > 200) & (rgb[..., 1] < 70) & (rgb[..., 2] < 70)
    middle_row, middle_column = round(sum(down) / 2 * height), round(sum(across) / 2 * width)
    for x in across:
        assert red[middle_row, round(x * width) - 4 : round(x * width) + 4].any()
    for y in down:
        assert red[round(y * height) - 4 : round(y * height) + 4, middle_column].any()


def test_turning_undoes_the_definition_of_each_orientation() -> None:
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(turn(rgb, 6), np.rot90(rgb, -1))
    assert np.array_equal(turn(rgb, 8), np.rot90(rgb))
    assert np.array_equal(turn(rgb, 5), rgb.transpose(1, 0, 2))
    assert np.array_equal(turn(rgb, 7), np.rot90(rgb, 2).transpose(1, 0, 2))


@pytest.mark.parametrize(("format", "kind"), [("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tiff"), ("AVIF", "avif")])
def test_other_formats_turn_once_too(format: str, kind: str) -> None:
    picture = np.zeros((40, 80, 3), dtype=np.uint8)
    picture[:20, :40] = (250, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(picture), format, exif=exif)
    image = decode(data)
    assert (image.format, image.turned, image.rgb.shape) == (kind, True, (80, 40, 3))
    assert image.rgb[10, 30, 0] > 200  # the stored top left is shown at the top right
    assert image.rgb[10, 10, 0] < 50


def test_sizes_in_a_header_agree_with_the_pixels_when_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        path = tmp_path / format
        path.write_bytes(saved(Image.new("RGB", (30, 20)), format, exif=exif))
        assert (probe(path).width, probe(path).height, probe(path).turned) == (20, 30, True)


def test_a_broken_or_nonsense_exif_block_is_ignored() -> None:
    for block in (b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0nonsense", b"Exif\0\0"):
        image = decode(saved(Image.new("RGB", (30, 20)), "JPEG", exif=block))
        assert (image.rgb.shape, image.turned) == ((20, 30, 3), False)


def ramp16() -> np.ndarray:
    return np.linspace(0, 65535, 200 * 4).astype(np.uint16).reshape(4, 200)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_gray_is_scaled_over_its_whole_range(format: str) -> None:
    image = decode(saved(Image.fromarray(ramp16()), format))
    assert image.notes == ("16-bit gray scaled to 8 bit",)
    assert np.array_equal(image.rgb[..., 0], np.rint(ramp16() / 257).astype(np.uint8))
    assert (image.rgb[..., 0] == image.rgb[..., 2]).all()


def test_of_16_bit_colours_the_upper_8_bits_count() -> None:
    wide = np.array([[[0x1234, 0x80FF, 0xFFFF]]], np.uint16)
    data = cv2.imencode(".png", wide[..., ::-1])[1].tobytes()
    assert decode(data).rgb.tolist() == [[[0x12, 0x80, 0xFF]]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_defined_look_are_refused(mode: str) -> None:
    with pytest.raises(ImageError, match="no defined look"):
        decode(saved(Image.new(mode, (4, 4)), "TIFF"))


def test_cmyk_black_is_black_and_white_is_white() -> None:
    inks = Image.new("CMYK", (32, 16), (0, 0, 0, 0))
    inks.paste((0, 0, 0, 255), (16, 0, 32, 16))
    image = decode(saved(inks, "JPEG", quality=100))
    assert image.rgb[8, 4].min() > 250
    assert image.rgb[8, 28].max() < 5
    assert image.notes == ("CMYK converted to RGB without its colour profile",)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_put_on_white(mode: str) -> None:
    dark = (0,) * (len(mode) - 1)
    picture = Image.new(mode, (3, 1), (*dark, 255))
    picture.putpixel((1, 0), (*dark, 0))
    picture.putpixel((2, 0), (*dark, 128))
    image = decode(saved(picture, "PNG"))
    assert image.notes == ("transparency put on white",)
    assert image.rgb[0, :, 0].tolist() == [0, 255, 127]


def test_a_transparent_palette_entry_is_white() -> None:
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    image = decode(saved(picture, "PNG", transparency=0))
    assert image.rgb[0].tolist() == [[255, 255, 255], [200, 100, 50]]


def test_a_transparent_colour_is_white() -> None:
    picture = Image.new("RGB", (2, 1), (9, 9, 9))
    picture.putpixel((1, 0), (8, 8, 8))
    assert decode(saved(picture, "PNG", transparency=(9, 9, 9))).rgb[0].tolist() == [[255] * 3, [8] * 3]


def test_other_colour_spaces_become_rgb() -> None:
    red = Image.new("RGB", (16, 16), (250, 20, 20))
    lab = ImageCms.profileToProfile(
        red, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    for image in (lab, red.convert("CMYK")):
        assert np.abs(decode(saved(image, "TIFF")).rgb[8, 8].astype(int) - (250, 20, 20)).max() <= 8


def test_bilevel_and_gray_have_three_equal_channels() -> None:
    for mode, value in (("1", 255), ("L", 77)):
        image = decode(saved(Image.new(mode, (3, 2), value), "PNG"))
        assert image.rgb.tolist() == [[[value] * 3] * 3] * 2
        assert image.notes == ()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_used(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    options = {"lossless": True} if format == "WEBP" else {}
    image = decode(saved(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert image.rgb[0, 0].tolist() == [255, 0, 0]
    assert image.notes == ("only the first of several frames is used",)


def test_a_colour_profile_does_not_stand_in_the_way() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(saved(Image.new("RGB", (8, 8), "red"), "PNG", icc_profile=profile)).rgb[0, 0].tolist() == [255, 0, 0]


def test_large_pictures_below_the_limit_raise_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    formats = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
    data = [saved(Image.new("L", (300, 200)), format) for format in formats]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40_000)  # above it, Pillow warns, and warnings are errors here
    for content in data:
        assert decode(content).rgb.shape == (200, 300, 3)


def test_the_limit_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MAX_PIXELS", 600)
    assert decode(saved(Image.new("L", (30, 20)), "PNG")).rgb.shape == (20, 30, 3)
    with pytest.raises(ImageError, match="31 x 20 pixels are more than the limit of 600"):
        decode(saved(Image.new("L", (31, 20)), "PNG"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"%PDF-1.7\n\x80", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "text, not an image"),
        (b"8BPS\0\1\0\0", "Photoshop"),
        (b"PK\3\4\x14\0\0\0", "not an image of a known kind"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\xff\xd8\xff", "truncated: the JPEG"),
        (b"\xff\xd8\xff\xd9", "broken JPEG header"),
        (b"GIF89a", "broken GIF header"),
        (b"II*\0\x08\0\0\0\0\0", "broken TIFF header"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data)


def test_a_missing_file_is_not_an_image_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe(tmp_path / "absent.jpg")
