"""From boxes to what the landmark network sees, and from what it says to faces in the frame."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from service.entities import Box, ByteArray, Face, FloatArray, ThermalFrame, Tilt, Unit
from service.imaging.rotation import unrotate_box, unrotate_points
from service.landmark_schema import REGIONS
from service.vision.crop import SimilarityMap, landmark_crop, rotation
from service.vision.temperatures import region_temperatures
from service.vision.verdict import VerdictLimits, judge

Crop = tuple[ByteArray, SimilarityMap]  # uint8 `[256, 256]`, and its map


def crop_faces(frame: ThermalFrame, boxes: Iterable[Box], normalisation: str) -> list[Crop]:
    """The landmark network's view of each box, each normalised by itself."""
    return [
        landmark_crop(frame.values, box, normalisation, black_hot=frame.black_hot) for box in boxes
    ]


def to_faces(
    upright: ThermalFrame,
    boxes: Sequence[Box],
    crops: Sequence[Crop],
    keypoints: FloatArray,
    *,
    rotate: int,
    include: Collection[str],
    limits: VerdictLimits | None = None,
) -> tuple[Face, ...]:
    """Crop pixels to the upright frame, all judgement there, then back to the grid that was sent.

    boxes: in the upright frame; keypoints: `[N, 68, 4]` in crop pixels. rotate: degrees clockwise
    that made the frame upright. include: `temperatures` and `crops` go into the faces if named.
    limits: of the network, if it is calibrated; without them there are no verdicts.
    """
    measured = "temperatures" in include and upright.unit is Unit.CELSIUS
    width, height = upright.width, upright.height
    if rotate in (90, 270):
        width, height = height, width
    faces = []
    for box, (view, to_network), points in zip(boxes, crops, keypoints, strict=True):
        landmarks = to_frame(points, to_network)
        verdict = None
        if limits is not None:
            size = {"width": upright.width, "height": upright.height}
            verdict = judge(landmarks, box, limits, **size)
        faces.append(
            Face(
                unrotate_box(box, width, height, rotate),
                unrotate_points(landmarks, width, height, rotate),
                verdict,
                region_temperatures(upright.values, landmarks) if measured else None,
                view if "crops" in include else None,
            )
        )
    return tuple(faces)


def with_own_box(face: Face) -> Face:
    """The face with the bounding box of its landmarks, which may reach beyond the frame; the score
    stays. Closer to the truth than what was detected: see DECISIONS.md."""
    return replace(face, box=box_of(face.landmarks, face.box.score))


def shown(faces: Iterable[Face], width: int, height: int) -> tuple[Face, ...]:
    """The faces with boxes cut to what the image shows of them; landmarks stay where they are."""
    return tuple(replace(face, box=_cut(face.box, width, height)) for face in faces)


def _cut(box: Box, width: int, height: int) -> Box:
    """Cut to the outer pixels' centres, as detected boxes are; as it is if nothing is left."""
    x1, x2 = (min(max(x, 0.0), width - 1.0) for x in (box.x1, box.x2))
    y1, y2 = (min(max(y, 0.0), height - 1.0) for y in (box.y1, box.y2))
    return replace(box, x1=x1, y1=y1, x2=x2, y2=y2) if x2 > x1 and y2 > y1 else box


def box_of(landmarks: FloatArray, score: float) -> Box:
    """The bounding box of landmarks `[K, 2 or more]`."""
    xy = landmarks[:, :2]
    (x1, y1), (x2, y2) = xy.min(axis=0).tolist(), xy.max(axis=0).tolist()
    return Box(x1, y1, x2, y2, score)


def upright_box(landmarks: FloatArray, score: float, roll: float | None = None) -> Box:
    """The box of landmarks `[68, 2 or more]`, with their tilt: a crop of it shows them upright.

    roll: degrees, their own by default.
    """
    box = box_of(landmarks, score)
    longer = max(box.width, box.height)
    if not longer > 0:
        return box
    roll = roll_of(landmarks) if roll is None else roll
    turned = box_of(landmarks[:, :2] @ rotation(roll).T, score)
    middle = np.array([turned.x1 + turned.x2, turned.y1 + turned.y2]) @ rotation(roll) / 2
    x, y = (middle - (np.array([box.x1 + box.x2, box.y1 + box.y2]) / 2)) / longer
    extent = max(turned.width, turned.height) / longer
    return replace(box, tilt=Tilt(roll, float(x), float(y), extent))


def roll_of(landmarks: FloatArray) -> float:
    """Degrees, -180 to 180, by which the face of landmarks `[68, 2 or more]` is turned clockwise.

    By the line of the eyes and by the one from them to the mouth: in a profile the first is short.
    """
    right, left, mouth = (
        _centre(landmarks, name) for name in ("right_eye", "left_eye", "inner_lips")
    )
    across, down = left - right, mouth - (left + right) / 2
    return math.degrees(math.atan2(across[1] - down[0], across[0] + down[1]))


def _centre(landmarks: FloatArray, region: str) -> FloatArray:
    first, last = REGIONS[region]
    return np.asarray(landmarks[first : last + 1, :2].mean(axis=0))


def to_frame(keypoints: FloatArray, to_network: SimilarityMap) -> FloatArray:
    """Keypoints `[K, 4]` in crop pixels to float32 landmarks in frame pixels, sigma as well."""
    landmarks = keypoints.astype(np.float32)
    landmarks[:, :2] = to_network.to_frame(keypoints[:, :2])
    landmarks[:, 3] = keypoints[:, 3] / to_network.scale  # sigma is a length
    return landmarks
