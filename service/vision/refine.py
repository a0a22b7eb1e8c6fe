"""A second look at faces whose box the landmarks contradict. Pure numpy.

The detector is sometimes off by a fifth of a face, and the landmark crop with it. The box of the
first landmarks is then often the better one. But not always, and seldom where both agree: so only
faces on which they differ are looked at again, and the look that expects the smaller errors counts.
Measured on synthetic frames: see DECISIONS.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from service.entities import Box, Face, FloatArray
from service.vision.detection import pairwise_iou
from service.vision.faces import Crop, to_frame

AGREE: Final = 0.75  # IoU of the two boxes from which a second look gains nothing
SAME: Final = 0.7  # IoU of two faces' landmarks above which they are one face
UNRELATED: Final = 0.3  # IoU below which the landmarks are not of the face that was detected


def boxes_to_try(
    boxes: Sequence[Box], crops: Sequence[Crop], keypoints: FloatArray
) -> dict[int, Box]:
    """New boxes, in frame pixels, of the faces that deserve a second look, by their index.

    boxes: `[N]` as detected, in frame pixels; keypoints: `[N, 68, 4]` in pixels of their crops.
    """
    found = {}
    for index, (box, (_, to_network), points) in enumerate(
        zip(boxes, crops, keypoints, strict=True)
    ):
        xy = to_frame(points, to_network)[:, :2]
        tried = np.concatenate([xy.min(axis=0), xy.max(axis=0)])
        given = np.array([[box.x1, box.y1, box.x2, box.y2]], np.float32)
        if UNRELATED <= float(pairwise_iou(given, tried[None])[0, 0]) < AGREE:
            x1, y1, x2, y2 = tried.tolist()
            found[index] = Box(x1, y1, x2, y2, box.score)
    return found


def keep_better(
    crops: Sequence[Crop], keypoints: FloatArray, second: Mapping[int, tuple[Crop, FloatArray]]
) -> tuple[list[Crop], FloatArray]:
    """Crops and keypoints `[N, 68, 4]` with those second looks that expect smaller errors."""
    crops, keypoints = list(crops), keypoints.copy()
    for index, (crop, points) in second.items():
        if _expected_error(crop, points) < _expected_error(crops[index], keypoints[index]):
            crops[index], keypoints[index] = crop, points
    return crops, keypoints


def drop_repeated(faces: Sequence[Face]) -> tuple[Face, ...]:
    """The faces without those whose landmarks lie on a better-scored one's: two boxes, one face."""
    kept: list[Face] = []
    boxes = np.zeros((0, 4), np.float32)
    for face in sorted(faces, key=lambda face: -face.box.score):
        xy = face.landmarks[:, :2]
        own = np.concatenate([xy.min(axis=0), xy.max(axis=0)])[None]
        if not (pairwise_iou(boxes, own) > SAME).any():
            kept.append(face)
            boxes = np.concatenate([boxes, own])
    return tuple(kept)


def _expected_error(crop: Crop, keypoints: FloatArray) -> float:
    """In frame pixels, for crops differ in scale."""
    return float(keypoints[:, 3].mean()) / crop[1].scale
