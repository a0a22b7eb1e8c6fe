"""Colour maps turned back; grey, photographs and unknown maps told from them."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.entities import ByteArray, Unit
from service.errors import InvalidOption
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.palettes import palette_tables
from tests.unit.service.imaging.files import encode, ramp

GREY = np.rint(ramp(160, 120) * 255).astype(np.uint8)
NAMES = list(palette_tables())


def painted(grey: ByteArray, palette: NDArray[np.floating]) -> ByteArray:
    return np.asarray(np.rint(palette).astype(np.uint8)[grey])


@pytest.mark.parametrize("name", NAMES)
def test_every_palette_is_told_from_the_others_and_turned_back(name: str) -> None:
    frame = decode_image(encode(".png", painted(GREY, palette_tables()[name])))
    assert (frame.unit, frame.source) == (Unit.GREY8, f"png8/{name}")
    assert frame.values.dtype == np.float32
    error = np.abs(frame.values - GREY)
    assert error.mean() < 0.5
    assert error.max() < 6


@pytest.mark.parametrize("name", NAMES)
def test_jpeg_compression_costs_a_few_steps(name: str) -> None:
    picture = painted(GREY, palette_tables()[name])
    frame = decode_image(encode(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 85))
    assert frame.source == f"jpeg8/{name}"
    assert np.abs(frame.values - GREY).mean() < 3


@pytest.mark.parametrize("extension", [".bmp", ".tiff"])
def test_containers_do_not_matter(extension: str) -> None:
    frame = decode_image(encode(extension, painted(GREY, palette_tables()["ironbow"])))
    assert frame.source == f"{extension[1:]}8/ironbow"
    assert np.abs(frame.values - GREY).mean() < 0.5


def test_sixteen_bit_colours_and_alpha() -> None:
    picture = painted(GREY, palette_tables()["jet"]).astype(np.uint16) * 257
    with_alpha = np.append(picture, np.full((*GREY.shape, 1), 9, np.uint16), axis=2)
    for pixels in (picture, with_alpha):
        frame = decode_image(encode(".png", pixels))
        assert frame.source == "png16/jet"
        assert np.abs(frame.values - GREY).mean() < 0.5


@pytest.mark.parametrize("variant", ["darker", "video range", "tinted", "five colours"])
def test_other_makers_versions_are_turned_back_without_jumps(variant: str) -> None:
    table = palette_tables()["ironbow"]
    if variant == "darker":
        table = table * 0.88
    elif variant == "video range":
        table = 16 + table * 219 / 255
    elif variant == "tinted":
        table = np.maximum(table, np.array([38.0, 12.0, 0.0]))
    else:
        # Five stops: blue 145,0,156 and so on, straight in between.
        table = palette_tables()["iron"]
    frame = decode_image(encode(".png", painted(GREY, table)))
    assert frame.source in ("png8/ironbow", "png8/iron")
    levels = np.array([frame.values[level == GREY].mean() for level in np.unique(GREY)])
    rises = np.diff(levels)
    assert np.corrcoef(np.unique(GREY), levels)[0, 1] > 0.99
    assert rises.min() > -3
    assert rises.max() < 9


def test_an_overlay_does_not_decide() -> None:
    picture = painted(GREY, palette_tables()["jet"])
    cv2.putText(picture, "36.5 C", (2, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 2)
    cv2.rectangle(picture, (100, 90), (158, 118), (0, 0, 0), -1)
    frame = decode_image(encode(".png", picture))
    assert frame.source == "png8/jet"
    assert np.median(np.abs(frame.values - GREY)) < 0.5


def test_a_grey_picture_with_a_coloured_overlay_is_grey() -> None:
    picture = cv2.cvtColor(GREY, cv2.COLOR_GRAY2BGR)
    cv2.rectangle(picture, (10, 10), (40, 20), (0, 0, 255), -1)
    frame = decode_image(encode(".png", picture))
    assert frame.source == "png8/grey"
    np.testing.assert_array_equal(frame.values[60:], GREY[60:])


@pytest.mark.parametrize("saturation", [1.0, 0.5, 0.25])
def test_photographs_fall_back_to_luma(saturation: float) -> None:
    random = np.random.default_rng(3)
    noise = random.normal(0, 1, (120, 160, 3)).astype(np.float32)
    colours = np.asarray(cv2.GaussianBlur(noise, (0, 0), 9), np.float32)
    colours = colours / colours.std(axis=(0, 1))
    mixed = saturation * colours + (1 - saturation) * colours.mean(axis=2, keepdims=True)
    picture = np.clip(128 + 55 * mixed / mixed.std(), 0, 255).astype(np.uint8)
    frame = decode_image(encode(".png", picture))
    assert (frame.unit, frame.source) == (Unit.GREY8, "png8/rgb-luma")
    luma = picture @ np.array([0.114, 0.587, 0.299])
    np.testing.assert_allclose(frame.values, luma, atol=1)


def test_a_single_colour_is_read_without_warnings() -> None:
    flat = np.full((20, 20, 3), (30, 40, 200), np.uint8)
    assert np.ptp(decode_image(encode(".png", flat)).values) == 0


def test_units_of_colours_cannot_be_named() -> None:
    data = encode(".png", painted(GREY, palette_tables()["jet"]))
    with pytest.raises(InvalidOption, match="colour"):
        decode_image(data, DecodeOptions(units="centikelvin"))
    assert decode_image(data, DecodeOptions(units="counts")).unit is Unit.GREY8
