"""NPY without NumPy's own reader, so without its pickles."""

from typing import Any

import numpy as np
import pytest

from service.entities import Unit
from service.errors import BrokenImage, UnsupportedFormat
from service.imaging.decode import DecodeOptions, decode_checked, decode_image
from tests.unit.service.imaging.files import npy, ramp

CELSIUS = (20 + 15 * ramp()).astype(np.float32)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_come_back_exactly(dtype: str, order: Any) -> None:
    array = np.asarray(ramp() * 100 + 1, dtype, order=order)
    frame = decode_image(npy(array))
    np.testing.assert_array_equal(frame.values, array.astype(np.float32))
    assert frame.values.dtype == np.dtype("=f4")


def test_a_last_axis_of_one_is_dropped() -> None:
    frame = decode_image(npy(CELSIUS[:, :, None]))
    np.testing.assert_array_equal(frame.values, CELSIUS)
    assert (frame.unit, frame.source) == (Unit.CELSIUS, "npy-float32/celsius")


@pytest.mark.parametrize(
    "array",
    [
        np.array([[None] * 10] * 10, dtype=object),
        np.zeros((10, 10), np.complex64),
        np.zeros((10, 10), np.uint32),
        np.zeros((10, 10), np.bool_),
        np.zeros((10, 10), "U3"),
        np.zeros((10, 10), [("a", "f4")]),
        np.zeros((10, 10, 3), np.uint8),
        np.zeros((4, 10, 10), np.float32),
        np.zeros(100, np.float32),
        np.float32(3.0),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_other_arrays_are_unsupported(array: Any) -> None:
    with pytest.raises(UnsupportedFormat):
        decode_image(npy(array))


@pytest.mark.parametrize("kept", [7, 9, 40, 127, 128, 500, -1])
def test_truncated_files_are_broken(kept: int) -> None:
    with pytest.raises(BrokenImage):
        decode_image(npy(CELSIUS)[:kept])


@pytest.mark.parametrize("shape", [b"(30, 1/0),", b"(30  40), ", b"(30,-40), ", b"30, 40,   "])
def test_a_shape_that_is_none_is_broken(shape: bytes) -> None:
    """Code in a header is not run."""
    with pytest.raises(BrokenImage):
        decode_checked(npy(CELSIUS).replace(b"(30, 40), ", shape, 1), DecodeOptions())


def test_missing_values_get_the_median_while_they_are_few() -> None:
    holes = CELSIUS.copy()
    holes[3, 4:9] = np.nan
    holes[20, 1] = np.inf
    holes[21, 1] = -3.4e38
    filled = decode_image(npy(holes)).values
    present = np.isfinite(holes) & (np.abs(holes) < 1e9)
    np.testing.assert_array_equal(filled[present], holes[present])
    np.testing.assert_allclose(filled[~present], np.median(holes[present]), rtol=1e-6)


@pytest.mark.parametrize("fill", [np.nan, np.inf, 1e30])
def test_frames_that_are_mostly_missing_are_broken(fill: float) -> None:
    holes = CELSIUS.copy()
    holes[:4] = fill
    with pytest.raises(BrokenImage, match="160 of the frame's 1200 pixels"):
        decode_image(npy(holes))


def test_doubles_beyond_floats_are_missing_values() -> None:
    holes = CELSIUS.astype(np.float64)
    holes[0, 0] = 1e300
    assert np.isfinite(decode_image(npy(holes)).values).all()
