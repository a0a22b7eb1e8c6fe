import numpy as np
import pytest

from service.entities import Box, Face
from service.vision.faces import shown

LANDMARKS = np.full((68, 4), -7, np.float32)


@pytest.mark.parametrize(
    ("box", "wanted"),
    [
        (Box(10, 20, 30, 40, 0.7), Box(10, 20, 30, 40, 0.7)),
        (Box(-3, 20, 17, 40, 0.7), Box(0, 20, 17, 40, 0.7)),
        (Box(90, -5, 120, 70, 0.7), Box(90, 0, 99, 59, 0.7)),
        (Box(-30, 20, -3, 40), Box(-30, 20, -3, 40)),  # nothing of it is in the picture
    ],
)
def test_boxes_are_cut_to_the_image_and_landmarks_are_not(box: Box, wanted: Box) -> None:
    (face,) = shown([Face(box, LANDMARKS)], 100, 60)
    assert face.box == wanted
    assert face.landmarks is LANDMARKS
