"""Crops: coordinates go there and back, and the picture follows the coordinates."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.entities import Box, FloatArray, Tilt
from service.imaging.normalisation import OUTSIDE
from service.vision.crop import (
    CROP_SCALE,
    DETECTOR_INPUT,
    LANDMARK_INPUT,
    SimilarityMap,
    crop_map,
    landmark_crop,
    letterbox,
    letterbox_map,
    sample,
)
from service.vision.faces import upright_box


def blob(width: int, height: int, x: float, y: float, spread: float) -> FloatArray:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    squares = (columns - x) ** 2 + (rows - y) ** 2
    return np.asarray(np.exp(-squares / (2 * spread**2)), np.float32)


def centre_of(values: FloatArray) -> tuple[float, float]:
    rows, columns = np.mgrid[0 : values.shape[0], 0 : values.shape[1]]
    total = values.sum()
    return float((columns * values).sum() / total), float((rows * values).sum() / total)


@settings(deadline=None, max_examples=50)
@given(
    st.floats(-50, 700),
    st.floats(-50, 500),
    st.floats(2, 600),
    st.floats(2, 500),
    st.floats(-100, 800),
    st.floats(-100, 800),
    st.sampled_from([0.0, 30.0, -90.0, 179.0]),
)
def test_points_come_back(
    left: float, top: float, width: float, height: float, x: float, y: float, roll: float
) -> None:
    to_network = replace(crop_map(Box(left, top, left + width, top + height)), roll=roll)
    points = np.array([[x, y]], np.float32)
    there = to_network.to_network(points)
    np.testing.assert_allclose(to_network.to_frame(there), points, atol=2e-2)


def test_the_longer_side_times_the_scale_fills_the_crop() -> None:
    box = Box(100, 50, 140, 130)
    to_network = crop_map(box)
    assert to_network.scale == pytest.approx(LANDMARK_INPUT / (80 * CROP_SCALE))
    middle = to_network.to_network(np.array([120.0, 90.0], np.float32))
    np.testing.assert_allclose(middle, (LANDMARK_INPUT - 1) / 2, atol=1e-4)


def test_a_known_tilt_turns_the_crop_and_moves_it() -> None:
    box = Box(100, 50, 140, 130, tilt=Tilt(30.0, 0.1, -0.05, 0.9))
    to_network = crop_map(box)
    assert to_network.roll == 30.0
    assert to_network.scale == pytest.approx(LANDMARK_INPUT / (80 * 0.9 * CROP_SCALE))
    middle = to_network.to_network(np.array([120.0 + 8, 90.0 - 4], np.float32))
    np.testing.assert_allclose(middle, (LANDMARK_INPUT - 1) / 2, atol=1e-3)


@pytest.mark.parametrize(("width", "height"), [(640, 512), (120, 160), (320, 320), (1024, 768)])
def test_the_letterbox_holds_the_whole_frame_in_its_middle(width: int, height: int) -> None:
    to_network = letterbox_map(width, height)
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]], np.float32)
    first, last = to_network.to_network(corners)
    np.testing.assert_allclose(first + last, DETECTOR_INPUT - 1, atol=1e-3)
    assert max(last - first) == pytest.approx(DETECTOR_INPUT)


@pytest.mark.parametrize("side", [30.0, 100.0, 256.0, 400.0, 900.0])
def test_the_picture_follows_its_coordinates(side: float) -> None:
    """From eightfold enlarging to fourfold shrinking, to a twentieth of a network pixel."""
    width, height = round(side * 1.3) | 1, round(side * 1.3)
    x, y = width / 2 + 0.13 * side, height / 2 - 0.09 * side
    values = blob(width, height, x, y, side / 14)
    half = side / 2
    box = Box(width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
    plain = crop_map(box)
    for to_network in (plain, turned(plain, 35.0, width / 2, height / 2)):
        warped, _ = sample(values, to_network, LANDMARK_INPUT)
        expected = to_network.to_network(np.array([x, y], np.float32))
        np.testing.assert_allclose(centre_of(warped), expected, atol=0.05)
    assert sample(values, plain, LANDMARK_INPUT)[1].all()


def turned(to_network: SimilarityMap, roll: float, x: float, y: float) -> SimilarityMap:
    """The same with `roll`, and (x, y) where it was."""
    middle = np.array([x, y], np.float32)
    fresh = replace(to_network, roll=roll)
    dx, dy = (to_network.to_network(middle) - fresh.to_network(middle)).tolist()
    return replace(fresh, offset_x=fresh.offset_x + dx, offset_y=fresh.offset_y + dy)


def test_a_turned_crop_knows_where_the_frame_ends() -> None:
    values = blob(90, 90, 60, 50, 9)
    to_network = turned(crop_map(Box(60, 40, 90, 70)), 30.0, 75, 55)
    _, inside = sample(values, to_network, LANDMARK_INPUT)
    rows, columns = np.mgrid[:LANDMARK_INPUT, :LANDMARK_INPUT].astype(np.float32)
    frame = to_network.to_frame(np.stack([columns, rows], axis=-1))
    expected = ((frame > -0.5) & (frame < 89.5)).all(axis=-1)
    assert 0.3 < expected.mean() < 0.9
    assert (inside != expected).mean() < 1e-3  # but for rounding on the very edge


def test_clockwise_is_what_the_screen_shows() -> None:
    """A face turned by 90 degrees clockwise has its chin on the left; the crop puts it below."""
    landmarks = np.array([[60.0, 40.0], [60.0, 60.0], [20.0, 50.0]], np.float32)  # eyes, chin
    right_eye, left_eye, chin = crop_map(upright_box(landmarks, 1.0, 90.0)).to_network(landmarks)
    assert right_eye[1] == pytest.approx(left_eye[1], abs=1e-3)
    assert right_eye[0] < left_eye[0]
    assert chin[1] > right_eye[1]


def test_shrinking_averages_instead_of_skipping() -> None:
    stripes = np.zeros((1600, 1600), np.float32)
    stripes[:, ::2] = 100.0
    warped, _ = sample(stripes, letterbox_map(1600, 1600), DETECTOR_INPUT)
    np.testing.assert_allclose(warped[5:-5, 5:-5], 50.0, atol=15.0)


def test_outside_is_where_the_frame_does_not_reach() -> None:
    values = np.full((100, 100), 30.0, np.float32)
    values[:, :50] = 20.0
    crop, to_network = landmark_crop(values, Box(60, 10, 120, 70), "linear-v1")
    edge = to_network.to_network(np.array([99.5, 40.0], np.float32))[0]
    assert (crop[:, int(edge) + 1 :] == OUTSIDE).all()
    assert (crop[128, : int(edge)] != OUTSIDE).all()


def test_a_crop_beside_the_frame_is_all_outside() -> None:
    crop, _ = landmark_crop(np.zeros((50, 50), np.float32), Box(500, 500, 540, 540), "linear-v1")
    assert (crop == OUTSIDE).all()


def test_a_lamp_outside_the_crop_costs_the_face_nothing() -> None:
    values = 30 + 4 * blob(200, 200, 60, 60, 20)
    with_lamp = values.copy()
    with_lamp[150:, 150:] = 900.0
    box = Box(40, 40, 80, 80)
    dark, _ = landmark_crop(values, box, "linear-v1")
    bright, _ = landmark_crop(with_lamp, box, "linear-v1")
    np.testing.assert_array_equal(dark, bright)


def test_views_have_the_networks_sizes() -> None:
    values = blob(80, 60, 40, 30, 9)
    assert landmark_crop(values, Box(20, 10, 60, 50), "minmax-v1")[0].shape == (256, 256)
    view, to_network = letterbox(values, "linear-v1", black_hot=True)
    assert view.shape == (320, 320)
    assert to_network.scale == 4.0
    assert (view[:39] == OUTSIDE).all() and (view[-39:] == OUTSIDE).all()
    assert view[160, 160] < 5  # the warm middle was the brightest before it was inverted


@pytest.mark.parametrize("box", [Box(5, 5, 5, 5), Box(9, 9, 3, 3), Box(-4, -4, 60, 2)])
def test_degenerate_boxes_do_no_harm(box: Box) -> None:
    crop, to_network = landmark_crop(blob(40, 40, 20, 20, 5), box, "auto")
    assert crop.shape == (256, 256)
    assert to_network.scale > 0


def test_a_frame_longer_than_the_warp_can_address() -> None:
    values = np.zeros((20, 40_000), np.float32)
    values[:, 20_000:] = 1.0
    view, _ = letterbox(values, "linear-v1")
    assert view.shape == (320, 320)
    crop, to_network = landmark_crop(values, Box(39_900, 2, 39_916, 18), "linear-v1")
    assert crop.shape == (256, 256)
    assert to_network.to_network(np.array([39_908.0, 10.0], np.float32)) == pytest.approx(127.5)


def test_a_turned_crop_of_such_a_frame_is_that_of_its_part() -> None:
    values = np.random.default_rng(0).random((90, 40_000), np.float32)
    to_network = turned(crop_map(Box(39_900, 30, 39_930, 60)), -40.0, 39_915, 45)
    of_part = turned(crop_map(Box(100, 30, 130, 60)), -40.0, 115, 45)
    whole, reached = sample(values, to_network, LANDMARK_INPUT)
    part, _ = sample(values[:, 39_800:], of_part, LANDMARK_INPUT)
    assert reached.mean() > 0.9
    np.testing.assert_allclose(whole[reached], part[reached], atol=0.05)
