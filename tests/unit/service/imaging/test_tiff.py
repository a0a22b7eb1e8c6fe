"""TIFF of all kinds that are read, against the writer's own numbers."""

import struct
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.entities import Unit
from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.palettes import palette_tables
from tests.unit.service.imaging.files import encode, ramp, tiff

GREY = (ramp(70, 50) * 255).astype(np.uint8)
DEEP = (ramp(70, 50) * 65535).astype(np.uint16)
FLOAT = (20 + 15 * ramp(70, 50)).astype(np.float32)
COLOUR = palette_tables()["jet"].astype(np.uint8)[GREY][:, :, ::-1]  # red first

LAYOUTS: list[dict[str, Any]] = [
    {},
    {"rowsperstrip": 7},
    {"byteorder": ">"},
    {"bigtiff": True},
    {"tile": (32, 16)},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": True, "rowsperstrip": 9},
    {"compression": "zlib", "predictor": True, "tile": (16, 32), "byteorder": ">"},
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pixels", [GREY, DEEP, (DEEP / 2).astype(np.int16), FLOAT])
def test_numbers_come_back_exactly(pixels: NDArray[Any], layout: dict[str, Any]) -> None:
    if pixels.dtype == np.float32 and layout.get("predictor"):
        layout = {**layout, "predictor": False}
    np.testing.assert_array_equal(decode_image(tiff(pixels, **layout)).values, pixels)


def test_units_and_sources() -> None:
    seen = {decode_image(tiff(pixels)).source: decode_image(tiff(pixels)).unit
            for pixels in (GREY, DEEP, FLOAT, FLOAT.astype(np.float64))}  # fmt: skip
    assert seen == {
        "tiff8/grey": Unit.GREY8,
        "tiff16/counts": Unit.COUNTS,
        "tiff-float32/celsius": Unit.CELSIUS,
        "tiff-float64/celsius": Unit.CELSIUS,
    }


@pytest.mark.parametrize("compression", [5, 32773])
@pytest.mark.parametrize("pixels", [GREY, DEEP])
def test_lzw_and_packbits(pixels: NDArray[Any], compression: int) -> None:
    data = encode(".tiff", pixels, cv2.IMWRITE_TIFF_COMPRESSION, compression)
    np.testing.assert_array_equal(decode_image(data).values, pixels)
    with pytest.raises(BrokenImage):
        decode_image(data[: len(data) // 2])


def test_floats_with_opencvs_compression() -> None:
    data = encode(".tiff", FLOAT, cv2.IMWRITE_TIFF_COMPRESSION, 5)
    np.testing.assert_array_equal(decode_image(data).values, FLOAT)


def test_only_the_first_page_is_read() -> None:
    pages = np.stack([DEEP, DEEP[::-1], DEEP // 2])
    np.testing.assert_array_equal(decode_image(tiff(pages, photometric="minisblack")).values, DEEP)


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_and_alpha(layout: dict[str, Any], planar: str) -> None:
    alpha = np.full((*GREY.shape, 1), 99, np.uint8)
    for channels in (COLOUR, np.append(COLOUR, alpha, axis=2)):
        stored = np.moveaxis(channels, 2, 0) if planar == "separate" else channels
        extra = {"extrasamples": ["unassalpha"]} if channels.shape[2] == 4 else {}
        frame = decode_image(
            tiff(stored, photometric="rgb", planarconfig=planar, **extra, **layout)
        )
        assert frame.source == "tiff8/jet"
        assert np.abs(frame.values - GREY).mean() < 1


def test_grey_with_alpha_keeps_sixteen_bits() -> None:
    both = np.stack([DEEP, DEEP[::-1]], axis=2)
    data = tiff(both, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(decode_image(data).values, DEEP)


def test_a_palettes_colours_are_applied() -> None:
    table = palette_tables()["jet"].astype(np.uint16)[:, ::-1].T * 257
    frame = decode_image(tiff(GREY, photometric="palette", colormap=table))
    assert frame.source == "tiff8/jet"
    assert np.abs(frame.values - GREY).mean() < 1


@pytest.mark.parametrize("compression", [None, 5])
def test_white_is_low_is_turned_round_unless_the_numbers_are_temperatures(
    compression: int | None,
) -> None:
    def low(pixels: NDArray[Any]) -> bytes:
        if compression is None:
            return tiff(pixels, photometric="miniswhite")
        data = bytearray(encode(".tiff", pixels, cv2.IMWRITE_TIFF_COMPRESSION, compression))
        entry = data.index(struct.pack("<HHI", 262, 3, 1), 8)
        struct.pack_into("<H", data, entry + 8, 0)
        return bytes(data)

    np.testing.assert_array_equal(decode_image(low(GREY)).values, 255.0 - GREY)
    np.testing.assert_array_equal(decode_image(low(DEEP)).values, 65535.0 - DEEP)
    kelvin = (29_500 + 800 * ramp(70, 50)).astype(np.uint16)
    np.testing.assert_allclose(decode_image(low(kelvin)).values, kelvin / 100 - 273.15, atol=1e-3)


@pytest.mark.parametrize("compression", [None, 5])
def test_orientation_leaves_the_stored_grid(compression: int | None) -> None:
    if compression is None:
        data = tiff(DEEP, extratags=[(274, "H", 1, 6, True)])
    else:
        # Samples per pixel (tag 277), which is 1 without being said, becomes an orientation.
        encoded = bytearray(encode(".tiff", DEEP, cv2.IMWRITE_TIFF_COMPRESSION, compression))
        entry = encoded.index(struct.pack("<HHI", 277, 3, 1), 8)
        struct.pack_into("<HHIHH", encoded, entry, 274, 3, 1, 6, 0)
        data = bytes(encoded)
    np.testing.assert_array_equal(decode_image(data).values, DEEP)


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib", "rowsperstrip": 8}])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_truncated_files_are_broken(layout: dict[str, Any], kept: float) -> None:
    data = tiff(DEEP, **layout)
    with pytest.raises(BrokenImage):
        decode_image(data[: int(len(data) * kept)])


def test_other_kinds_are_unsupported() -> None:
    for pixels in (DEEP.astype(np.uint32), GREY > 100, np.stack([FLOAT, FLOAT], axis=2) + 0j):
        with pytest.raises(UnsupportedFormat):
            decode_image(tiff(pixels, photometric="minisblack", planarconfig="contig")
                         if pixels.ndim == 3 else tiff(pixels))  # fmt: skip
    with pytest.raises(UnsupportedFormat, match="compression 34925"):
        decode_image(tiff(DEEP, compression="lzma"))


def test_a_tiny_tile_full_of_zeros_cannot_ask_for_gigabytes() -> None:
    data = bytearray(tiff(GREY, tile=(64, 80), compression="zlib"))
    entry = data.index(struct.pack("<H", 322), 8)
    struct.pack_into("<HII", data, entry + 2, 4, 1, 2**30)
    with pytest.raises(BrokenImage, match="tiles"):
        decode_image(bytes(data))


def test_strips_that_share_their_bytes_are_refused() -> None:
    data = bytearray(tiff(GREY, rowsperstrip=1))
    entry = data.index(struct.pack("<HH", 279, 3), 8)
    (where,) = struct.unpack_from("<I", data, entry + 8)
    for index in range(GREY.shape[0]):
        struct.pack_into("<H", data, where + 2 * index, len(data) // 2)
    with pytest.raises(BrokenImage, match="truncated"):
        decode_image(bytes(data))


def test_a_named_unit_beats_the_guess() -> None:
    frame = decode_image(tiff(DEEP // 64 + 7200), DecodeOptions(units="kelvin25"))
    assert (frame.unit, frame.source) == (Unit.CELSIUS, "tiff16/kelvin25")
