"""Bytes of a download: what is refused and why, what is changed, and that nothing else is."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from backend.flows.collect.check import Rules, check
from backend.imaging.decode import decode
from connectors.fetching.values import BadContent
from tests.fakes.pictures import bomb, encoded, jpeg, noisy, scene, stock, with_exif

STOCK = stock()
BIG = noisy(3, 400, 300)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>37,33N</exif:GPSLatitude></x:xmpmeta>'


def exif(**more: int) -> Image.Exif:
    block = Image.Exif()
    block[0x010F] = "카메라"
    gps = block.get_ifd(0x8825)
    gps[1], gps[2] = "N", (37.0, 33.0, 59.0)
    for tag in more.values():
        block[0x0112] = tag
    return block


def same_pixels(data: bytes, other: bytes) -> bool:
    return bool(np.array_equal(decode(data).rgb, decode(other).rgb))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("/truncated.jpg", "truncated"), ("/html.jpg", "not-an-image"), ("/drawing.svg", "not-an-image"),
        ("/bomb.png", "too-many-pixels"), ("/empty.jpg", "not-an-image"),
    ],
)  # fmt: skip
def test_what_is_no_good_image_is_refused_with_its_code(name, code) -> None:
    with pytest.raises(BadContent) as caught:
        check(STOCK[name])
    assert caught.value.code == code and caught.value.detail


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "big"])
def test_every_cut_is_found(kind, part) -> None:
    whole = BIG if kind == "big" else encoded(scene(4), kind)
    with pytest.raises(BadContent) as caught:
        check(whole[: int(len(whole) * part)])
    assert caught.value.code in {"truncated", "damaged", "unreadable"}


def test_damage_in_the_middle_of_a_large_photograph_is_found() -> None:
    middle = len(BIG) // 2
    with pytest.raises(BadContent, match="damaged"):
        check(BIG[:middle] + BIG[middle + 4000 :])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (bomb(9000), "too-many-pixels"),  # 81 million, more than the cap
        (bomb(5000), "too-many-pixels"),  # fewer, but out of next to no bytes
        (jpeg(1, 96, 20), "too-small"),
        (encoded(Image.new("F", (64, 64)), "TIFF"), "unreadable"),
        (b"\0\0\0\x18ftypheic" + bytes(200), "unreadable"),
    ],
)
def test_sizes_and_kinds_beyond_use(data, code) -> None:
    with pytest.raises(BadContent) as caught:
        check(data)
    assert caught.value.code == code


def test_a_good_file_stays_as_it_is_bit_for_bit() -> None:
    for data in (jpeg(1), BIG, encoded(scene(2), "PNG"), encoded(scene(3), "WEBP"), encoded(scene(4), "GIF")):
        found = check(data)
        assert found.data == data and found.changes == () and found.sha256 == found.original_sha256


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")])
def test_camera_data_goes_without_loss_and_stays_if_asked(kind, suffix) -> None:
    data = encoded(scene(5), kind, exif=exif(), icc_profile=b"profile", **({} if kind == "PNG" else {"xmp": XMP}))
    found = check(data)
    assert found.changes == ("GPS position removed",) and found.suffix == suffix
    assert b"\xec\xb9\xb4" not in found.data and b"GPSLatitude" not in found.data
    again = Image.open(io.BytesIO(found.data))
    assert not again.getexif() and again.info["icc_profile"] == b"profile" and same_pixels(found.data, data)
    assert check(data, Rules(keep_gps=True)).data == data


def test_xmp_of_a_png_goes_too() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add_text("Title", "stays")
    found = check(encoded(scene(6), "PNG", pnginfo=info))
    assert b"GPSLatitude" not in found.data and b"stays" in found.data and len(found.changes) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_what_follows_the_picture_is_cut(kind) -> None:
    data = encoded(scene(7), kind)
    found = check(data + b"<script>alert(1)</script>")
    assert found.data == data and found.changes == ("25 bytes after the end of the picture cut",)


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_turned_jpeg_is_made_upright_and_keeps_its_colours(orientation) -> None:
    data = encoded(scene(8, 160, 96), quality=95, exif=exif(turn=orientation), icc_profile=b"profile")
    found = check(data)
    seen, meant = decode(found.data), decode(data)
    assert not seen.turned and (found.width, found.height) == meant.rgb.shape[1::-1] == seen.rgb.shape[1::-1]
    assert np.abs(seen.rgb.astype(int) - meant.rgb).mean() < 4
    assert found.changes == (f"turned upright (EXIF orientation {orientation})", "GPS position removed")
    assert Image.open(io.BytesIO(found.data)).info["icc_profile"] == b"profile"
    kept = Image.open(io.BytesIO(check(data, Rules(keep_gps=True)).data))
    assert kept.getexif()[0x010F] and 0x0112 not in kept.getexif() and 0x8825 in kept.getexif()


def test_a_turned_png_is_made_upright_without_loss() -> None:
    data = encoded(scene(9), "PNG", exif=exif(turn=6))
    found = check(data)
    assert same_pixels(found.data, data) and not decode(found.data).turned


@pytest.mark.parametrize("kind", ["TIFF", "AVIF", "BMP"])
def test_kinds_that_label_studio_cannot_show_become_png(kind) -> None:
    data = encoded(scene(10), kind)
    found = check(data)
    assert found.suffix == ".png" and found.changes == (f"converted from {kind} to PNG",)
    assert same_pixels(found.data, data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_only_the_first_picture_stays(kind) -> None:
    first, *others = [scene(n, 48, 40) for n in range(3)]
    found = check(encoded(first, kind, save_all=True, append_images=others, duration=10))
    assert found.format == "png" and found.changes[0] == "only the first frame of the animation is kept"
    assert not getattr(Image.open(io.BytesIO(found.data)), "is_animated", False)


@pytest.mark.parametrize("name", ["/cmyk.jpg", "/sixteen.png", "/palette.png", "/webp.jpg", "/turned.jpg", "/avif.jpg"])
def test_odd_but_good_ones_are_kept_by_content_whatever_their_name(name) -> None:
    found = check(STOCK[name])
    assert decode(found.data).format == found.format
    assert found.format == {"/webp.jpg": "webp", "/avif.jpg": "png", "/sixteen.png": "png"}.get(
        name, "png" if name.endswith("png") else "jpeg")  # fmt: skip


def test_a_broken_exif_block_does_not_cost_the_picture() -> None:
    data = jpeg(11)
    block = b"Exif\0\0MM\0*" + bytes(30)
    found = check(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])
    assert found.data == data and found.changes == ("EXIF and XMP removed",)
    assert zlib.crc32(found.data) == zlib.crc32(data)


def test_the_position_of_a_phone_is_nowhere_in_what_is_kept() -> None:
    found = check(with_exif(5))
    assert b"Exif" not in found.data or not Image.open(io.BytesIO(found.data)).getexif()
