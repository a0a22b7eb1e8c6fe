import numpy as np
import pytest

from service.entities import Box, Face, FloatArray
from service.vision.crop import CROP_SCALE, LANDMARK_INPUT, crop_map, rotation
from service.vision.faces import Crop, box_of, roll_of, to_frame
from service.vision.refine import drop_repeated, keep_better, second_looks
from tests.data_sets import face

FACE = Box(100, 100, 180, 200, 0.9)
BLANK = np.zeros((256, 256), np.uint8)


def landmarks_in(box: Box, roll: float = 0.0) -> FloatArray:
    """A face `[68, 2]` that fills `box` upright, then turned clockwise around its middle."""
    points = face()
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.array([box.width, box.height])
    upright = (points - (low + high) / 2) / (high - low) * extent
    middle = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)
    return np.asarray(upright @ rotation(-roll).T + middle, np.float32)


def look(box: Box, face: Box, sigma: float = 2.0, roll: float = 0.0) -> tuple[Crop, FloatArray]:
    """The crop around `box`, and keypoints that fill `face`; sigma in frame pixels."""
    to_network = crop_map(box)
    points = to_network.to_network(landmarks_in(face, roll))
    rest = np.broadcast_to([0.5, sigma * to_network.scale], (68, 2))
    return (BLANK, to_network), np.concatenate([points, rest], axis=1).astype(np.float32)


def looks_at(
    box: Box, face: Box, roll: float = 0.0, sigma: float = 2.0, *, detected: bool = True
) -> dict[int, Box]:
    crop, keypoints = look(box, face, sigma, roll)
    return second_looks([box], [crop], keypoints[None], detected=detected)


def test_where_both_agree_there_is_no_second_look() -> None:
    assert looks_at(FACE, FACE) == {}
    assert looks_at(Box(104, 105, 186, 203), FACE) == {}


def test_a_box_that_is_off_is_looked_at_again_where_the_landmarks_are() -> None:
    ((index, again),) = looks_at(Box(125, 115, 205, 215, 0.7), FACE).items()
    found, expected = crop_map(again), crop_map(FACE)
    assert (index, again.score) == (0, 0.7)
    assert found.roll == pytest.approx(0.0, abs=1e-3)
    assert found.scale == pytest.approx(expected.scale, rel=1e-4)
    middle = np.array([[140.0, 150.0]], np.float32)
    np.testing.assert_allclose(found.to_network(middle), expected.to_network(middle), atol=1e-2)


@pytest.mark.parametrize("roll", [-170.0, -60.0, -16.0, 16.0, 45.0, 90.0])
def test_a_tilted_face_is_looked_at_upright(roll: float) -> None:
    turned = landmarks_in(FACE, roll)
    box = box_of(turned, 0.9)
    for detected in (True, False):
        (again,) = looks_at(box, FACE, roll, detected=detected).values()
        found = crop_map(again)
        assert found.roll == pytest.approx(roll, abs=0.1)
        upright = found.to_network(turned)
        assert roll_of(upright) == pytest.approx(0.0, abs=0.1)
        own = box_of(upright, 0.0)
        assert max(own.width, own.height) * CROP_SCALE == pytest.approx(LANDMARK_INPUT, rel=1e-3)
        assert own.x1 + own.x2 == pytest.approx(LANDMARK_INPUT - 1, abs=0.1)
        assert own.y1 + own.y2 == pytest.approx(LANDMARK_INPUT - 1, abs=0.1)


def test_a_slightly_tilted_face_is_not() -> None:
    assert looks_at(FACE, FACE, 14.0) == {}
    assert looks_at(FACE, FACE, -14.0, detected=False) == {}


def test_a_callers_box_is_taken_at_its_word() -> None:
    assert looks_at(Box(125, 115, 205, 215), FACE, detected=False) == {}
    box = box_of(landmarks_in(FACE, 30.0), 1.0)
    assert list(looks_at(box, FACE, 30.0, sigma=0.09 * box.size, detected=False)) == [0]
    unsure = looks_at(box, FACE, 30.0, sigma=0.11 * box.size, detected=False)
    assert unsure == {}  # which way is up is not known


def test_a_profile_is_turned_by_its_mouth() -> None:
    """Seen from the side the eyes fall together; their line says nothing, and may point down."""
    profile = landmarks_in(FACE)
    profile[36:48] = profile[36:48].mean(axis=0)
    profile[42:48] += (-1.0, 2.0)
    assert abs(roll_of(profile)) < 10


def test_landmarks_of_something_else_are_not_followed() -> None:
    assert looks_at(Box(160, 180, 240, 280), FACE) == {}
    assert looks_at(Box(400, 400, 480, 500), FACE, 40.0) == {}


def test_only_the_faces_that_need_it() -> None:
    boxes = [FACE, Box(125, 115, 205, 215)]
    looks = [look(box, FACE) for box in boxes]
    keypoints = np.stack([points for _, points in looks])
    assert list(second_looks(boxes, [crop for crop, _ in looks], keypoints, detected=True)) == [1]
    assert second_looks([], [], np.zeros((0, 0, 4), np.float32), detected=True) == {}


@pytest.mark.parametrize(("sigma", "better"), [(1.9, True), (2.1, False)])
def test_the_look_with_the_smaller_expected_error_counts(sigma: float, better: bool) -> None:
    first_crop, first = look(Box(90, 90, 290, 290), FACE, 2.0)
    second_crop, second = look(FACE, FACE, sigma)  # larger in pixels of its own, closer crop
    assert second[0, 3] > first[0, 3]
    before = first[None].copy()
    crops, keypoints = keep_better([first_crop], before, {0: (second_crop, second)})
    assert crops[0] is (second_crop if better else first_crop)
    assert np.array_equal(keypoints[0], second if better else first)
    assert np.array_equal(before[0], first)  # what was given stays as it was


def found(box: Box, where: Box) -> Face:
    """A face detected as `box`, with its landmarks in `where`."""
    (_, to_network), points = look(box, where)
    return Face(box, to_frame(points, to_network))


def test_two_boxes_whose_landmarks_agree_are_one_face() -> None:
    better, worse = (
        found(Box(100, 100, 180, 200, 0.8), FACE),
        found(Box(90, 60, 185, 160, 0.5), FACE),
    )
    assert drop_repeated([better, worse]) == (better,)
    assert drop_repeated([worse, better]) == (better,)
    elsewhere = found(Box(90, 60, 185, 160, 0.5), Box(130, 100, 210, 200))
    assert drop_repeated([better, elsewhere]) == (better, elsewhere)
    assert drop_repeated([]) == ()
