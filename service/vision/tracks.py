"""One face over time: where it was, how it moves, where it should be now. Pure numpy and scipy.

Positions are pixels of the frame as sent, times seconds of one clock that does not run backwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from service.entities import Box, FloatArray
from service.vision.detection import corners, pairwise_iou

# Seconds over which a speed is learnt. At 9 frames a second people start and stop within two: of
# those who walk, 31 % of the predicted boxes are off (IoU below .75) with 0.1, 28 % with 0.05, 39 %
# with 0.25. Of those who stand, the noise of the speed costs .01 of IoU.
SPEED_TIME: Final = 0.05
SPEED_TIME_UNSURE: Final = 1.0  # where the landmarks may be wrong, or another face's
# Seconds after which an unseen face has used up its speed: people stop and turn.
COASTING: Final = 1.5
# Shares of the face's size. A detection further than `REACH` from where a face should be is another
# face; for every second unsure `REACH_A_SECOND` more, up to `REACH_LIMIT`. Who walks across the
# picture goes .8 from frame to frame at 9 a second, and 7 in a second; tighter ones lost them.
REACH: Final = 1.2
REACH_A_SECOND: Final = 4.0
REACH_LIMIT: Final = 3.0
# Of a frame's strain in the next: who slides onto another's face does so over three frames or so.
STRAIN_KEPT: Final = 0.7
# Of a face's score at the detector's next look: a thing at scores around the threshold is no face
# after one or two that do not show it, a face at .9 stays for three.
SCORE_KEPT: Final = 0.7
# Sizes that differ by more are of two faces: who comes closer grows by a quarter a frame at most,
# and the detector is off by a tenth.
SIZE_RATIO: Final = 1.7


@dataclass
class Track:
    """A face that is or was there.

    box: where it was seen last, `at` then. velocity: `[2]` pixels a second of its centre.
    expires: when it is forgotten. visible: whether it was there in the last frame. strain: how
    badly its motion has fitted lately, in sizes. misses: looks of the detector in a row without it.
    score: over its looks, the last ones most.
    """

    id: int
    box: Box
    at: float
    expires: float
    sure_at: float = float("-inf")  # when it was seen without a doubt
    visible: bool = False
    seen: int = 0  # frames
    misses: int = 0
    score: float = 0.0
    error: float = 0.0  # the landmarks' mean expected one, in face sizes
    unsure: bool = False  # whether that makes its place uncertain
    strain: float = 0.0
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2))

    def predicted(self, now: float) -> Box:
        """Where it should be now: on at its speed, ever more slowly."""
        coasted = COASTING * (1 - math.exp(-max(0.0, now - self.at) / COASTING))
        dx, dy = (self.velocity * coasted).tolist()
        return moved(self.box, dx, dy)

    def strained(self, now: float, box: Box) -> float:
        """The strain, were it at `box` now."""
        return STRAIN_KEPT * self.strain + misfit(self.predicted(now), box)

    @property
    def sure(self) -> bool:
        """Whether its place in the last frame is known without a doubt."""
        return self.visible and not self.unsure

    def weigh(self, score: float) -> None:
        """The detector looked, and gives it `score`, 0 where it shows nothing."""
        self.score = SCORE_KEPT * self.score + (1 - SCORE_KEPT) * score if self.seen else score

    def see(self, now: float, box: Box, error: float, *, unsure: bool, aside: bool) -> None:
        """It is at `box`, its landmarks off by `error`. unsure: perhaps not quite there. aside: of
        another face, whose landmarks these may be."""
        passed = now - self.at
        learn = self.sure and not (unsure or aside)
        self.strain = self.strained(now, box)
        if self.seen and passed > 0:
            gain = 1 - math.exp(-passed / (SPEED_TIME if learn else SPEED_TIME_UNSURE))
            measured = np.subtract(centre(box), centre(self.box)) / passed
            self.velocity = self.velocity + gain * (measured - self.velocity)
        self.box, self.at, self.visible = box, now, True
        self.error, self.unsure = error, unsure
        self.seen += 1
        if not unsure:
            self.sure_at = now


def centre(box: Box) -> tuple[float, float]:
    """x, y."""
    return (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2


def scaled(box: Box, factor: float) -> Box:
    """With the same centre."""
    dx, dy = box.width * (factor - 1) / 2, box.height * (factor - 1) / 2
    return replace(box, x1=box.x1 - dx, y1=box.y1 - dy, x2=box.x2 + dx, y2=box.y2 + dy)


def moved(box: Box, dx: float, dy: float) -> Box:
    """To the right and down."""
    return replace(box, x1=box.x1 + dx, y1=box.y1 + dy, x2=box.x2 + dx, y2=box.y2 + dy)


def inside(box: Box, width: int, height: int) -> Box:
    """Moved so that its centre lies in the frame; the same box if it does."""
    x, y = centre(box)
    dx, dy = min(max(x, 0.0), width - 1.0) - x, min(max(y, 0.0), height - 1.0) - y
    return moved(box, dx, dy)


def misfit(expected: Box, found: Box) -> float:
    """How far `found` is from what was expected, in face sizes: its place, and its size."""
    # As `_apart` does for many; for one of a face numpy takes ten times as long.
    size, other = (math.sqrt(max(b.width, 1.0) * max(b.height, 1.0)) for b in (expected, found))
    return math.dist(centre(expected), centre(found)) / size + abs(math.log(other / size))


def assign(tracks: Sequence[Track], detections: Sequence[Box], now: float) -> dict[int, int]:
    """Index of a track to that of its detection: overlap and motion, the best sum over all.

    Faces of whose places there is no doubt choose first.
    """
    found = dict[int, int]()
    for sure in (True, False):
        rows = [i for i, track in enumerate(tracks) if track.sure is sure]
        columns = [j for j in range(len(detections)) if j not in found.values()]
        if rows and columns:
            costs = _costs([tracks[i] for i in rows], [detections[j] for j in columns], now)
            chosen = zip(*linear_sum_assignment(np.where(np.isinf(costs), 1e6, costs)), strict=True)
            found |= {rows[i]: columns[j] for i, j in chosen if np.isfinite(costs[i, j])}
    return found


def _costs(tracks: Sequence[Track], detections: Sequence[Box], now: float) -> FloatArray:
    """`[K, M]`: misfit, and what does not overlap; infinite where it cannot be the same face."""
    expected = [track.predicted(now) for track in tracks]
    away, apart = _apart(corners(expected), corners(detections))
    unsure = np.array([now - track.sure_at for track in tracks])
    reach = np.minimum(REACH + REACH_A_SECOND * unsure, REACH_LIMIT)
    costs = away + apart + 1 - pairwise_iou(corners(expected), corners(detections))
    return np.where((away > reach[:, None]) | (apart > math.log(SIZE_RATIO)), np.inf, costs)


def _apart(expected: FloatArray, found: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of boxes `[K, 4]` from others `[M, 4]`, both `[K, M]`: how far their centres are, in sizes of
    the first; and the absolute logarithm of their sizes' ratio."""
    size, other = (
        np.sqrt(np.prod(np.maximum(b[:, 2:] - b[:, :2], 1), axis=1)) for b in (expected, found)
    )
    between = (expected[:, None, :2] + expected[:, None, 2:] - found[:, :2] - found[:, 2:]) / 2
    away = np.hypot(between[..., 0], between[..., 1]) / size[:, None]
    return away, np.abs(np.log(other[None] / size[:, None]))


def overlapping(boxes: Sequence[Box], limit: float) -> NDArray[np.bool_]:
    """`[N, N]`: which overlap by more than `limit` (IoU), none with itself."""
    close = np.asarray(pairwise_iou(corners(boxes)) > limit)
    np.fill_diagonal(close, False)
    return close
