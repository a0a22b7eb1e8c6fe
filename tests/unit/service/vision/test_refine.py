import numpy as np
import pytest

from service.entities import Box, Face, FloatArray
from service.vision.crop import crop_map
from service.vision.faces import Crop, to_frame
from service.vision.refine import boxes_to_try, drop_repeated, keep_better

FACE = Box(100, 100, 180, 200, 0.9)
BLANK = np.zeros((256, 256), np.uint8)


def look(box: Box, face: Box, sigma: float = 2.0) -> tuple[Crop, FloatArray]:
    """The crop around `box`, and keypoints that fill `face`; sigma in frame pixels."""
    to_network = crop_map(box)
    side = np.linspace(0, 1, 68)
    xy = np.stack((face.x1 + face.width * side, face.y1 + face.height * side), axis=1)
    points = to_network.to_network(xy.astype(np.float32))
    rest = np.broadcast_to([0.5, sigma * to_network.scale], (68, 2))
    return (BLANK, to_network), np.concatenate([points, rest], axis=1).astype(np.float32)


def tried(box: Box, face: Box) -> dict[int, Box]:
    crop, keypoints = look(box, face)
    return boxes_to_try([box], [crop], keypoints[None])


def test_where_both_agree_there_is_no_second_look() -> None:
    assert tried(FACE, FACE) == {}
    assert tried(Box(104, 105, 186, 203), FACE) == {}


def test_a_box_that_is_off_is_tried_again_where_the_landmarks_are() -> None:
    ((index, box),) = tried(Box(125, 115, 205, 215, 0.7), FACE).items()
    corners = (box.x1, box.y1, box.x2, box.y2)
    np.testing.assert_allclose(corners, (100, 100, 180, 200), atol=1e-3)
    assert (index, box.score) == (0, 0.7)


def test_landmarks_of_something_else_are_not_followed() -> None:
    assert tried(Box(160, 180, 240, 280), FACE) == {}
    assert tried(Box(400, 400, 480, 500), FACE) == {}


def test_only_the_faces_that_need_it() -> None:
    boxes = [FACE, Box(125, 115, 205, 215)]
    looks = [look(box, FACE) for box in boxes]
    keypoints = np.stack([points for _, points in looks])
    assert list(boxes_to_try(boxes, [crop for crop, _ in looks], keypoints)) == [1]
    assert boxes_to_try([], [], np.zeros((0, 0, 4), np.float32)) == {}


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
