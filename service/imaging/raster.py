"""PNG, JPEG and BMP. OpenCV decodes; what it would let pass damaged is found here first."""

import re
import struct
import zlib
from typing import Final

from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.stored import Header, Stored, decode_with_opencv

# A progressive JPEG repeats its scans over the whole picture: a small file with thousands of them
# would keep a core busy for hours. Real encoders write about ten.
_MAX_SCANS: Final = 100
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # not stuffing, fill or restart


def decode_raster(data: bytes, header: Header) -> Stored:
    """`[H, W]` or `[H, W, 3]` of uint8 or uint16, in the stored grid.

    EXIF orientation is not applied, alpha is dropped. BrokenImage for truncated or damaged files,
    UnsupportedFormat for run-length BMP.
    """
    if header.container == "png":
        data = plain_png(data)
    elif header.container == "jpeg":
        check_jpeg(data)
    else:
        _check_bmp(data, header)
    return Stored(decode_with_opencv(data, header), header.container)


def plain_png(data: bytes) -> bytes:
    """The same PNG with its picture's chunks alone, each with a right checksum.

    Without the others there is no colour correction, transparency, animation or metadata to alter
    the values or to unpack. BrokenImage if a chunk is damaged, or the end is missing.
    """
    kept = [data[:8]]
    position = 8
    while True:
        if position + 12 > len(data):
            raise BrokenImage("the PNG is truncated")
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            raise BrokenImage("the PNG is truncated")
        kind = data[position + 4 : position + 8]
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            (checksum,) = struct.unpack_from(">I", data, end - 4)
            if zlib.crc32(memoryview(data)[position + 4 : end - 4]) != checksum:
                raise BrokenImage("the PNG is damaged: a chunk's checksum is wrong")
            kept.append(data[position:end])
        if kind == b"IEND":
            return b"".join(kept)
        position = end


def check_jpeg(data: bytes) -> None:
    """BrokenImage unless the scans end in an end-of-image marker: OpenCV fills up with grey."""
    position = 2
    scans = 0
    while True:
        match = _MARKER.match(data, position) if scans == 0 else _MARKER.search(data, position)
        if match is None:
            if scans == 0 and data[position : position + 2] == b"\xff\xff":
                position += 1  # a fill byte
                continue
            raise BrokenImage("the JPEG is truncated: its end is missing")
        marker = match[0][1]
        if marker == 0xD9:
            break
        position = match.end()
        if position + 2 > len(data):
            raise BrokenImage("the JPEG is truncated: its end is missing")
        (length,) = struct.unpack_from(">H", data, position)
        position += max(length, 2)
        scans += marker == 0xDA
        if scans > _MAX_SCANS:
            raise BrokenImage(f"the JPEG has more than {_MAX_SCANS} scans")
    if scans == 0:
        raise BrokenImage("the JPEG has no picture in it")


def _check_bmp(data: bytes, header: Header) -> None:
    try:
        (offset,) = struct.unpack_from("<I", data, 10)
        bits, compression = struct.unpack_from("<HI", data, 28)
    except struct.error as error:
        raise BrokenImage("the BMP header is truncated") from error
    if compression not in (0, 3):
        raise UnsupportedFormat("compressed BMP is not read")
    row = (header.width * bits + 31) // 32 * 4
    if offset + row * header.height > len(data):
        raise BrokenImage("the BMP is truncated")
