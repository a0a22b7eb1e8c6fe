"""Quarter turns: where a pixel goes, its point goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.entities import Box, ThermalFrame, Unit
from service.errors import InvalidOption
from service.imaging.options import ROTATIONS
from service.imaging.rotation import (
    rotate_box,
    rotate_frame,
    rotate_points,
    unrotate_box,
    unrotate_points,
)
from service.vision.crop import crop_map, rotation
from service.vision.faces import upright_box
from tests.data_sets import face

WIDTH, HEIGHT = 7, 5
FRAME = ThermalFrame(
    np.arange(WIDTH * HEIGHT, dtype=np.float32).reshape(HEIGHT, WIDTH), Unit.COUNTS, "test", True
)


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_every_pixel_is_found_at_its_turned_point(rotate: int) -> None:
    turned = rotate_frame(FRAME, rotate)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            point = np.array([[x, y]], np.float32)
            (tx, ty), = rotate_points(point, WIDTH, HEIGHT, rotate).tolist()  # fmt: skip
            assert turned.values[int(ty), int(tx)] == FRAME.values[y, x]
            back = unrotate_points(np.array([[tx, ty]], np.float32), WIDTH, HEIGHT, rotate)
            np.testing.assert_array_equal(back, point)
    assert (turned.unit, turned.source, turned.black_hot) == (Unit.COUNTS, "test", True)


def test_turning_is_clockwise() -> None:
    """What was at the top left is at the top right after 90 degrees."""
    assert rotate_frame(FRAME, 90).values[0, -1] == FRAME.values[0, 0]
    assert rotate_frame(FRAME, 90).values.shape == (WIDTH, HEIGHT)
    assert rotate_frame(FRAME, 270).values[-1, 0] == FRAME.values[0, 0]
    assert rotate_frame(FRAME, 0) is FRAME


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(ROTATIONS),
    st.integers(8, 4000),
    st.integers(8, 4000),
    st.floats(-100, 4100, width=32),
    st.floats(-100, 4100, width=32),
)
def test_points_come_back(rotate: int, width: int, height: int, x: float, y: float) -> None:
    points = np.array([[x, y, 0.7, 1.5]], np.float32)
    turned = rotate_points(points, width, height, rotate)
    assert turned[0, 2:].tolist() == points[0, 2:].tolist()
    np.testing.assert_allclose(unrotate_points(turned, width, height, rotate), points, atol=1e-3)


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_boxes_stay_boxes(rotate: int) -> None:
    box = Box(1.0, 2.0, 4.0, 3.5, 0.9)
    turned = rotate_box(box, WIDTH, HEIGHT, rotate)
    assert turned.x1 < turned.x2 and turned.y1 < turned.y2
    assert turned.score == 0.9
    assert turned.size == pytest.approx(box.size)
    assert unrotate_box(turned, WIDTH, HEIGHT, rotate) == box


@pytest.mark.parametrize("rotate", ROTATIONS)
def test_a_known_tilt_turns_along(rotate: int) -> None:
    landmarks = np.asarray(face((40.0, 30.0), 20.0) @ rotation(35.0), np.float32)
    turned = rotate_points(landmarks, WIDTH, HEIGHT, rotate)
    box = rotate_box(upright_box(landmarks, 0.9), WIDTH, HEIGHT, rotate)
    expected = upright_box(turned, 0.9)
    found, wanted = (crop_map(one).to_network(turned) for one in (box, expected))
    np.testing.assert_allclose(found, wanted, atol=0.05)
    back = unrotate_box(box, WIDTH, HEIGHT, rotate)
    np.testing.assert_allclose(crop_map(back).to_network(landmarks), wanted, atol=0.05)
    assert rotate_box(Box(10, 20, 30, 50), WIDTH, HEIGHT, rotate).tilt is None


def test_the_input_is_not_changed() -> None:
    points = np.array([[1.0, 2.0]], np.float32)
    rotate_points(points, WIDTH, HEIGHT, 90)
    assert points.tolist() == [[1.0, 2.0]]


def test_other_angles_are_refused() -> None:
    with pytest.raises(InvalidOption):
        rotate_frame(FRAME, 45)
    with pytest.raises(InvalidOption):
        unrotate_points(np.zeros((1, 2), np.float32), WIDTH, HEIGHT, -90)
