"""Formats by first bytes, sizes by header: nothing may be allocated for a size that is refused."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from service.errors import BrokenImage, InputTooLarge, UnsupportedFormat
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.sniff import read_header
from tests.unit.service.imaging.files import encode, npy, png_from, ramp, tiff

GREY = (ramp(40, 30) * 255).astype(np.uint8)
DEEP = (ramp(40, 30) * 60000).astype(np.uint16)

WHOLE = {
    "png": encode(".png", DEEP),
    "jpeg": encode(".jpg", GREY),
    "bmp": encode(".bmp", GREY),
    "tiff": tiff(DEEP),
    "tiff-big-endian": tiff(DEEP, byteorder=">"),
    "tiff-big": tiff(DEEP, bigtiff=True),
    "tiff-big-big-endian": tiff(DEEP, bigtiff=True, byteorder=">"),
    "npy": npy(DEEP),
    "npy-deep": npy(DEEP[:, :, None]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_size_is_read_from_the_header(name: str) -> None:
    header = read_header(WHOLE[name])
    assert (header.container, header.width, header.height) == (name.split("-")[0], 40, 30)


def _claims(width: int, height: int) -> dict[str, bytes]:
    """Small files whose headers claim a large picture."""
    ihdr = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    png = png_from([(b"IHDR", ihdr), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])
    frame = struct.pack(">BHHB", 8, min(height, 65535), min(width, 65535), 1) + b"\x01\x11\x00"
    jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xd9"
    bmp = bytearray(WHOLE["bmp"])
    struct.pack_into("<ii", bmp, 18, width, -height)
    tags = ((256, width), (257, height), (258, 16))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tif = b"II\x2a\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(4)
    text = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({height}, {width}), }}\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + bytes(64)
    return {"png": png, "jpeg": jpeg, "bmp": bytes(bmp), "tiff": tif, "npy": array}


@pytest.mark.parametrize("container", ["png", "jpeg", "bmp", "tiff", "npy"])
def test_hundred_megapixels_are_refused_before_they_are_allocated(container: str) -> None:
    data = _claims(10_000, 10_000)[container]
    tracemalloc.start()
    try:
        with pytest.raises(InputTooLarge) as caught:
            decode_image(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.extra["width"] == 10_000
    assert peak < 1_000_000


@pytest.mark.parametrize("container", ["png", "bmp", "tiff", "npy"])
@pytest.mark.parametrize("size", [(0, 30), (1, 500), (500, 7), (0, 0)])
def test_slivers_are_refused(container: str, size: tuple[int, int]) -> None:
    with pytest.raises(BrokenImage, match="less than 8 pixels"):
        decode_image(_claims(*size)[container])


def test_the_smallest_image_is_eight_by_eight() -> None:
    assert decode_image(encode(".png", np.full((8, 8), 5, np.uint8))).values.shape == (8, 8)


def test_pixel_limit_is_the_callers() -> None:
    assert decode_image(WHOLE["png"], DecodeOptions(max_pixels=1200)).width == 40
    with pytest.raises(InputTooLarge):
        decode_image(WHOLE["png"], DecodeOptions(max_pixels=1199))


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + bytes(50),
        b"RIFF\x00\x00\x00\x00WEBP" + bytes(50),
        b"PK\x03\x04" + bytes(50),
        b"\x00\x00\x00\x0cjP  " + bytes(50),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"x",
        bytes(100),
    ],
)
def test_other_formats_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedFormat, match="PNG, JPEG, BMP, TIFF, NPY"):
        decode_image(data)


@pytest.mark.parametrize("name", WHOLE)
def test_a_header_cut_anywhere_is_broken(name: str) -> None:
    data = WHOLE[name]
    for end in range(8, min(len(data), 200), 3):
        with pytest.raises((BrokenImage, UnsupportedFormat)):
            decode_image(data[:end])
