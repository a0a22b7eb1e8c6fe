"""Gain control: the arithmetic that a method's name stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some

from service.entities import FloatArray
from service.errors import InvalidOption
from service.imaging.normalisation import (
    DEFAULT_NORMALISATION,
    NORMALISATIONS,
    OUTSIDE,
    normalise,
    resolve_normalisation,
)
from tests.unit.service.imaging.files import ramp

SCENE = (20 + 15 * ramp(160, 120)).astype(np.float32)


def test_auto_stands_for_the_default_and_unknown_names_are_refused() -> None:
    assert resolve_normalisation("auto") == DEFAULT_NORMALISATION == "linear-v1"
    for name in NORMALISATIONS:
        assert resolve_normalisation(name) == name
    with pytest.raises(InvalidOption) as caught:
        resolve_normalisation("linear")
    assert caught.value.extra["allowed"] == ["auto", *NORMALISATIONS]


@pytest.mark.parametrize("method", NORMALISATIONS)
@pytest.mark.parametrize("values", [SCENE, SCENE * 1800, np.full((30, 40), 7.0, np.float32)])
def test_any_range_becomes_bytes(values: FloatArray, method: str) -> None:
    grey = normalise(values, method)
    assert grey.dtype == np.uint8
    assert grey.shape == values.shape


def test_linear_keeps_the_order_and_uses_all_levels() -> None:
    grey = normalise(SCENE).astype(int)
    order = np.argsort(SCENE, axis=None)
    assert (np.diff(grey.reshape(-1)[order]) >= 0).all()
    assert (grey.min(), grey.max()) == (0, 255)


def test_a_few_hot_pixels_do_not_cost_contrast() -> None:
    with_lamp = SCENE.copy()
    with_lamp.reshape(-1)[::400] = 500.0
    change = np.abs(normalise(with_lamp).astype(int) - normalise(SCENE))
    assert np.median(change) <= 2


def test_minmax_is_exact() -> None:
    values = np.array([[0.0, 1.0], [2.0, 4.0]], np.float32)
    assert normalise(values, "minmax-v1").tolist() == [[0, 64], [128, 255]]


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_gain_and_offset_of_the_unit_do_not_matter(method: str) -> None:
    counts = (SCENE + 273.15) * 100
    change = np.abs(normalise(SCENE, method).astype(int) - normalise(counts, method))
    assert change.max() <= (8 if method == "clahe-v1" else 1)


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_black_hot_is_the_negative(method: str) -> None:
    np.testing.assert_array_equal(
        normalise(SCENE, method, black_hot=True), normalise(-SCENE, method)
    )


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_pixels_outside_do_not_count(method: str) -> None:
    inside = np.ones(SCENE.shape, bool)
    inside[:, 100:] = False
    other = SCENE.copy()
    other[:, 100:] = 1e6
    grey = normalise(other, method, inside=inside)
    assert (grey[:, 100:] == OUTSIDE).all()
    if method != "clahe-v1":  # its tiles look across the border
        np.testing.assert_array_equal(grey, normalise(SCENE, method, inside=inside))


def test_one_pixel_inside_is_enough() -> None:
    inside = np.zeros(SCENE.shape, bool)
    inside[5, 5] = True
    for method in NORMALISATIONS:
        normalise(SCENE, method, inside=inside)


@settings(deadline=None, max_examples=60)
@given(
    some.arrays(np.float32, (9, 11), elements=st.floats(-1e9, 1e9, width=32)),
    st.sampled_from(sorted(NORMALISATIONS)),
    st.booleans(),
)
def test_any_decoded_values_are_normalised_without_warnings(
    values: FloatArray, method: str, black_hot: bool
) -> None:
    assert normalise(values, method, black_hot=black_hot).shape == values.shape
