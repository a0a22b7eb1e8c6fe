import numpy as np
import pytest

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.arrays import centikelvin, form_of, to_frame


@pytest.mark.parametrize(
    ("units", "unit", "scale"),
    [
        ("auto", PixelUnit.AUTO, 1.0),
        ("centikelvin", PixelUnit.KELVIN, 0.01),
        ("decikelvin", PixelUnit.KELVIN, 0.1),
        ("kelvin64", PixelUnit.KELVIN, 1 / 64),
        ("kelvin25", PixelUnit.KELVIN, 0.04),
        ("celsius", PixelUnit.CELSIUS, 1.0),
        ("kelvin", PixelUnit.KELVIN, 1.0),
        ("counts", PixelUnit.COUNTS, 1.0),
    ],
)
def test_sixteen_bits_are_sent_as_they_are(units: str, unit: PixelUnit, scale: float) -> None:
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    form = form_of(pixels, units, 9.0, live=True)
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.Y16, 4, 3)
    assert (form.unit, form.scale, form.offset) == (unit, scale, 0.0)
    assert (form.live, form.fps) == (True, 9.0)
    np.testing.assert_array_equal(to_frame(pixels, units), pixels)


def test_eight_bits_are_grey_and_have_no_units() -> None:
    pixels = np.zeros((3, 4), np.uint8)
    assert form_of(pixels, "auto", None).pixel_format is PixelFormat.GRAY8
    with pytest.raises(SourceError, match="8-bit"):
        form_of(pixels, "centikelvin", None)


@pytest.mark.parametrize("units", ["celsius", "kelvin"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_centikelvin(units: str, dtype: type[np.floating]) -> None:
    celsius = np.array([[-40.0, 0.0, 36.5]])
    pixels = (celsius + (273.15 if units == "kelvin" else 0.0)).astype(dtype)
    form = form_of(pixels, units, None)
    assert (form.unit, form.scale) == (PixelUnit.KELVIN, 0.01)
    sent = to_frame(pixels, units)
    assert sent.dtype == np.uint16
    tolerance = 13 if dtype is np.float16 else 1  # half floats step by 0.25 K near 300
    np.testing.assert_allclose(sent, [[23315, 27315, 30965]], atol=tolerance)


def test_a_frame_lies_row_by_row_whatever_the_array() -> None:
    pixels = np.asfortranarray(np.arange(12, dtype=np.uint16).reshape(3, 4))
    assert to_frame(pixels, "auto").tobytes() == pixels.tobytes("C")


def test_temperatures_beyond_the_scale_stay_at_its_ends() -> None:
    assert centikelvin(np.array([[-400.0, 1000.0]])).tolist() == [[0, 65535]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(SourceError, match="finite"):
        centikelvin(np.array([[20.0, value]]))


@pytest.mark.parametrize(
    ("pixels", "units", "words"),
    [
        (np.zeros((3, 4), np.float32), "auto", "units=celsius"),
        (np.zeros((3, 4), np.float32), "counts", "units=celsius"),
        (np.zeros((3, 4), np.int32), "auto", "int32"),
        (np.zeros((3, 4), np.uint16), "fahrenheit", "fahrenheit"),
        (np.zeros((3, 4, 3), np.uint8), "auto", "shape"),
    ],
)
def test_what_cannot_be_sent_is_named(pixels: np.ndarray, units: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        form_of(pixels, units, None)
