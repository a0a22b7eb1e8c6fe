"""A second look at faces whose box the landmarks contradict, and at tilted ones. Pure numpy.

The detector is sometimes off by a fifth of a face, and the landmark crop with it. The box of the
first landmarks is then often the better one. But not always, and seldom where both agree: so only
faces on which they differ are looked at again. Tilted heads are looked at upright, as the network
knows them best. The look that expects the smaller errors counts.
Measured on synthetic frames: see DECISIONS.md.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from service.entities import Box, Face, FloatArray
from service.vision.detection import corners, pairwise_iou
from service.vision.face_score import FaceScore, rescore
from service.vision.faces import Crop, box_of, roll_of, shown, to_frame, upright_box, with_own_box

TILTED: Final = 15.0  # degrees of roll from which a face is looked at upright
SURE: Final = 0.1  # of the face size: expected error up to which landmarks tell which way is up
AGREE: Final = 0.8  # IoU of the two boxes from which a second look gains nothing
SAME: Final = 0.7  # IoU of two faces' landmarks above which they are one face
UNRELATED: Final = 0.3  # IoU below which the landmarks are not of the face that was detected


def second_looks(
    boxes: Sequence[Box], crops: Sequence[Crop], keypoints: FloatArray, *, detected: bool
) -> dict[int, Box]:
    """New boxes, in frame pixels, of the faces that deserve a second look, by their index.

    boxes: `[N]` in frame pixels; keypoints: `[N, 68, 4]` in pixels of their crops. detected: the
    boxes are a detector's; a caller's are taken at their word, and only faces that surely are
    tilted looked at again.
    """
    found = {}
    for index, (box, (_, to_network), points) in enumerate(
        zip(boxes, crops, keypoints, strict=True)
    ):
        landmarks = to_frame(points, to_network)
        if _deserves_another(box, landmarks, roll_of(points), detected=detected):
            found[index] = upright_box(landmarks, box.score)
    return found


def _deserves_another(box: Box, landmarks: FloatArray, roll: float, *, detected: bool) -> bool:
    """roll: that is left in the crop."""
    own = box_of(landmarks, box.score)
    overlap = float(pairwise_iou(corners([box]), corners([own]))[0, 0])
    if overlap < UNRELATED:
        return False
    tilted = abs(roll) >= TILTED
    if detected:
        return tilted or overlap < AGREE
    return tilted and float(landmarks[:, 3].mean()) < SURE * box.size


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
