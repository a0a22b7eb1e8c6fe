"""Boxes of a detector on held-out frames, and how likely each is a face."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from scipy import special
from scipy.optimize import minimize

from service.entities import Face, FloatArray
from service.vision.detection import corners
from service.vision.face_score import FaceScore, candidate_score, evidence
from service.vision.faces import with_own_box
from service.vision.refine import drop_repeated
from training.metrics import (
    MIN_SCORE,
    Matching,
    average_precision,
    match_detections,
    recall_and_precision,
)
from training.served import Network, find_boxes, find_landmarks
from training.synthesis.frames import Frame, compose_frame
from training.synthesis.pool import Pool

LEAST_SCORE: Final = 0.1  # of the detector, for a box to be learnt from


class JudgedFrame:
    """What detector and landmark network say of one frame. evidence `[N, 4]`: see `FaceScore`.

    found: in their detected boxes; matched are the boxes of their landmarks, as served.
    """

    def __init__(self, frame: Frame, found: Sequence[Face]) -> None:
        self._boxes = corners([with_own_box(face).box for face in found])
        self._truth = frame.boxes, frame.ignore > 0
        self.scores = np.array([face.box.score for face in found], np.float32)
        rows = [evidence(face.box, face.landmarks) for face in found]
        self.evidence = np.array(rows).reshape(-1, 4)

    def match(self, scores: FloatArray, least: float = 0.0) -> Matching:
        """With `scores` `[N]` instead of the detector's; without boxes of a lower detector's score
        than `least`."""
        kept = self.scores >= least
        return match_detections(self._boxes[kept], scores[kept], *self._truth)


def judge_boxes(
    pool: str, frames: int, seed: int, detectors: Mapping[int, Network], landmarks: Network
) -> list[JudgedFrame]:
    """Frames of held-out persons, every other one as fine as the largest detector sees it.

    landmarks: with calibrated errors.
    """
    portraits, figures = (Pool(pool, kind, "val") for kind in ("portrait", "figure"))
    sides = sorted(detectors)
    judged = []
    for index in range(frames):
        rng = np.random.default_rng((seed, 22, index))
        frame = compose_frame(portraits, figures, rng, input_size=sides[-(index % 2)])
        boxes = find_boxes(frame.image, detectors, LEAST_SCORE)
        found = find_landmarks(frame.image, boxes, landmarks, detected=True)
        judged.append(JudgedFrame(frame, drop_repeated(found)))
    return judged


def fit_face_score(frames: Sequence[JudgedFrame]) -> FaceScore | None:
    """Logistic regression of being a face, then a bias with which `MIN_SCORE` finds as many as by
    the detector alone; None if there are no faces, or nothing else."""
    matches = [frame.match(frame.scores) for frame in frames]
    counted = np.concatenate([match.counted for match in matches])
    rows = np.concatenate([frame.evidence for frame in frames])[counted]
    face = np.concatenate([match.hit for match in matches])[counted]
    if face.all() or not face.any():
        return None
    inputs = np.column_stack([np.ones(len(rows)), rows])
    sign = np.where(face, 1.0, -1.0)

    def loss(weights: FloatArray) -> float:
        return float(np.logaddexp(0, -sign * (inputs @ weights)).mean() + 1e-4 * weights @ weights)

    fitted = minimize(loss, np.zeros(inputs.shape[1]), method="BFGS").x
    weights = FaceScore(*np.round(fitted, 3).tolist())
    found = sum(int((m.found >= MIN_SCORE).sum()) for m in matches)
    return replace(weights, bias=round(weights.bias + _shift(frames, weights, found), 3))


def _shift(frames: Sequence[JudgedFrame], weights: FaceScore, wanted: int) -> float:
    """What the log-odds need for `wanted` faces to score `MIN_SCORE` or more."""
    found = np.sort(
        np.concatenate([m.found[~np.isnan(m.found)] for m in _by_both(frames, weights)])
    )[::-1]
    last = found[: max(wanted, 1)].min()
    return float(special.logit(MIN_SCORE) - special.logit(last))


def _by_both(frames: Sequence[JudgedFrame], weights: FaceScore) -> list[Matching]:
    """Of the boxes that serving looks at."""
    least = candidate_score(MIN_SCORE, weights)
    return [frame.match(weights.score(frame.evidence), least) for frame in frames]


def face_score_figures(frames: Sequence[JudgedFrame], weights: FaceScore) -> dict[str, Any]:
    """By the detector alone and by both, at the usual threshold, on other frames."""
    alone = [frame.match(frame.scores, MIN_SCORE) for frame in frames]
    both = _by_both(frames, weights)
    figures = {"detector_alone": _figures(alone), "with_landmarks": _figures(both)}
    return {"frames": len(frames), "faces": sum(int(m.target.sum()) for m in both), **figures}


def _figures(matchings: Sequence[Matching]) -> dict[str, float]:
    recall, precision = recall_and_precision(matchings, MIN_SCORE)
    false = sum(int((m.counted & ~m.hit & (m.scores >= MIN_SCORE)).sum()) for m in matchings)
    ap = average_precision(matchings)
    return {
        "recall": round(recall, 4),
        "precision": round(precision, 4),
        "false_boxes": false,
        "ap": round(ap, 4),
    }
