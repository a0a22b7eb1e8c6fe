"""How likely a detected box is a face, once its landmarks have been looked for. Pure numpy.

A detector takes a bent pipe or a bright panel for a face now and then; the landmark network does
not know where to put the eyes on it, and says so by its expected errors, which mean the more the
larger the face is. So the score of a detected face is a logistic model of both. Boxes of a lower
detector's score than asked for get their chance, too: a hard face may convince the landmark
network. Measured: see DECISIONS.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from service.entities import Box, Face, FloatArray
from service.vision.verdict import relative_errors

CANDIDATE_SHARE: Final = 2 / 3  # of the score asked for, which a box needs from the detector
_LEAST: Final = 1e-4  # scores and errors closer to 0 (scores: to 1) say no more than this
_SIZE: Final = 24.0  # pixels, a small face: the weights of other sizes count from here


@dataclass(frozen=True)
class FaceScore:
    """What `training.calibrate` fitted to one landmark network behind one detector: weights of the
    log-odds. ValueError unless all are finite numbers.

    detector: of the log-odds of the detector's score. error: of the logarithm of the mean expected
    error over the face's size. size: of the logarithm of the size. error_by_size: of the product of
    both logarithms. bias: set so that 0.3 finds as many faces as 0.3 of the detector alone.
    """

    bias: float
    detector: float
    error: float
    size: float
    error_by_size: float

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and math.isfinite(value)):
                raise ValueError(f"{item.name} must be a finite number")

    def score(self, evidence: FloatArray) -> FloatArray:
        """The score `[N]`, 0 to 1, by `evidence` `[N, 4]`."""
        weights = np.array([self.detector, self.error, self.size, self.error_by_size])
        return np.asarray(1 / (1 + np.exp(-np.clip(self.bias + evidence @ weights, -30, 30))))


def evidence(box: Box, landmarks: FloatArray) -> FloatArray:
    """`[4]` as `FaceScore` weighs them. box: as detected. landmarks: `[68, 4]` with calibrated
    errors, in the box's frame."""
    score = min(max(box.score, _LEAST), 1 - _LEAST)
    error = math.log(max(float(relative_errors(landmarks, box).mean()), _LEAST))
    size = math.log(max(box.size, 1.0) / _SIZE)
    return np.array([math.log(score / (1 - score)), error, size, error * size])


def candidate_score(min_score: float, weights: FaceScore | None) -> float:
    """The least detector's score of a box that is looked at, for faces from `min_score` on."""
    return min_score if weights is None else min_score * CANDIDATE_SHARE


def candidate_count(max_faces: int, weights: FaceScore | None) -> int:
    """How many boxes are looked at, for `max_faces` faces: some will turn out to be none."""
    return max_faces if weights is None else 2 * max_faces


def rescore(faces: Sequence[Face], weights: FaceScore | None, min_score: float) -> tuple[Face, ...]:
    """Faces in their detected boxes, scored by detector and landmarks; those below `min_score` go.

    Without `weights` (the network is not calibrated) the detector's scores stay.
    """
    if weights is None or not faces:
        return tuple(faces)
    rows = np.stack([evidence(face.box, face.landmarks) for face in faces])
    scored = zip(faces, weights.score(rows).tolist(), strict=True)
    return tuple(
        replace(face, box=replace(face.box, score=score))
        for face, score in scored
        if score >= min_score
    )
