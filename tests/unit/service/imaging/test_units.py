"""Units: each scale is found on scenes with people in them, and nothing is guessed into counts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.errors import InvalidOption
from service.imaging.options import UNITS, DecodeOptions
from service.imaging.units import to_celsius
from tests.unit.service.imaging.files import ramp

ROOM = 19.0 + 17.0 * ramp(160, 120)  # Celsius: walls to skin
FACTORS = {"centikelvin": 100.0, "decikelvin": 10.0, "kelvin64": 64.0, "kelvin25": 25.0}


def stored(celsius: NDArray[Any], units: str) -> NDArray[np.uint16]:
    return np.rint((celsius + 273.15) * FACTORS[units]).astype(np.uint16)


@pytest.mark.parametrize("units", ["centikelvin", "decikelvin", "kelvin64"])
def test_whole_numbers_are_recognised(units: str) -> None:
    values, found = to_celsius(stored(ROOM, units), "auto")
    assert found == units
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, ROOM, atol=0.5 / FACTORS[units] + 1e-3)


@pytest.mark.parametrize("units", ["centikelvin", "decikelvin"])
@pytest.mark.parametrize("middle", [-15.0, 0.0, 22.0, 45.0])
def test_cold_and_hot_scenes_are_recognised(units: str, middle: float) -> None:
    celsius = middle + 10.0 * (ramp(160, 120) - 0.5)
    celsius[:4, :4] = 150.0  # a lamp
    celsius[-4:, :4] = -19.0  # the sky in a window
    assert to_celsius(stored(celsius, units), "auto")[1] == units


def test_telemetry_rows_and_dead_pixels_do_not_mislead() -> None:
    frame = stored(ROOM, "centikelvin")
    frame[-2:] = 0
    frame[5, 7] = 65535
    assert to_celsius(frame, "auto")[1] == "centikelvin"


@pytest.mark.parametrize(
    "frame",
    [
        (ramp() * 65535).astype(np.uint16),  # stretched over all of 16 bits
        (7400 + 300 * ramp()).astype(np.uint16),  # a 14-bit core: also kelvin x 25
        (32768 + 400 * ramp()).astype(np.uint16),  # signed numbers moved up
        (100 * ramp()).astype(np.uint16),
        (12000 + 900 * ramp()).astype(np.uint16),
        (ramp() * 300 - 100).astype(np.int16),
        ramp(),  # scaled to one
        2 * ramp() - 1,
        (ramp() - ramp().mean()) / ramp().std(),  # standardised
        np.rint(255 * ramp()).astype(np.float32),  # grey as floats
        1000 + 500 * ramp(),
        np.zeros((20, 20), np.float32),
    ],
)
def test_ambiguous_numbers_stay_counts(frame: NDArray[Any]) -> None:
    values, found = to_celsius(frame, "auto")
    assert found == "counts"
    np.testing.assert_array_equal(values, frame.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fractions_are_celsius_or_kelvin_by_range(dtype: type) -> None:
    for offset, expected in ((0.0, "celsius"), (273.15, "kelvin")):
        values, found = to_celsius((ROOM + offset).astype(dtype), "auto")
        assert found == expected
        np.testing.assert_allclose(values, ROOM, atol=1e-4)


def test_centikelvin_kept_in_floats_is_recognised() -> None:
    assert to_celsius(stored(ROOM, "centikelvin").astype(np.float32), "auto")[1] == "centikelvin"


@pytest.mark.parametrize("units", FACTORS)
def test_a_named_unit_is_taken_at_its_word(units: str) -> None:
    values, found = to_celsius(stored(ROOM, units), units)
    assert found == units
    np.testing.assert_allclose(values, ROOM, atol=0.5 / FACTORS[units] + 1e-3)


def test_counts_can_be_named_for_numbers_that_look_like_temperatures() -> None:
    frame = stored(ROOM, "centikelvin")
    np.testing.assert_array_equal(to_celsius(frame, "counts")[0], frame.astype(np.float32))


@pytest.mark.parametrize(
    ("units", "value"), [("celsius", 30_000), ("centikelvin", 120), ("kelvin", 30), ("kelvin64", 9)]
)
def test_units_that_cannot_be_true_are_refused(units: str, value: int) -> None:
    with pytest.raises(InvalidOption, match="median"):
        to_celsius(np.full((20, 20), value, np.uint16), units)


def test_bytes_are_grey_unless_named() -> None:
    frame = np.full((20, 20), 35, np.uint8)
    assert to_celsius(frame, "auto")[1] == "counts"
    assert to_celsius(frame, "celsius")[0].max() == 35.0


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["centikelvin", "decikelvin"]),
    st.floats(-18, 48),
    st.floats(0, 25),
    st.integers(8, 40),
)
def test_any_believable_scene_is_recognised_at_any_size(
    units: str, middle: float, spread: float, side: int
) -> None:
    picture = ramp(side, side)
    celsius = middle + spread * (picture - np.median(picture))
    assert to_celsius(stored(celsius, units), "auto")[1] == units


def test_options_refuse_what_is_not_allowed() -> None:
    for wrong in (
        {"units": "fahrenheit"},
        {"polarity": "hot"},
        {"rotate": 45},
        {"emissivity": 0.0},
        {"emissivity": 1.01},
        {"emissivity": float("nan")},
        {"max_bytes": 0},
        {"max_pixels": 0},
    ):
        with pytest.raises(InvalidOption):
            DecodeOptions(**wrong)
    for units in UNITS:
        DecodeOptions(units=units, emissivity=1.0, polarity="black-hot", rotate=270)
