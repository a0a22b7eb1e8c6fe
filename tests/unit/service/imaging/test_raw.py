import math
from typing import Any

import numpy as np
import pytest

from service.entities import Unit
from service.errors import (
    BrokenImage,
    EmptyInput,
    InputTooLarge,
    InvalidOption,
    ServiceError,
    UnsupportedFormat,
)
from service.imaging.options import DecodeOptions
from service.imaging.raw import FrameFormat, decode_frame
from tests.gateways import good_image, good_values

VALUES = good_values()
HEIGHT, WIDTH = VALUES.shape
AS_IS = DecodeOptions()


def y16(**changes: Any) -> FrameFormat:
    return FrameFormat(**{"pixels": "y16", "width": WIDTH, "height": HEIGHT, **changes})


def test_gray8() -> None:
    pixels = (np.arange(80) * 3).astype(np.uint8).reshape(8, 10)
    frame = decode_frame(pixels.tobytes(), FrameFormat("gray8", 10, 8), AS_IS)
    assert (frame.unit, frame.source) == (Unit.GREY8, "gray8")
    assert frame.values.dtype == np.float32
    assert np.array_equal(frame.values, pixels)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize(
    ("unit", "scale", "offset", "stored"),
    [
        ("kelvin", 0.01, 0.0, lambda celsius: (celsius + 273.15) / 0.01),
        ("kelvin", 0.04, 0.0, lambda celsius: (celsius + 273.15) / 0.04),
        ("celsius", 0.1, -100.0, lambda celsius: (celsius + 100.0) / 0.1),
        ("auto", 1.0, 0.0, lambda celsius: (celsius + 273.15) / 0.01),
    ],
)
def test_y16_temperatures(order: str, unit: str, scale: float, offset: float, stored: Any) -> None:
    celsius = VALUES / 100 - 273.15
    data = np.round(stored(celsius)).astype(order).tobytes()
    form = y16(unit=unit, scale=scale, offset=offset, big_endian=order == ">u2")
    frame = decode_frame(data, form, AS_IS)
    assert frame.unit is Unit.CELSIUS
    assert frame.values == pytest.approx(celsius, abs=0.51 * max(scale, 0.01) + 1e-3)


def test_y16_counts() -> None:
    frame = decode_frame(VALUES.astype("<u2").tobytes(), y16(unit="counts"), AS_IS)
    assert (frame.unit, frame.source) == (Unit.COUNTS, "y16/counts")
    assert np.array_equal(frame.values, VALUES)


def test_polarity() -> None:
    black_hot = DecodeOptions(polarity="black-hot")
    assert decode_frame(VALUES.tobytes(), y16(), black_hot).black_hot


def test_impossible_temperatures() -> None:
    with pytest.raises(InvalidOption, match="median"):
        decode_frame(VALUES.tobytes(), y16(unit="kelvin", scale=1.0), AS_IS)


def test_files_are_those_of_decode_image() -> None:
    frame = decode_frame(good_image(), FrameFormat("png"), AS_IS)
    assert (frame.unit, frame.source) == (Unit.CELSIUS, "png16/centikelvin")


@pytest.mark.parametrize(
    ("form", "data", "error"),
    [
        (y16(), b"", EmptyInput),
        (y16(), VALUES.tobytes()[:-1], BrokenImage),
        (y16(), VALUES.tobytes() + b"\0", BrokenImage),
        (FrameFormat("png"), b"", EmptyInput),
        (FrameFormat("png"), good_image()[:100], BrokenImage),
        (FrameFormat("jpeg"), good_image(), UnsupportedFormat),
        (FrameFormat("jpeg"), b"x", UnsupportedFormat),
    ],
)
def test_bad_frames(form: FrameFormat, data: bytes, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        decode_frame(data, form, AS_IS)


@pytest.mark.parametrize(
    "fields",
    [
        {"pixels": "yuv"},
        {"pixels": "png", "width": 10, "height": 10},
        {"pixels": "gray8"},
        {"pixels": "gray8", "width": 7, "height": 100},
        {"pixels": "y16", "width": 10, "height": 10, "unit": "fahrenheit"},
        {"pixels": "y16", "width": 10, "height": 10, "unit": "kelvin", "scale": 0.0},
        {"pixels": "y16", "width": 10, "height": 10, "unit": "kelvin", "scale": math.nan},
        {"pixels": "y16", "width": 10, "height": 10, "unit": "celsius", "offset": math.inf},
        {"pixels": "y16", "width": 10, "height": 10, "unit": "counts", "scale": 0.01},
        {"pixels": "y16", "width": 10, "height": 10, "offset": 1.0},
    ],
)
def test_bad_formats(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption):
        FrameFormat(**fields)


def test_size_is_checked_without_a_frame() -> None:
    huge = FrameFormat("y16", 2**31, 2**31)
    with pytest.raises(InputTooLarge):
        huge.check_size(16_000_000)
    FrameFormat("png").check_size(1)  # its header will say
