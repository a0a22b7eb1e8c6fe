"""Writers of small image files for the tests, damaged ones and radiometric JPEGs among them."""

import io
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from service.entities import FloatArray

# A sensor as cameras describe theirs: Planck constants, then the air's.
SENSOR: Final[dict[str, float]] = {
    "emissivity": 0.95, "distance": 1.0, "reflected": 293.15, "atmosphere": 293.15,
    "window": 293.15, "window_transmission": 1.0, "humidity": 0.5,
    "r1": 17000.0, "b": 1435.0, "f": 1.0, "r2": 0.0145,
    "alpha1": 0.006569, "alpha2": 0.01262, "beta1": -0.002276, "beta2": -0.00667, "x": 1.9,
}  # fmt: skip
SENSOR_O: Final = -7100
_PLACES: Final[dict[str, int]] = {
    "emissivity": 32, "distance": 36, "reflected": 40, "atmosphere": 44, "window": 48,
    "window_transmission": 52, "humidity": 60, "r1": 88, "b": 92, "f": 96,
    "alpha1": 112, "alpha2": 116, "beta1": 120, "beta2": 124, "x": 128, "r2": 780,
}  # fmt: skip


def ramp(width: int = 40, height: int = 30) -> FloatArray:
    """A smooth picture `[H, W]` from 0 to 1 with no row or column like another."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = np.sin(x / width * 5.0) * np.cos(y / height * 4.0) + 0.6 * x / width + 0.3 * y / height
    return np.asarray((wave - wave.min()) / np.ptp(wave), np.float32)


def encode(extension: str, pixels: NDArray[Any], *settings: int) -> bytes:
    done, data = cv2.imencode(extension, pixels, list(settings))
    assert done
    return data.tobytes()


def tiff(pixels: NDArray[Any], **how: Any) -> bytes:
    file = io.BytesIO()
    how.setdefault("photometric", "minisblack" if pixels.ndim == 2 else "rgb")
    tifffile.imwrite(file, pixels, metadata=None, **how)
    return file.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    chunks, position = [], 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        chunks.append((kind, data[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def png_from(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    out = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        out += [struct.pack(">I", len(body)), kind, body, checksum]
    return b"".join(out)


def camera_record(order: str, changes: Mapping[str, float] | None = None) -> bytes:
    record = bytearray(1000)
    record[:2] = struct.pack(order + "H", 2)
    for name, value in {**SENSOR, **(changes or {})}.items():
        struct.pack_into(order + "f", record, _PLACES[name], value)
    struct.pack_into(order + "i", record, 776, SENSOR_O)
    return bytes(record)


def raw_record(raw: NDArray[np.uint16], order: str, *, as_png: bool) -> bytes:
    height, width = raw.shape
    head = struct.pack(order + "HHH", 2, width, height).ljust(32, b"\x00")
    if not as_png:
        return head + raw.astype(order + "u2").tobytes()
    # Little-endian cameras put their own byte order into the PNG, against its standard.
    return head + encode(".png", raw.byteswap() if order == "<" else raw)


def fff(records: Iterable[tuple[int, bytes]], order: str = ">") -> bytes:
    entries, body = b"", b""
    listed = list(records)
    start = 64 + 32 * len(listed)
    for kind, record in listed:
        place = struct.pack(order + "HHIIII", kind, 1, 100, 1, start + len(body), len(record))
        entries += place.ljust(32, b"\x00")
        body += record
    head = b"FFF\x00".ljust(20, b"\x00") + struct.pack(order + "III", 100, 64, len(listed))
    return head.ljust(64, b"\x00") + entries + body


def wrap_in_jpeg(content: bytes, segment: int = 60_000) -> bytes:
    """A JPEG picture, unlike the thermal frame in size, with `content` in FLIR segments."""
    picture = encode(".jpg", np.full((48, 64), 90, np.uint8))
    parts = [content[i : i + segment] for i in range(0, len(content), segment)]
    segments = b""
    for index, part in enumerate(parts):
        head = b"FLIR\x00\x01" + bytes([index, len(parts) - 1])
        segments += b"\xff\xe1" + struct.pack(">H", 2 + len(head) + len(part)) + head + part
    return picture[:2] + segments + picture[2:]


def radiometric_jpeg(
    raw: NDArray[np.uint16],
    order: str = "<",
    *,
    as_png: bool = True,
    directory_order: str = ">",
    changes: Mapping[str, float] | None = None,
    segment: int = 60_000,
) -> bytes:
    """A whole radiometric JPEG of uint16 raw counts `[H, W]`."""
    records = [
        (32, camera_record(order, changes)),
        (1, raw_record(raw, order, as_png=as_png)),
    ]
    return wrap_in_jpeg(fff(records, directory_order), segment)
