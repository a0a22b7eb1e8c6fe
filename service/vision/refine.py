"""A second look at faces whose box the landmarks contradict. Pure numpy.

The detector is sometimes off by a fifth of a face, and the landmark crop with it. The box of the
first landmarks is then often the better one. But not always, and seldom where both agree: so only
faces on which they differ are looked at again, and the look that expects the smaller errors counts.
Measured on synthetic frames: see DECISIONS.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from service.entities import Box, Face, FloatArray
from service.vision.detection import corners, pairwise_iou
from service.vision.face_score import FaceScore, rescore
from service.vision.faces import Crop, box_of, shown, to_frame, with_own_box

AGREE: Final = 0.8  # IoU of the two boxes from which a second look gains nothing
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
        tried = box_of(to_frame(points, to_network), box.score)
        if UNRELATED <= float(pairwise_iou(corners([box]), corners([tried]))[0, 0]) < AGREE:
            found[index] = tried
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
    ordered = sorted(faces, key=lambda face: -face.box.score)
    own = corners([box_of(face.landmarks, face.box.score) for face in ordered])
    overlap = pairwise_iou(own) > SAME
    kept: list[int] = []
    for index in range(len(ordered)):
        if not overlap[index, kept].any():
            kept.append(index)
    return tuple(ordered[index] for index in kept)


def faces_to_answer(
    faces: Sequence[Face], weights: FaceScore | None, min_score: float, width: int, height: int
) -> tuple[Face, ...]:
    """Of the faces in detected boxes those from `min_score` on, the best first: scored by both
    networks, each once, in the box of its landmarks as far as an image of `width` and `height`
    shows it."""
    likely = drop_repeated(rescore(faces, weights, min_score))
    return shown(map(with_own_box, likely), width, height)


def _expected_error(crop: Crop, keypoints: FloatArray) -> float:
    """In frame pixels, for crops differ in scale."""
    return float(keypoints[:, 3].mean()) / crop[1].scale
