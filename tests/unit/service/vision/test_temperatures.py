"""Region temperatures on a painted face whose regions are known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as some
from numpy.typing import NDArray

from service.entities import FloatArray
from service.landmark_schema import FLIP, KEYPOINTS
from service.vision.temperatures import REGION_NAMES, region_temperatures


def face(centre: tuple[float, float], size: float, turn: float = 0.0) -> FloatArray:
    """A schematic frontal face: 68 points, its bounding box `size` wide and high."""
    t = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 + 0.5 * np.cos(t), 0.25 + 0.75 * np.sin(t)], axis=1)
    brow = np.array([[0.0, 0.04], [0.08, 0.01], [0.16, 0.0], [0.24, 0.02], [0.30, 0.05]])
    eye = np.array([[0, 0.03], [0.06, 0], [0.12, 0], [0.18, 0.03], [0.12, 0.05], [0.06, 0.05]])
    ring = np.linspace(np.pi, -np.pi, 13)[:-1]
    outer = np.stack([0.5 + 0.17 * np.cos(ring), 0.74 - 0.07 * np.sin(ring)], axis=1)
    ring = np.linspace(np.pi, -np.pi, 9)[:-1]
    inner = np.stack([0.5 + 0.13 * np.cos(ring), 0.74 - 0.02 * np.sin(ring)], axis=1)
    bridge = np.stack([np.full(4, 0.5), np.linspace(0.18, 0.46, 4)], axis=1)
    nostrils = np.stack([np.linspace(0.41, 0.59, 5), np.full(5, 0.54)], axis=1)
    points = np.concatenate(
        [jaw, brow + [0.12, 0], brow * [-1, 1] + [0.88, 0], bridge, nostrils,
         eye + [0.20, 0.14], eye * [-1, 1] + [0.80, 0.14], outer, inner]
    )  # fmt: skip
    points[22:27] = points[22:27][::-1]
    points[42:48] = points[42:48][[3, 2, 1, 0, 5, 4]]
    points = (points - 0.5) * size
    c, s = np.cos(turn), np.sin(turn)
    out = np.ones((KEYPOINTS, 4), np.float32)
    out[:, :2] = points @ np.array([[c, s], [-s, c]]) + centre
    return out


def paint(landmarks: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """30 C skin on 20 C, with places of their own temperature."""
    values = np.full(shape, 20.0, np.float32)
    size = float(np.sqrt(np.prod(np.ptp(landmarks[:, :2], axis=0))))
    up = landmarks[17:27, :2].mean(axis=0) - landmarks[48:68, :2].mean(axis=0)

    def disc(centre: NDArray[np.floating], radius: float, celsius: float) -> None:
        x, y = centre.round().astype(int).tolist()
        cv2.circle(values, (x, y), max(round(radius * size), 1), celsius, -1)

    def middle(*indices: int) -> NDArray[np.floating]:
        return np.asarray(landmarks[list(indices), :2].mean(axis=0))

    disc(middle(*range(KEYPOINTS)), 0.9, 30.0)
    disc(middle(*range(19, 25)) + 0.28 * up, 0.12, 34.0)
    disc(middle(30), 0.055, 28.0)
    disc(middle(39), 0.02, 35.0)
    disc(middle(42), 0.02, 35.5)
    disc(middle(3, 31, 41, 48), 0.1, 31.0)
    disc(middle(13, 35, 46, 54), 0.1, 32.0)
    disc(middle(8, 57), 0.08, 33.0)
    disc(middle(51, 62), 0.045, 29.0)
    disc(middle(57, 66), 0.045, 29.0)
    return values


EXPECTED = {
    "right_inner_canthus": 35.0, "left_inner_canthus": 35.5, "forehead": 34.0, "nose_tip": 28.0,
    "right_cheek": 31.0, "left_cheek": 32.0, "lips": 29.0, "chin": 33.0,
}  # fmt: skip


@pytest.mark.parametrize("turn", [0.0, 0.5, np.pi / 2, np.pi])
@pytest.mark.parametrize("size", [60.0, 150.0])
def test_every_region_is_measured_at_its_place(size: float, turn: float) -> None:
    landmarks = face((200, 200), size, turn)
    found = region_temperatures(paint(landmarks, (400, 400)), landmarks)
    assert found == pytest.approx(EXPECTED, abs=0.3)
    assert tuple(found) == REGION_NAMES


def test_the_subjects_own_sides() -> None:
    landmarks = face((200, 200), 150)
    assert landmarks[39, 0] < landmarks[42, 0]  # the right canthus is on the picture's left
    values = paint(landmarks, (400, 400))
    mirrored = landmarks[list(FLIP)].copy()
    mirrored[:, 0] = 399 - mirrored[:, 0]
    turned = region_temperatures(np.ascontiguousarray(values[:, ::-1]), mirrored)
    assert turned["left_cheek"] == pytest.approx(EXPECTED["right_cheek"], abs=0.1)
    assert turned["right_inner_canthus"] == pytest.approx(35.5, abs=0.3)


def test_a_hot_pixel_does_not_matter() -> None:
    landmarks = face((200, 200), 150)
    values = paint(landmarks, (400, 400))
    x, y = landmarks[[3, 31, 41, 48], :2].mean(axis=0).round().astype(int).tolist()
    values[y, x] = 400.0
    assert region_temperatures(values, landmarks)["right_cheek"] == pytest.approx(31.0, abs=0.1)


def test_tiny_faces_are_read_from_the_nearest_pixel() -> None:
    landmarks = face((20, 20), 6)
    values = np.full((40, 40), 33.0, np.float32)
    assert region_temperatures(values, landmarks) == dict.fromkeys(REGION_NAMES, 33.0)


def test_regions_outside_the_frame_are_left_out() -> None:
    landmarks = face((0, 100), 150)  # the subject's right half is cut off
    found = region_temperatures(np.full((300, 300), 31.0, np.float32), landmarks)
    assert set(found) >= {"left_inner_canthus", "left_cheek"}
    assert not {"right_inner_canthus", "right_cheek"} & set(found)
    away = face((-500, 100), 150)
    assert region_temperatures(np.full((300, 300), 31.0, np.float32), away) == {}


def test_unknown_landmarks_leave_their_regions_out() -> None:
    landmarks = face((100, 100), 80)
    landmarks[[39, 24, 57]] = np.nan
    found = region_temperatures(np.full((200, 200), 31.0, np.float32), landmarks)
    assert set(found) == set(REGION_NAMES) - {"right_inner_canthus", "forehead", "lips", "chin"}
    landmarks[:] = np.inf
    assert region_temperatures(np.full((200, 200), 31.0, np.float32), landmarks) == {}


def test_another_number_of_landmarks_is_an_error() -> None:
    with pytest.raises(ValueError, match="70 landmarks"):
        region_temperatures(np.zeros((9, 9), np.float32), np.zeros((70, 2), np.float32))


@settings(deadline=None, max_examples=60)
@given(
    some.arrays(np.float32, (KEYPOINTS, 4), elements=st.floats(width=32, allow_nan=True)),
    st.integers(8, 20),
)
def test_any_landmarks_give_finite_temperatures(landmarks: FloatArray, side: int) -> None:
    found = region_temperatures(np.full((side, side), 30.0, np.float32), landmarks)
    assert all(value == 30.0 for value in found.values())
