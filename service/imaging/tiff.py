"""TIFF: the first picture of a file, with its stored numbers untouched.

The directory, plain and deflated data are read here, within bounds: general readers allocate what
a hostile tag says, inflate without end, or cut 16 bits to 8. LZW and PackBits go to OpenCV.
"""

import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.stored import Header, Stored, decode_with_opencv, drop_extra_channels
from service.imaging.tiff_directory import Directory, read_directory

_PLAIN, _LZW, _PACKBITS, _DEFLATE = 1, 5, 32773, (8, 32946)
_READABLE: Final = (_PLAIN, _LZW, _PACKBITS, *_DEFLATE)
_MIN_IS_WHITE, _RGB, _PALETTE = 0, 2, 3
_TYPES: Final = {(8, 1): "u1", (16, 1): "u2", (16, 2): "i2", (32, 3): "f4", (64, 3): "f8"}


@dataclass(frozen=True)
class _Layout:
    """How the numbers lie in the file. Strips are blocks as wide as the picture."""

    dtype: np.dtype[Any]
    samples: int  # numbers a pixel
    separate: bool  # each sample in blocks of its own
    compression: int
    predictor: int
    photometric: int
    tiled: bool
    block_width: int
    block_height: int

    def where(self, directory: Directory) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Offsets and byte counts of all blocks."""
        offsets, counts = (324, 325) if self.tiled else (273, 279)
        return directory.values(offsets), directory.values(counts)


def decode_tiff(data: bytes, header: Header) -> Stored:
    """The first picture: uint8, uint16, int16, float32 or float64, grey, RGB or palette.

    Plain, deflate, LZW or PackBits; classic or BigTIFF; strips or tiles. Orientation is not
    applied, alpha is dropped. Errors: UnsupportedFormat for other kinds, BrokenImage for damage.
    """
    directory = read_directory(data)
    layout = _layout(directory, header)
    _check_blocks(data, directory, layout, header)
    by_hand = layout.compression == _PLAIN or layout.compression in _DEFLATE
    if by_hand and layout.predictor in (1, 2):
        pixels = drop_extra_channels(_read_blocks(data, directory, layout, header))
        if layout.photometric == _PALETTE:
            pixels = _apply_palette(pixels, directory)
        elif pixels.ndim == 3:
            pixels = pixels[:, :, ::-1]
        return Stored(pixels, "tiff", layout.photometric == _MIN_IS_WHITE)
    if layout.samples not in (1, 3):
        raise UnsupportedFormat("TIFF with alpha is read only plain or deflated")
    pixels = decode_with_opencv(directory.without_orientation(data), header)
    expected = layout.dtype.newbyteorder("=")
    if pixels.dtype != expected:
        raise BrokenImage("the TIFF data is damaged")
    # OpenCV has turned 8-bit MinIsWhite the right way already, deeper ones not.
    white_is_low = layout.photometric == _MIN_IS_WHITE and expected != np.uint8
    return Stored(pixels, "tiff", white_is_low)


def _layout(directory: Directory, header: Header) -> _Layout:
    bits, kinds = directory.values(258, 1), directory.values(339, 1)
    kind = (bits[0], kinds[0])
    if kind not in _TYPES or len({*bits}) > 1 or len({*kinds}) > 1:
        raise UnsupportedFormat(f"TIFF with {bits[0]} bits a sample of kind {kinds[0]} is not read")
    compression, photometric = directory.value(259, 1), directory.value(262, 1)
    if compression not in _READABLE:
        raise UnsupportedFormat(f"TIFF compression {compression} is not read")
    samples = directory.value(277, 1)
    colours = 3 if photometric == _RGB else 1
    if photometric > _PALETTE or not colours <= samples <= colours + 1:
        raise UnsupportedFormat("only grey, RGB and palette TIFF are read, with at most one alpha")
    if photometric in (_RGB, _PALETTE) and kind[1] != 1:
        raise UnsupportedFormat("colour TIFF must be of unsigned numbers")
    if directory.value(266, 1) != 1:
        raise UnsupportedFormat("TIFF with reversed bits is not read")
    tiled = directory.has(322)
    width = directory.value(322, 0) if tiled else header.width
    height = directory.value(323, 0) if tiled else directory.value(278, header.height)
    if tiled and (min(width, height) < 16 or width * height > 2**20 + header.width * header.height):
        raise BrokenImage(f"the TIFF claims tiles of {width} x {height}")
    if height < 1:
        raise BrokenImage("the TIFF claims strips without rows")
    return _Layout(
        dtype=np.dtype(directory.order + _TYPES[kind]),
        samples=samples,
        separate=directory.value(284, 1) == 2 and samples > 1,
        compression=compression,
        predictor=directory.value(317, 1),
        photometric=photometric,
        tiled=tiled,
        block_width=width,
        block_height=height if tiled else min(height, header.height),
    )


def _check_blocks(data: bytes, directory: Directory, layout: _Layout, header: Header) -> None:
    """BrokenImage unless all strips or tiles are listed, and can lie in the file side by side."""
    across = -(-header.width // layout.block_width)
    down = -(-header.height // layout.block_height)
    planes = layout.samples if layout.separate else 1
    offsets, counts = layout.where(directory)
    if not len(offsets) == len(counts) == across * down * planes:
        raise BrokenImage("the TIFF directory does not list all strips or tiles")
    # Strips that share bytes would let a small file ask for endless work.
    ends = (offset + count for offset, count in zip(offsets, counts, strict=True))
    if sum(counts) > len(data) or max(ends) > len(data):
        raise BrokenImage("the TIFF is truncated")


def _read_blocks(
    data: bytes, directory: Directory, layout: _Layout, header: Header
) -> NDArray[Any]:
    """All strips or tiles put together: `[H, W, samples]`, native byte order."""
    offsets, counts = layout.where(directory)
    across = -(-header.width // layout.block_width)
    per_plane = len(offsets) // (layout.samples if layout.separate else 1)
    out = np.empty((header.height, header.width, layout.samples), layout.dtype.newbyteorder("="))
    for index, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        plane, place = divmod(index, per_plane)
        top, left = place // across * layout.block_height, place % across * layout.block_width
        # The last strip is cut at the picture's edge, tiles are always whole.
        whole = layout.tiled or top + layout.block_height <= header.height
        rows = layout.block_height if whole else header.height - top
        block = _block(data[offset : offset + count], rows, layout)
        target = out[top : top + rows, left : left + layout.block_width]
        block = block[: target.shape[0], : target.shape[1]]
        if layout.separate:
            target[:, :, plane] = block[:, :, 0]
        else:
            target[:] = block
    return out


def _block(stored: bytes, rows: int, layout: _Layout) -> NDArray[Any]:
    samples = 1 if layout.separate else layout.samples
    needed = rows * layout.block_width * samples * layout.dtype.itemsize
    if layout.compression != _PLAIN:
        try:
            stored = zlib.decompressobj().decompress(stored, needed)
        except zlib.error as error:
            raise BrokenImage("the TIFF data is damaged") from error
    if len(stored) < needed:
        raise BrokenImage("the TIFF is truncated")
    block = np.frombuffer(stored, layout.dtype, needed // layout.dtype.itemsize)
    block = block.reshape(rows, layout.block_width, samples)
    if layout.predictor == 2:
        native = layout.dtype.newbyteorder("=")
        if native.kind == "f":
            raise UnsupportedFormat("TIFF with a horizontal predictor on floats is not read")
        block = np.cumsum(block, axis=1, dtype=native)  # differences, wrapping around
    return block


def _apply_palette(indices: NDArray[Any], directory: Directory) -> NDArray[np.uint8]:
    """Palette indices to `[H, W, 3]` blue, green, red."""
    colours = directory.values(320)
    if indices.dtype != np.uint8 or len(colours) != 3 * 256:
        raise BrokenImage("the TIFF's palette is missing or does not fit")
    table = (np.array(colours, np.uint16).reshape(3, 256) >> 8).astype(np.uint8)
    picture: NDArray[np.uint8] = table[::-1].T[indices]
    return picture
