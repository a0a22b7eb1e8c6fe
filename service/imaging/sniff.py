"""Format by the first bytes, and the picture's size by its header: before anything is decoded."""

import re
import struct
from collections.abc import Callable
from typing import Final

from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.stored import Header
from service.imaging.tiff_directory import read_directory

ALLOWED: Final = ("PNG", "JPEG", "BMP", "TIFF", "NPY")

_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_DECODABLE_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # Huffman or arithmetic
_NPY_SHAPE: Final = re.compile(rb"'shape':\s*\(((?:\s*\d{1,18}\s*,)*\s*(?:\d{1,18}\s*)?)\)")


def read_header(data: bytes) -> Header:
    """Look at the first bytes alone.

    Errors: UnsupportedFormat if they are of no allowed format, BrokenImage if the header that
    should follow them is not there.
    """
    for container, magics in _MAGICS.items():
        if data.startswith(magics):
            try:
                width, height = _SIZE_READERS[container](data)
            except (struct.error, IndexError, OverflowError) as error:
                raise BrokenImage(f"the {container.upper()} header is truncated") from error
            return Header(container, width, height)
    raise UnsupportedFormat(
        f"not one of the allowed formats ({', '.join(ALLOWED)}), by its first bytes",
        allowed=list(ALLOWED),
    )


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise BrokenImage("the PNG does not begin with its header chunk")
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        while data[position] == 0xFF and data[position + 1] == 0xFF:  # fill bytes
            position += 1
        if data[position] != 0xFF:
            raise BrokenImage("the JPEG has no marker where one must be")
        marker = data[position + 1]
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in _START_OF_FRAME:
            precision, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            if marker not in _DECODABLE_FRAMES or precision != 8 or channels not in (1, 3, 4):
                raise UnsupportedFormat("only 8-bit lossy JPEG can be decoded")
            return width, height
        if marker in (0xD8, 0xD9, 0xDA) or length < 2:
            raise BrokenImage("the JPEG has no frame header before its picture data")
        position += 2 + length


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header_size,) = struct.unpack_from("<I", data, 14)
    if header_size < 40:
        raise UnsupportedFormat("BMP files older than version 3 are not read")
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # a negative height stores the rows from the top


def _tiff_size(data: bytes) -> tuple[int, int]:
    directory = read_directory(data)
    return directory.value(256, 0), directory.value(257, 0)


def _npy_size(data: bytes) -> tuple[int, int]:
    match = _NPY_SHAPE.search(npy_header(data)[0])
    if match is None:
        raise BrokenImage("the NPY header has no shape")
    shape = [int(side) for side in match[1].split(b",") if side.strip()]
    if len(shape) == 3 and shape[2] == 1:
        shape.pop()
    if len(shape) != 2:
        raise UnsupportedFormat("an NPY array must be [height, width] or [height, width, 1]")
    return shape[1], shape[0]


def npy_header(data: bytes) -> tuple[bytes, int]:
    """The text of an NPY header, and where the numbers begin; BrokenImage if it is not whole."""
    version = data[6]
    if version not in (1, 2, 3):
        raise UnsupportedFormat(f"NPY version {version} is not known")
    start, length_format = (10, "<H") if version == 1 else (12, "<I")
    (length,) = struct.unpack_from(length_format, data, 8)
    if length > 10_000 or start + length > len(data):
        raise BrokenImage("the NPY header is truncated")
    return data[start : start + length], start + length


_MAGICS: Final[dict[str, bytes | tuple[bytes, ...]]] = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff",
    "bmp": b"BM",
    "tiff": (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b"),
    "npy": b"\x93NUMPY",
}
_SIZE_READERS: Final[dict[str, Callable[[bytes], tuple[int, int]]]] = {
    "png": _png_size,
    "jpeg": _jpeg_size,
    "bmp": _bmp_size,
    "tiff": _tiff_size,
    "npy": _npy_size,
}
