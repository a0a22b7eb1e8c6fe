"""How far landmarks are off, and which faces were found. Pure numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.landmark_schema import OUTER_EYE_CORNERS
from service.vision.detection import non_maximum_suppression, pairwise_iou

FAILURE_LIMIT = 0.08  # normalised error above which a face counts as failed
FAILURE_LIMITS = (0.08, 0.10)  # the two that papers quote
MATCH_IOU = 0.5
MIN_SCORE = 0.3  # the service's default; recall and precision are told at it
SIZE_RANGES = {"small": (0.0, 24.0), "medium": (24.0, 64.0), "large": (64.0, np.inf)}  # pixels


def interocular(points: FloatArray) -> FloatArray:
    """Distance `[N]` between the outer eye corners of `points` `[N, 68, 2]` (NME-IO)."""
    right, left = OUTER_EYE_CORNERS
    return np.asarray(np.linalg.norm(points[:, right] - points[:, left], axis=-1))


def box_diagonal(boxes: FloatArray) -> FloatArray:
    """Diagonal `[N]` of `boxes` `[N, 4]` as x1, y1, x2, y2."""
    return np.asarray(np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=-1))


def box_size(boxes: FloatArray) -> FloatArray:
    """sqrt(w * h) `[N]` of `boxes` `[N, 4]`."""
    return np.asarray(np.sqrt(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=-1)))


def bounding_boxes(points: FloatArray) -> FloatArray:
    """Boxes `[N, 4]` around `points` `[N, K, 2]`; a point that is nan is none of them."""
    return np.concatenate([np.nanmin(points, axis=1), np.nanmax(points, axis=1)], axis=-1)


def normalised_errors(
    predicted: FloatArray, target: FloatArray, weight: FloatArray, scale: FloatArray
) -> FloatArray:
    """Mean distance of each face's points over its scale: NME `[N]`, nan where no point counts.

    predicted, target: `[N, K, 2]`. weight: `[N, K]`, 0 = does not count, and may be nan in target.
    scale: `[N]`, pixels.
    """
    if predicted.shape != target.shape or weight.shape != target.shape[:2]:
        raise ValueError(f"shapes differ: {predicted.shape}, {target.shape}, {weight.shape}")
    distance = np.where(weight > 0, np.linalg.norm(predicted - target, axis=-1), 0)
    count = weight.sum(1)
    mean = np.full(len(count), np.nan)
    np.divide((distance * weight).sum(1), count, where=count > 0, out=mean)
    return np.asarray(mean / np.maximum(scale, 1e-6))


def nme_io(predicted: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    """NME-IO `[N]`: over the distance between the outer eye corners (T-FAKE, 300W).

    It explodes towards the profile, where the corners close up: quote it with the range of yaw.
    """
    return normalised_errors(predicted, target, weight, interocular(target))


def nme_diagonal(predicted: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    """NME-W/H `[N]`: over the diagonal of the box around the true points (MLCM-KD on CHARLOTTE)."""
    return normalised_errors(predicted, target, weight, box_diagonal(bounding_boxes(target)))


def summarise_errors(errors: FloatArray, limit: float = FAILURE_LIMIT) -> dict[str, float]:
    """Mean, median, share above `limit`, and the area under the error curve up to it (0 to 1).

    errors: `[N]`; nan is left out, inf (a missed face) counts as failed.
    """
    errors = errors[~np.isnan(errors)]
    if not len(errors):
        return {}
    return {
        "mean": float(errors.mean()),
        "median": float(np.median(errors)),
        "failure_rate": float((errors > limit).mean()),
        "auc": float(np.maximum(1 - errors / limit, 0).mean()),
    }


def error_figures(errors: FloatArray) -> dict[str, float]:
    """Mean, median, 95th percentile, and failure rate and area under the cumulative error curve at
    each of `FAILURE_LIMITS`; errors as in `summarise_errors`.

    The percentiles are ranks: between a number and the infinity of a missed face lies no middle.
    """
    errors = errors[~np.isnan(errors)]
    if not len(errors):
        return {}
    figures = {"mean": float(errors.mean())}
    for name, rank in (("median", 50), ("p95", 95)):
        figures[name] = float(np.percentile(errors, rank, method="inverted_cdf"))
    for limit in FAILURE_LIMITS:
        at_limit = summarise_errors(errors, limit)
        figures[f"failure_rate_{limit:.2f}"] = at_limit["failure_rate"]
        figures[f"auc_{limit:.2f}"] = at_limit["auc"]
    return figures


@dataclass(frozen=True)
class Matching:
    """One image. scores, hit, counted: of each detection `[K]`: whether it found a face, and
    whether it counts at all. found: score of the detection that found each face `[M]`, nan if
    none did. target: whether the face is one to find `[M]`."""

    scores: FloatArray
    hit: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    found: FloatArray
    target: NDArray[np.bool_]


def match_detections(
    boxes: FloatArray,
    scores: FloatArray,
    faces: FloatArray,
    ignore: NDArray[np.bool_],
    size_range: tuple[float, float] = (0.0, np.inf),
) -> Matching:
    """Greedy, best score first, at IoU 0.5; boxes `[K, 4]`, scores `[K]`, faces `[M, 4]`.

    A face that is ignored, or outside `size_range`, absorbs what matches it: no gain, no loss. A
    detection also falls away when half of it lies in an ignored box, or when it matches nothing and
    is itself outside the range.
    """
    size = box_size(faces)
    outside = ignore | (size < size_range[0]) | (size >= size_range[1])
    iou = pairwise_iou(boxes, faces)
    hit, counted = np.zeros(len(boxes), bool), np.ones(len(boxes), bool)
    found = np.full(len(faces), np.nan, np.float32)
    own_size = box_size(boxes)
    for k in np.argsort(-scores, kind="stable"):
        free = np.where(np.isnan(found) & ~outside, iou[k], 0.0)
        if len(faces) and free.max() >= MATCH_IOU:
            hit[k] = True
            found[free.argmax()] = scores[k]
        else:
            in_range = size_range[0] <= own_size[k] < size_range[1]
            absorbed = _absorbed(boxes[k], iou[k], faces, outside, ignore)
            counted[k] = in_range and not absorbed
    return Matching(np.asarray(scores), hit, counted, found, ~outside)


def _absorbed(
    box: FloatArray,
    iou: FloatArray,
    faces: FloatArray,
    outside: NDArray[np.bool_],
    ignore: NDArray[np.bool_],
) -> bool:
    low, high = np.maximum(box[:2], faces[:, :2]), np.minimum(box[2:], faces[:, 2:])
    area = max(float(np.prod(box[2:] - box[:2])), 1e-9)
    covered = np.prod(np.maximum(high - low, 0), axis=1) / area
    return bool(np.any(outside & (iou >= MATCH_IOU)) or np.any(ignore & (covered >= 0.5)))


def average_precision(matchings: Sequence[Matching]) -> float:
    """Area under the precision envelope over recall (all points); nan without a face."""
    faces = sum(int(m.target.sum()) for m in matchings)
    if not faces:
        return float("nan")
    hit, precision = _ranked(matchings)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * hit).sum() / faces)


def precision_recall_curve(matchings: Sequence[Matching]) -> tuple[FloatArray, FloatArray]:
    """Recall and precision `[D]` after each of the detections that count, the best score first;
    empty without a face."""
    faces = sum(int(m.target.sum()) for m in matchings)
    if not faces:
        return np.zeros(0), np.zeros(0)
    hit, precision = _ranked(matchings)
    return np.cumsum(hit) / faces, precision


def _ranked(matchings: Sequence[Matching]) -> tuple[NDArray[np.bool_], FloatArray]:
    """Of the detections that count, by score: which hit, and the precision so far."""
    scores = np.concatenate([m.scores[m.counted] for m in matchings])
    hit = np.concatenate([m.hit[m.counted] for m in matchings])[np.argsort(-scores, kind="stable")]
    return hit, np.cumsum(hit) / np.arange(1, len(hit) + 1)


def recall_and_precision(matchings: Sequence[Matching], min_score: float) -> tuple[float, float]:
    """At a score threshold; nan without a face, or without a detection."""
    found = np.concatenate([m.found[m.target] for m in matchings])
    hit = np.concatenate([m.hit[m.counted & (m.scores >= min_score)] for m in matchings])
    recall = float((found >= min_score).mean()) if len(found) else float("nan")
    return recall, float(hit.mean()) if len(hit) else float("nan")


def summarise_landmarks(
    predicted: FloatArray, points: FloatArray, weight: FloatArray
) -> dict[str, float]:
    """Errors over sqrt(w * h) of the labels' box, and over the distance between the outer eye
    corners: `nme_box_...` and `nme_io_...`.

    predicted, points: `[N, 68, 2]`; points that nobody marked are nan, and a face without an outer
    eye corner counts for the box alone. weight: `[N, 68]`, 0 = does not count.
    """
    scales = {"nme_box": box_size(bounding_boxes(points)), "nme_io": interocular(points)}
    return {
        f"{name}_{figure}": value
        for name, scale in scales.items()
        for figure, value in summarise_errors(
            normalised_errors(predicted, points, weight, scale)
        ).items()
    }


def summarise_detection(
    boxes: FloatArray,
    scores: FloatArray,
    faces: FloatArray,
    valid: NDArray[np.bool_],
    ignore: NDArray[np.bool_],
) -> dict[str, float]:
    """AP, recall and precision over all sizes, and recall and AP of each size range.

    boxes `[N, K, 4]`, scores `[N, K]`: candidates before suppression. faces `[N, M, 4]`, valid and
    ignore `[N, M]`: as in `DetectorBatch`.
    """
    images = []
    for row in range(len(boxes)):
        kept = non_maximum_suppression(boxes[row], scores[row])
        labelled = valid[row] | ignore[row]
        images.append(
            (boxes[row][kept], scores[row][kept], faces[row][labelled], ignore[row][labelled])
        )
    matchings = [match_detections(*image) for image in images]
    recall, precision = recall_and_precision(matchings, MIN_SCORE)
    summary = {"ap": average_precision(matchings), "recall": recall, "precision": precision}
    for name, size_range in SIZE_RANGES.items():
        of_size = [match_detections(*image, size_range) for image in images]
        summary[f"ap_{name}"] = average_precision(of_size)
        summary[f"recall_{name}"] = recall_and_precision(of_size, MIN_SCORE)[0]
    return summary
