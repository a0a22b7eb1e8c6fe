"""Hand-marked real faces, and how landmarks and boxes are scored on them. For checking only.

A folder holds `faces.json`: one entry a face with `file`, `size`, `box`, six `points` as
[x, y, v] (v 2 = seen, 1 = guessed, 0 = cannot say), `attributes` and `difficulty`. Listed files
have all their faces listed; files under `other/` have one each, unlisted; the rest have none.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from service.entities import Box, FloatArray
from service.vision.detection import corners, pairwise_iou
from training.metrics import MATCH_IOU

# The landmarks whose mean is each marked point.
POINTS: Final[dict[str, slice]] = {
    "right_eye": slice(36, 42),
    "left_eye": slice(42, 48),
    "nose": slice(30, 31),
    "mouth_right": slice(48, 49),
    "mouth_left": slice(54, 55),
    "chin": slice(8, 9),
}
SEEN, GUESSED = 2, 1
SUFFIXES: Final = {".png", ".jpg", ".jpeg", ".tiff", ".tif", ".npy", ".bmp"}


@dataclass(frozen=True)
class MarkedFace:
    """points: `[6, 3]` in the order of `POINTS`: x, y, v."""

    file: str
    box: Box
    points: FloatArray
    difficulty: str
    attributes: tuple[str, ...]


def read_marks(folder: Path) -> dict[str, list[MarkedFace]]:
    """Faces by file."""
    faces: dict[str, list[MarkedFace]] = {}
    for entry in json.loads((folder / "faces.json").read_text(encoding="utf-8")):
        faces.setdefault(entry["file"], []).append(_marked(entry))
    return faces


def _marked(entry: dict[str, Any]) -> MarkedFace:
    points = np.array([entry["points"][name] for name in POINTS], np.float32)
    if {"box_only", "tiny"} & set(entry["attributes"]):
        points[:, 2] = 0
    return MarkedFace(
        entry["file"],
        Box(*entry["box"]),
        points,
        entry["difficulty"],
        tuple(entry["attributes"]),
    )


def list_images(folder: Path) -> list[str]:
    """All images, relative to the folder, in order."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(path.relative_to(folder).as_posix() for path in found)


def six_points(landmarks: FloatArray) -> FloatArray:
    """Landmarks `[68, D]` to the marked points `[6, D]`: means of position, score and sigma."""
    return np.stack([landmarks[part].mean(0) for part in POINTS.values()])


def point_errors(marked: MarkedFace, landmarks: FloatArray | None) -> FloatArray:
    """Distance of each point over sqrt(w * h): `[6]`; inf for a missed face, nan where v is 0."""
    if landmarks is None:
        errors = np.full(len(POINTS), np.inf)
    else:
        away = six_points(landmarks[:, :2]) - marked.points[:, :2]
        errors = np.linalg.norm(away, axis=1) / marked.box.size
    return np.where(marked.points[:, 2] > 0, errors, np.nan)


def match_boxes(faces: Sequence[Box], boxes: Sequence[Box]) -> list[int | None]:
    """Index of the box that finds each face, at IoU 0.5; a box finds one face, the best first."""
    found: list[int | None] = [None] * len(faces)
    iou = pairwise_iou(corners(faces), corners(boxes))
    while iou.size and iou.max() >= MATCH_IOU:
        face, box = np.unravel_index(int(iou.argmax()), iou.shape)
        found[int(face)] = int(box)
        iou[face, :] = iou[:, box] = 0
    return found


@dataclass(frozen=True)
class ScoredFace:
    """box: what found it, if anything did. detected, given: errors `[6]` of the landmarks in the
    detector's crop and in the crop of the marked box. landmarks: `[68, 4]`, x, y, score and sigma
    in frame pixels, in the latter."""

    marked: MarkedFace
    box: Box | None
    detected: FloatArray
    given: FloatArray
    landmarks: FloatArray

    def mean_error(self, which: str, seen: int) -> float:
        """Over the points of one visibility; nan if there are none."""
        errors = getattr(self, which)[self.marked.points[:, 2] == seen]
        return float(errors.mean()) if len(errors) else float("nan")

    def face_error(self, which: str) -> float:
        """Over all points with a position, seen or guessed; nan if there are none."""
        errors = getattr(self, which)
        return float(np.nan if np.isnan(errors).all() else np.nanmean(errors))


def recall(faces: Sequence[ScoredFace], smallest: float) -> tuple[int, int]:
    """Faces found, and faces there are, from `smallest` pixels of sqrt(w * h) up."""
    of_size = [face for face in faces if face.marked.box.size >= smallest]
    return sum(face.box is not None for face in of_size), len(of_size)


def error_percentiles(
    faces: Sequence[ScoredFace], which: str, seen: int, difficulties: Sequence[str]
) -> dict[str, float]:
    """Median and 95th percentile over points and over faces (of their mean), with the counts.

    Ranks, not interpolation: between a number and the infinity of a missed face lies no middle.
    """
    chosen = [face for face in faces if face.marked.difficulty in difficulties]
    points = [getattr(f, which)[f.marked.points[:, 2] == seen] for f in chosen]
    means = [float(part.mean()) for part in points if len(part)]
    pooled = np.concatenate(points) if points else np.zeros(0)
    figures = {"faces": float(len(means)), "points": float(len(pooled))}
    for name, values in (("points", pooled), ("faces", np.array(means))):
        for label, rank in (("median", 50), ("p95", 95)):
            value = np.percentile(values, rank, method="inverted_cdf") if len(values) else np.nan
            figures[f"{label}_{name}"] = float(value)
    return figures
