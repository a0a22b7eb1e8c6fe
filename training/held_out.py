"""Fresh labelled pictures of the synthesis, and how two networks compare on them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.vision.detection import pairwise_iou
from training.data.sample import collate_detector, collate_landmarks
from training.data.synthetic import DetectorStream, LandmarkStream
from training.gate import figures
from training.metrics import MIN_SCORE, bounding_boxes, box_size
from training.served import Network, Outputs

# The arrays of a gate set (`training.gate`): images uint8 `[N, H, W]`, and the labels.
Views = Mapping[str, NDArray[Any]]
ERRORS: Final = {
    "landmarks": "mean over faces of the mean landmark distance / sqrt(w * h) of the labels' box",
    "detector": "1 - average precision at IoU 0.5, all sizes",
}


def views(task: str, pool: str, split: str, count: int, seed: int) -> Views:
    """`count` pictures as the networks are served them. PoolMissing where none are rendered."""
    batch: Any
    if task == "landmarks":
        crops = LandmarkStream(pool, count, seed, split)
        batch = collate_landmarks([crops[i] for i in range(count)])
    else:
        frames = DetectorStream(pool, count, seed, split)
        batch = collate_detector([frames[i] for i in range(count)])
    held = {field.name: getattr(batch, field.name) for field in fields(batch)}
    arrays = {name: array.numpy() for name, array in held.items() if array is not None}
    return {**arrays, "images": arrays["images"][:, 0]}


def error(task: str, network: Network, data: Views) -> float:
    """See `ERRORS`; lower is better."""
    return figures(task, network(data["images"][:, None]), data)["error"]


def change(task: str, before: Outputs, after: Outputs, data: Views) -> float:
    """How far the output moved, on average.

    Landmarks: distance over the face's size. Detector: of each face found before, 1 - IoU of the
    nearest box after, plus the difference of the two scores.
    """
    if task == "landmarks":
        distance = np.linalg.norm(
            after["keypoints"][..., :2] - before["keypoints"][..., :2], axis=-1
        )
        return float((distance.mean(1) / box_size(bounding_boxes(data["points"]))).mean())
    moved = []
    for row, strong in enumerate(before["scores"] >= MIN_SCORE):
        overlap = pairwise_iou(before["boxes"][row][strong], after["boxes"][row])
        nearest = overlap.argmax(axis=1)
        scores = np.abs(before["scores"][row][strong] - after["scores"][row][nearest])
        moved += list(1 - overlap.max(axis=1) + scores)
    return float(np.mean(moved)) if moved else 0.0
