"""The drawn picture: size, place and robustness; its looks are judged by eye."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from service.entities import Box, ByteArray, Face, Reason, ThermalFrame, Unit, Verdict
from service.imaging.drawing import draw_faces, encode_png, paint_faces, scale_factor
from service.landmark_schema import KEYPOINTS


def frame_of(width: int, height: int) -> ThermalFrame:
    rows = np.linspace(20, 35, height, dtype=np.float32)[:, None]
    return ThermalFrame(np.repeat(rows, width, axis=1), Unit.CELSIUS, "test")


def face_at(x: float, y: float, size: float) -> Face:
    angles = np.linspace(0, 2 * np.pi, KEYPOINTS, endpoint=False)
    landmarks = np.zeros((KEYPOINTS, 4), np.float32)
    landmarks[:, 0] = x + size / 2 * np.cos(angles)
    landmarks[:, 1] = y + size / 2 * np.sin(angles)
    half = size / 2
    return Face(Box(x - half, y - half, x + half, y + half, 0.87), landmarks)


def picture(data: bytes) -> ByteArray:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


def is_coloured(image: ByteArray) -> ByteArray:
    return np.asarray(np.ptp(image.astype(int), axis=2) > 40, np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "factor"),
    [(80, 60, 12), (160, 120, 8), (120, 160, 8), (320, 240, 4), (640, 512, 2), (1024, 768, 1)],
)
def test_frames_are_enlarged_by_a_whole_factor(width: int, height: int, factor: int) -> None:
    assert scale_factor(width, height) == factor
    image = picture(draw_faces(frame_of(width, height), [face_at(width / 2, height / 2, 5)]))
    assert image.shape == (height * factor, width * factor, 3)


def test_the_factor_has_bounds() -> None:
    assert (scale_factor(8, 8), scale_factor(4000, 3000)) == (12, 1)


def test_without_faces_it_is_the_normalised_frame() -> None:
    image = picture(draw_faces(frame_of(1024, 768), []))
    assert not is_coloured(image).any()
    assert image[0].max() <= 2 and image[-1].min() >= 253


def test_black_hot_frames_are_drawn_white_hot() -> None:
    hot_below = frame_of(40, 40)
    turned = ThermalFrame(-hot_below.values, Unit.GREY8, "test", black_hot=True)
    assert draw_faces(turned, []) == draw_faces(hot_below, [])


def test_uncertain_faces_have_a_dashed_box_of_another_colour() -> None:
    plain = face_at(512, 384, 300)
    nowhere = np.full((KEYPOINTS, 4), np.nan, np.float32)
    top = slice(530, 660), 234  # columns and row of the box' upper side, right of the score
    pictures = {}
    for verdict in (None, Verdict(), Verdict((Reason.OCCLUDED,))):
        face = Face(plain.box, nowhere, verdict)
        pictures[verdict] = picture(draw_faces(frame_of(1024, 768), [face]))
    assert np.array_equal(pictures[None], pictures[Verdict()])
    reliable, uncertain = pictures[None], pictures[Verdict((Reason.OCCLUDED,))]
    assert is_coloured(reliable)[top[1], top[0]].all()
    dashed = is_coloured(uncertain)[top[1], top[0]]
    assert 0.3 < dashed.mean() < 0.8
    red = uncertain[top[1], top[0]][dashed > 0].astype(int)
    assert (red[:, 2] > red[:, 1]).all()


def test_points_are_drawn_at_the_middle_of_their_pixel() -> None:
    landmarks = np.full((KEYPOINTS, 4), np.nan, np.float32)
    landmarks[30, :2] = 20, 10
    face = Face(Box(np.nan, np.nan, np.nan, np.nan), landmarks)
    image = picture(draw_faces(frame_of(80, 60), [face]))
    rows, columns = np.nonzero(is_coloured(image))
    assert columns.mean() == pytest.approx(20.5 * 12 - 0.5, abs=0.3)
    assert rows.mean() == pytest.approx(10.5 * 12 - 0.5, abs=0.3)


def test_box_and_landmarks_are_in_their_place() -> None:
    coloured = is_coloured(picture(draw_faces(frame_of(320, 240), [face_at(160, 120, 100)])))
    rows, columns = np.nonzero(coloured)
    assert columns.min() == pytest.approx(110 * 4, abs=4)
    assert columns.max() == pytest.approx(210 * 4, abs=6)
    assert rows.max() == pytest.approx(170 * 4, abs=6)


@pytest.mark.parametrize("x", [-1e9, -300.0, 0.0, 79.0, 500.0, 1e9, np.nan, np.inf])
def test_faces_anywhere_do_no_harm(x: float) -> None:
    image = picture(draw_faces(frame_of(80, 60), [face_at(x, 30, 40), face_at(x, x, 40)]))
    assert image.shape == (720, 960, 3)


def test_many_faces_on_a_constant_frame() -> None:
    frame = ThermalFrame(np.zeros((60, 80), np.float32), Unit.COUNTS, "test")
    assert picture(draw_faces(frame, [face_at(i * 3, i * 2, 20) for i in range(32)])).any()


@pytest.mark.parametrize("shape", [(256, 256), (30, 40, 3)])
def test_png_is_lossless(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(picture(encode_png(image)), image)


def test_a_tracked_face_shows_its_number() -> None:
    face = face_at(160, 120, 100)
    pictures = [
        paint_faces(frame_of(320, 240), [replace(face, track_id=track)]) for track in (None, 1, 2)
    ]
    changed = [(pictures[0] != other).any(axis=2) for other in pictures[1:]]
    for where in changed:
        rows = np.flatnonzero(where.any(axis=1))
        assert rows.size and rows.max() < 4 * 80  # about the box's upper edge, at 4 * 70
    assert (pictures[1] != pictures[2]).any()
