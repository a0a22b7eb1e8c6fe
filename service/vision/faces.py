"""From boxes to what the landmark network sees, and from what it says to faces in the frame."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np

from service.entities import Box, ByteArray, Face, FloatArray, ThermalFrame, Unit
from service.imaging.rotation import unrotate_box, unrotate_points
from service.vision.crop import SimilarityMap, crop_map, landmark_view
from service.vision.temperatures import region_temperatures
from service.vision.verdict import VerdictLimits, judge

Crop = tuple[ByteArray, SimilarityMap]  # uint8 `[256, 256]`, and its map


def crop_faces(frame: ThermalFrame, boxes: Sequence[Box], normalisation: str) -> list[Crop]:
    """The landmark network's view of each box, each normalised by itself."""
    return view_faces(frame, [crop_map(box) for box in boxes], normalisation)


def view_faces(
    frame: ThermalFrame, maps: Iterable[SimilarityMap], normalisation: str
) -> list[Crop]:
    """The same through maps of one's own."""
    return [
        (landmark_view(frame.values, one, normalisation, black_hot=frame.black_hot), one)
        for one in maps
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
    return Box(x1, y1, x2, y2, box.score) if x2 > x1 and y2 > y1 else box


def box_of(landmarks: FloatArray, score: float) -> Box:
    """The bounding box of landmarks `[K, 2 or more]`."""
    xy = landmarks[:, :2]
    (x1, y1), (x2, y2) = xy.min(axis=0).tolist(), xy.max(axis=0).tolist()
    return Box(x1, y1, x2, y2, score)


def to_frame(keypoints: FloatArray, to_network: SimilarityMap) -> FloatArray:
    """Keypoints `[K, 4]` in crop pixels to float32 landmarks in frame pixels, sigma as well."""
    landmarks = keypoints.astype(np.float32)
    landmarks[:, :2] = to_network.to_frame(keypoints[:, :2])
    landmarks[:, 3] = keypoints[:, 3] / to_network.scale  # sigma is a length
    return landmarks
