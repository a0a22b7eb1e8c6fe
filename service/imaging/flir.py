"""FLIR radiometric JPEG: an ordinary JPEG that carries the sensor's raw frame in APP1 segments.

The segments, put together, are a small file of their own ("FFF"): a header, a directory, and
records, of which two matter: the raw frame and the camera's calibration. Byte order differs
between cameras and even between a file's directory and its records, so each is found out.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.planck import Calibration
from service.imaging.raster import plain_png
from service.imaging.sniff import read_header
from service.imaging.stored import check_size, decode_with_opencv

_SIGNATURE: Final = b"FLIR\x00"
_RAW, _CAMERA = 1, 32  # record types
_PIXELS_AT: Final = 32  # a raw record's own header is this long
# Names of a Calibration's values -> where they lie in the camera record; all float32 but one.
_FLOATS: Final = {
    "emissivity": 32, "distance": 36, "reflected": 40, "atmosphere": 44, "window": 48,
    "window_transmission": 52, "humidity": 60, "r1": 88, "b": 92, "f": 96,
    "alpha1": 112, "alpha2": 116, "beta1": 120, "beta2": 124, "x": 128, "r2": 780,
}  # fmt: skip
_OFFSET_AT: Final = 776  # Planck's O, an int32
_RECORDED_AT: Final = 900  # a uint32 of seconds, then one whose lower half is the milliseconds


@dataclass(frozen=True)
class RawThermal:
    """raw: uint16 `[H, W]`, the sensor's counts. calibration: None if the file carries none.

    recorded: when, by the camera's clock, in seconds since 1970 to a thousandth; None if not told.
    """

    raw: NDArray[np.uint16]
    calibration: Calibration | None
    recorded: float | None = None


def find_flir(data: bytes) -> bytes | None:
    """The FFF inside a JPEG, or None if it has no FLIR segments; BrokenImage if some are lost."""
    parts: dict[int, bytes] = {}
    last = 0
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if marker in (0xD9, 0xDA) or length < 2:
            break
        segment = data[position + 4 : position + 2 + length]
        if marker == 0xE1 and segment.startswith(_SIGNATURE):
            if len(segment) < 8 or segment[6] in parts:
                raise BrokenImage("the radiometric JPEG's thermal segments are damaged")
            parts[segment[6]] = segment[8:]
            last = max(last, segment[7])
        position += 2 + length
    if not parts:
        return None
    if sorted(parts) != list(range(last + 1)):
        raise BrokenImage(f"the radiometric JPEG lacks some of its {last + 1} thermal segments")
    return b"".join(parts[index] for index in sorted(parts))


def read_fff(
    fff: bytes, max_pixels: int, read_jpeg: Callable[[bytes], NDArray[np.uint16]] | None = None
) -> RawThermal:
    """The raw frame and calibration.

    read_jpeg: decodes a raw frame stored as lossless JPEG to uint16 `[H, W]`, as recordings do.
    Errors: BrokenImage for damage, InputTooLarge above `max_pixels`, UnsupportedFormat for a raw
    frame that is compressed in another way than PNG.
    """
    records = _records(fff)
    if _RAW not in records:
        raise BrokenImage("the radiometric JPEG holds no raw thermal frame")
    raw = _raw_frame(records[_RAW], max_pixels, read_jpeg)
    if _CAMERA not in records:
        return RawThermal(raw, None)
    camera = records[_CAMERA]
    return RawThermal(raw, _calibration(camera), _recorded(camera))


def fff_end(fff: bytes) -> int:
    """Where the last record ends, in bytes from the beginning; of `fff` the directory is enough."""
    return max(offset + length for _, offset, length in _directory(fff))


def _directory(fff: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, offset and length of each record."""
    if not fff.startswith((b"FFF\x00", b"AFF\x00")) or len(fff) < 64:
        raise BrokenImage("the radiometric JPEG's thermal part is damaged: no FFF header")
    # The version, 100 to a few hundred, is small in the right byte order alone.
    order = "<" if struct.unpack_from("<I", fff, 20)[0] < 0x10000 else ">"
    start, count = struct.unpack_from(order + "II", fff, 24)
    if not 1 <= count <= 1024 or start + 32 * count > len(fff):
        raise BrokenImage("the radiometric JPEG's thermal part is damaged: its directory")
    for entry in range(start, start + 32 * count, 32):
        kind, _, _, _, offset, length = struct.unpack_from(order + "HHIIII", fff, entry)
        yield kind, offset, length


def _records(fff: bytes) -> dict[int, bytes]:
    """The first record of each type."""
    records: dict[int, bytes] = {}
    for kind, offset, length in _directory(fff):
        if kind not in (_RAW, _CAMERA) or kind in records:
            continue
        if offset + length > len(fff):
            raise BrokenImage("the radiometric JPEG's thermal part is truncated")
        records[kind] = fff[offset : offset + length]
    return records


def _record_order(record: bytes) -> str:
    """Records begin with the number 2 in their own byte order."""
    if record[:2] == b"\x02\x00":
        return "<"
    if record[:2] == b"\x00\x02":
        return ">"
    raise BrokenImage("a record of the radiometric JPEG's thermal part is damaged")


def _raw_frame(
    record: bytes, max_pixels: int, read_jpeg: Callable[[bytes], NDArray[np.uint16]] | None
) -> NDArray[np.uint16]:
    if len(record) <= _PIXELS_AT:
        raise BrokenImage("the raw thermal frame is truncated")
    order = _record_order(record)
    width, height = struct.unpack_from(order + "HH", record, 2)
    check_size(width, height, max_pixels)
    pixels = record[_PIXELS_AT:]
    if pixels.startswith(b"\x89PNG"):
        return _raw_png(pixels, width, height, swapped=order == "<")
    if pixels.startswith(b"\xff\xd8\xff") and len(pixels) < 2 * width * height:
        if read_jpeg is None:
            raise UnsupportedFormat("a raw thermal frame stored as JPEG is not read")
        return _same_size(read_jpeg(pixels), width, height)
    if len(pixels) < 2 * width * height:
        raise BrokenImage("the raw thermal frame is truncated")
    flat = np.frombuffer(pixels, order + "u2", width * height)
    return flat.reshape(height, width).astype(np.uint16)


def _raw_png(data: bytes, width: int, height: int, *, swapped: bool) -> NDArray[np.uint16]:
    """PNG is big-endian by its standard; little-endian cameras write their own order into it."""
    header = read_header(data)
    if (header.width, header.height) != (width, height):
        raise BrokenImage("the raw thermal frame's size contradicts itself")
    raw = decode_with_opencv(plain_png(data), header)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise BrokenImage("the raw thermal frame is not of 16-bit numbers")
    return raw.byteswap() if swapped else raw


def _same_size(raw: NDArray[np.uint16], width: int, height: int) -> NDArray[np.uint16]:
    if raw.shape != (height, width) or raw.dtype != np.uint16:
        raise BrokenImage("the raw thermal frame's size contradicts itself")
    return raw


def _calibration(record: bytes) -> Calibration:
    order = _record_order(record)
    if len(record) < 784:
        raise BrokenImage("the radiometric JPEG's calibration is truncated")
    values = {
        name: float(struct.unpack_from(order + "f", record, offset)[0])
        for name, offset in _FLOATS.items()
    }
    return Calibration(o=float(struct.unpack_from(order + "i", record, _OFFSET_AT)[0]), **values)


def _recorded(record: bytes) -> float | None:
    if len(record) < _RECORDED_AT + 8:
        return None
    seconds, rest = struct.unpack_from(_record_order(record) + "II", record, _RECORDED_AT)
    return seconds + (rest & 0xFFFF) / 1000 if seconds else None
