"""Whether a face's landmarks can be relied on, judged by their expected errors. Pure numpy.

| reason | when |
| --- | --- |
| `cut` | more than `CUT_SHARE` of the landmarks lie outside the frame |
| `too_small` | uncertain, and the box is smaller than `small_size` |
| `occluded` | neither of these, uncertain, but at least `FINE_SHARE` of the landmarks are fine |
| `not_thermal_like` | neither of these, and uncertain everywhere |

Uncertain means that the mean expected error is above `max_error`. Errors count as shares of the
face's size, which is sqrt(width * height) of its box.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, FloatArray, Reason, Verdict

CUT_SHARE: Final = 0.05  # of the landmarks: four of 68
FINE_SHARE: Final = 0.1  # of the landmarks: seven of 68


@dataclass(frozen=True)
class VerdictLimits:
    """What `training.calibrate` found for one network; ValueError unless all are above 0.

    max_error: largest mean expected error of a reliable face, as a share of its size.
    fine_error: largest expected error of a landmark that is fine, as a share of the face's size.
    small_size: pixels; of smaller faces, fewer than half are reliable even when they are whole.
    """

    max_error: float
    fine_error: float
    small_size: float

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 < value < float("inf")):
                raise ValueError(f"{item.name} must be a number above 0")


def judge(
    landmarks: FloatArray, box: Box, limits: VerdictLimits, *, width: int, height: int
) -> Verdict:
    """The verdict on one face. No reason, and only then, means reliable.

    landmarks: `[68, 4]` x, y, score, sigma in pixels of a frame of `width` by `height`, with sigma
    the calibrated expected error. box: in the same pixels.
    """
    errors = relative_errors(landmarks, box)
    cut = outside_frame(landmarks, width, height).mean() > CUT_SHARE
    reasons = [Reason.CUT] if cut else []
    if errors.mean() > limits.max_error:
        if box.size < limits.small_size:
            reasons.append(Reason.TOO_SMALL)
        if not reasons:
            some_fine = (errors <= limits.fine_error).mean() >= FINE_SHARE
            reasons.append(Reason.OCCLUDED if some_fine else Reason.NOT_THERMAL_LIKE)
    return Verdict(tuple(reasons))


def relative_errors(landmarks: FloatArray, box: Box) -> FloatArray:
    """Expected errors `[68]` as shares of the face's size."""
    return np.asarray(landmarks[:, 3] / max(box.size, 1e-6))


def outside_frame(points: FloatArray, width: int, height: int) -> NDArray[np.bool_]:
    """Which of `points` `[68, 2 or more]` lie beyond the outer edges of the frame's pixels."""
    limits = np.array([width, height]) - 0.5
    return np.asarray(((points[:, :2] < -0.5) | (points[:, :2] > limits)).any(axis=1))
