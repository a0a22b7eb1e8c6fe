"""The detector's raw candidates to faces in the frame. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, FloatArray
from service.vision.crop import SimilarityMap

IOU_LIMIT: Final = 0.5  # two candidates that overlap more than this are one face
# So are two of which one lies in the other by more than this share of its own area ...
NESTED_SHARE: Final = 0.8
# ... unless it is smaller than this share of the other: a far face before a near one.
NESTED_AREA: Final = 0.15
# Side in pixels of the coarser of two looks, below which the finer one answers for a face.
SMALL_FACE: Final = 24.0


@dataclass(frozen=True)
class Look:
    """One detector's raw candidates: boxes `[K, 4]` x1, y1, x2, y2 in its letterboxed pixels,
    scores `[K]`, 0 to 1."""

    boxes: FloatArray
    scores: FloatArray
    to_network: SimilarityMap


def merge_looks(looks: Sequence[Look]) -> Look:
    """Looks at one frame through inputs of several sizes, the smallest first, as one look.

    Each face comes from the input that shows it best: enlarged, a near face falls apart into
    things that look like faces, and a far one is too small for the coarse input.
    """
    merged = looks[0]
    for finer in looks[1:]:
        corners = finer.to_network.to_frame(finer.boxes.astype(np.float32).reshape(-1, 2, 2))
        boxes = merged.to_network.to_network(corners).reshape(-1, 4)
        near, far = _sizes(merged.boxes) >= SMALL_FACE, _sizes(boxes) < SMALL_FACE
        merged = Look(
            np.concatenate([merged.boxes[near], boxes[far]]),
            np.concatenate([merged.scores[near], finer.scores[far]]),
            merged.to_network,
        )
    return merged


def _sizes(boxes: FloatArray) -> FloatArray:
    """sqrt(w * h) `[K]`; 0 for empty boxes."""
    return np.asarray(np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)))


def select_faces(
    boxes: FloatArray,
    scores: FloatArray,
    to_network: SimilarityMap,
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
    """Indices of `boxes` `[K, 4]` to keep, the best score first; greedy, ties by index.

    Besides what overlaps a better one by more than `iou_limit`, what is nested with a better one of
    similar size goes: large faces sometimes get a second box, of half the face. The score decides,
    not the size: see DECISIONS.md.
    """
    order = np.argsort(-scores, kind="stable")
    shared, areas, _ = _intersections(boxes[order], boxes[order])
    small, large = np.minimum.outer(areas, areas), np.maximum.outer(areas, areas)
    overlaps = pairwise_iou(boxes[order]) > iou_limit
    nested = (shared > NESTED_SHARE * small) & (small >= NESTED_AREA * large)
    same = overlaps | nested
    alive = np.ones(len(order), bool)
    for i in range(len(order)):
        if alive[i]:
            alive[i + 1 :] &= ~same[i, i + 1 :]
    return np.asarray(order[alive], np.intp)


def corners(boxes: Sequence[Box]) -> FloatArray:
    """x1, y1, x2, y2: float32 `[K, 4]`."""
    return np.array([(b.x1, b.y1, b.x2, b.y2) for b in boxes], np.float32).reshape(-1, 4)


def pairwise_iou(boxes: FloatArray, others: FloatArray | None = None) -> FloatArray:
    """Intersection over union `[K, M]` of `boxes` `[K, 4]` with `others` `[M, 4]`, or with one
    another; 0 for empty ones."""
    shared, areas, more = _intersections(boxes, boxes if others is None else others)
    union = areas[:, None] + more[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def _intersections(
    boxes: FloatArray, others: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Areas shared `[K, M]`, and those of `boxes` `[K]` and `others` `[M]`."""
    wide, high = (  # axis by axis: arrays `[K, M, 2]` take four times as long
        np.minimum(boxes[:, None, i + 2], others[:, i + 2])
        - np.maximum(boxes[:, None, i], others[:, i])
        for i in (0, 1)
    )
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    areas, more = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), axis=1) for b in (boxes, others))
    return shared, areas, more
