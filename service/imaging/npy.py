"""NumPy's NPY files, read without its own reader: that one can run pickled code."""

import re
from typing import Final

import numpy as np

from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.sniff import npy_header
from service.imaging.stored import Header, Stored

_TYPES: Final = ("u1", "u2", "i2", "f4", "f8")
_TYPE: Final = re.compile(rb"'descr':\s*'([<>|=])([a-zA-Z]\d{1,2})'")
_FORTRAN: Final = re.compile(rb"'fortran_order':\s*(True|False)")


def decode_npy(data: bytes, header: Header) -> Stored:
    """uint8, uint16, int16, float32 or float64, `[H, W]` or `[H, W, 1]`, either byte order.

    Bytes after the array are ignored. Errors: UnsupportedFormat for other types (objects above
    all), BrokenImage if there are fewer numbers than the header says.
    """
    text, start = npy_header(data)
    kind, order = _TYPE.search(text), _FORTRAN.search(text)
    if kind is None or kind[2].decode() not in _TYPES:
        raise UnsupportedFormat(f"an NPY array must be of type {', '.join(_TYPES)}")
    if order is None:
        raise BrokenImage("the NPY header is damaged")
    byte_order = kind[1].decode().replace("|", "=")
    dtype = np.dtype(byte_order + kind[2].decode())
    count = header.width * header.height
    if len(data) - start < count * dtype.itemsize:
        raise BrokenImage("the NPY file is truncated")
    flat = np.frombuffer(data, dtype, count, start)
    shape = (header.height, header.width)
    pixels = flat.reshape(shape, order="F" if order[1] == b"True" else "C")
    return Stored(pixels.astype(dtype.newbyteorder("=")), "npy")
