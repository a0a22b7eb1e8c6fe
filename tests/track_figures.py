"""How well faces in a clip were followed and steadied: figures against the clip's truth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from service.entities import Face, FloatArray
from training.synthesis.clip import Clip

SEEN = 0.5  # share of a face that must be visible to be asked for
NEAR = 0.3  # mean distance of the landmarks, in face sizes, up to which an answer is of that face
LAGS = np.arange(0, 305, 5)  # milliseconds that are tried
ALL = slice(0, 68)


@dataclass
class Match:
    """Answers by truth. points: `[T, P, 68, 2]`, nan where a person was not found; ids: `[T, P]`, 0
    there. spurious: answers of nobody."""

    points: FloatArray
    ids: NDArray[np.int64]
    spurious: int = 0


def match(clip: Clip, answers: Sequence[Sequence[Face]]) -> Match:
    """Each frame's answers to the persons in it, the best sum of distances."""
    found = Match(np.full_like(clip.landmarks, np.nan), np.zeros(clip.visible.shape, np.int64))
    for frame, faces in enumerate(answers):
        there = np.flatnonzero(np.isfinite(clip.landmarks[frame]).all(axis=(1, 2)))
        truth = clip.landmarks[frame, there]
        points = np.array([face.landmarks[:, :2] for face in faces]).reshape(-1, 1, 68, 2)
        away = np.hypot(*np.moveaxis(points - truth[None], -1, 0)).mean(axis=2) / sizes(truth)
        pairs = [
            (face, person)
            for face, person in zip(*linear_sum_assignment(np.minimum(away, 9)), strict=True)
            if away[face, person] <= NEAR
        ]
        found.spurious += len(faces) - len(pairs)
        for face, person in pairs:
            found.points[frame, there[person]] = faces[face].landmarks[:, :2]
            found.ids[frame, there[person]] = faces[face].track_id or 0
    return found


def sizes(landmarks: FloatArray) -> FloatArray:
    """sqrt(w * h) `[...]` of landmarks `[..., 68, 2]`."""
    return np.asarray(np.sqrt(np.prod(np.ptp(landmarks, axis=-2), axis=-1)))


def asked(clip: Clip) -> NDArray[np.bool_]:
    """`[T, P]`: the faces that are seen well enough."""
    return np.asarray((clip.visible >= SEEN) & np.isfinite(clip.landmarks).all(axis=(2, 3)))


def errors(clip: Clip, found: Match) -> FloatArray:
    """Mean error of a face's landmarks, in shares of its size, `[T, P]`; nan where it was not found
    or is not asked for."""
    distance = np.hypot(*np.moveaxis(found.points - clip.landmarks, -1, 0)).mean(axis=2)
    return np.where(asked(clip), distance / sizes(clip.landmarks), np.nan)


def switches(clip: Clip, found: Match) -> int:
    """How often a person's track is another than before. Who has left the picture may come back as
    somebody else; who is hidden may not."""
    total = 0
    gone = np.asarray(np.isnan(clip.landmarks).any(axis=(2, 3)))
    for person in range(gone.shape[1]):
        ids, away = found.ids[:, person], gone[:, person]
        visits = np.split(ids, np.flatnonzero(away))
        total += sum(int((np.diff(visit[visit > 0]) != 0).sum()) for visit in visits)
    return total


def jitter(clip: Clip, points: FloatArray) -> float:
    """Root mean square of what trembles, in shares of the face's size: how far the error `[T, P,
    68, 2]` of a frame lies from the middle of its neighbours'. Of white noise, its deviation."""
    error = (points - clip.landmarks) / sizes(clip.landmarks)[..., None, None]
    error[~asked(clip)] = np.nan
    return rms(error[1:-1] - (error[:-2] + error[2:]) / 2) / math.sqrt(1.5)


def rms(values: FloatArray) -> float:
    """Over what is not nan."""
    return float(np.sqrt(np.nanmean(np.square(values))))


def lag(clip: Clip, points: FloatArray, part: slice = ALL) -> tuple[float, float]:
    """Milliseconds by which the truth must be delayed to fit best, and the rms error (shares of the
    face's size, without each landmark's own mean) with no delay; of some of the landmarks."""
    left = [_left(clip, points, part, delay / 1000) for delay in LAGS]
    return float(LAGS[int(np.argmin(left))]), left[0]


def _left(clip: Clip, points: FloatArray, part: slice, delay: float) -> float:
    """The rms error against the truth of `delay` seconds before."""
    rows = np.flatnonzero(clip.times >= clip.times[0] + LAGS[-1] / 1000)  # the same for all delays
    at = np.interp(clip.times[rows] - delay, clip.times, np.arange(len(clip.times)))
    low = np.floor(at).astype(int)
    share = (at - low)[:, None, None, None]
    high = np.minimum(low + 1, len(clip.times) - 1)
    truth = (1 - share) * clip.landmarks[low] + share * clip.landmarks[high]
    error = (points[rows] - truth) / sizes(clip.landmarks[rows])[..., None, None]
    error[~asked(clip)[rows]] = np.nan
    error = error[:, :, part]
    return rms(error - np.nanmean(error, axis=0))
