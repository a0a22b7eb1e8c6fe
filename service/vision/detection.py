"""The detector's raw candidates to faces in the frame. Pure numpy."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, FloatArray
from service.vision.crop import AxisMap

IOU_LIMIT: Final = 0.5  # two candidates that overlap more than this are one face


def select_faces(
    boxes: FloatArray,
    scores: FloatArray,
    to_network: AxisMap,
    *,
    width: int,
    height: int,
    min_score: float,
    max_faces: int,
) -> tuple[Box, ...]:
    """Boxes in frame pixels, clipped to the frame, the best score first.

    boxes: `[K, 4]` x1, y1, x2, y2 in letterboxed pixels; scores: `[K]`, 0 to 1. Candidates that
    are not finite, or empty once clipped, are left out.
    """
    corners = to_network.to_frame(boxes.astype(np.float32).reshape(-1, 2, 2)).reshape(-1, 4)
    limits = np.array([width - 1, height - 1] * 2, np.float32)
    finite = np.all(np.isfinite(corners), axis=1)
    corners = np.clip(np.where(finite.reshape(-1, 1), corners, 0), 0, limits)
    large = np.all(corners[:, 2:] - corners[:, :2] >= 1, axis=1)
    wanted = np.flatnonzero((scores >= min_score) & (scores > 0) & finite & large)
    kept = wanted[non_maximum_suppression(corners[wanted], scores[wanted])][:max_faces]
    return tuple(
        Box(x1, y1, x2, y2, min(float(score), 1.0))
        for (x1, y1, x2, y2), score in zip(corners[kept].tolist(), scores[kept], strict=True)
    )


def non_maximum_suppression(
    boxes: FloatArray, scores: FloatArray, iou_limit: float = IOU_LIMIT
) -> NDArray[np.intp]:
    """Indices of `boxes` `[K, 4]` to keep, the best score first; greedy, ties by index."""
    order = np.argsort(-scores, kind="stable")
    overlap = pairwise_iou(boxes[order])
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= overlap[i, i + 1 :] <= iou_limit
    return np.asarray(order[alive], np.intp)


def pairwise_iou(boxes: FloatArray, others: FloatArray | None = None) -> FloatArray:
    """Intersection over union `[K, M]` of `boxes` `[K, 4]` with `others` `[M, 4]`, or with one
    another; 0 for empty ones."""
    if others is None:
        others = boxes
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas, more = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (boxes, others))
    union = areas[:, None] + more[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
