"""Landmarks of tracked faces steadied over time, and their velocities. Pure numpy.

The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): a first-order low-pass whose cut-off
grows with speed, so that what stands is steady and what moves is not late. Two changes: speeds
count in face sizes a second, so that near and far faces are steadied alike, and a landmark's speed
is that of the whole face, in which noise averages out, plus its own against it. Measured by
`make bench-tracking`: see DECISIONS.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from service.entities import Face, FloatArray

# Hz, of the low-pass on speeds. The paper's 1 notices an opening mouth later, for as much jitter.
SPEED_CUTOFF: Final = 2.0
GAP: Final = 0.5  # seconds unseen, after which a face begins anew
JUMP: Final = 0.5  # face sizes, mean over the landmarks, off its motion: it was found elsewhere


class Smoothing(StrEnum):
    OFF = "off"
    LIGHT = "light"
    STRONG = "strong"


@dataclass(frozen=True)
class Cutoff:
    """rest: Hz, of what stands. slope: Hz more for each face size a second (the paper's beta)."""

    rest: float
    slope: float


# Jitter of standing faces at 25 frames a second, and the delay of talking and turning ones: half of
# it and 10 ms, a third of it and 20 ms.
CUTOFFS: Final = {
    Smoothing.LIGHT: Cutoff(rest=0.5, slope=36.0),
    Smoothing.STRONG: Cutoff(rest=0.3, slope=12.0),
}


@dataclass(frozen=True)
class _State:
    """Of one face, all `[68, 2]` float64: points, smoothed; raw; velocity, in pixels a second."""

    at: float
    points: FloatArray
    raw: FloatArray
    velocity: FloatArray


class Smoother:
    """The faces of one stream. Frames may come unevenly."""

    def __init__(self, strength: Smoothing) -> None:
        self._cutoff = CUTOFFS.get(strength)  # None: off
        self._states: dict[int, _State] = {}

    def smooth(self, now: float, faces: Sequence[Face]) -> tuple[Face, ...]:
        """The faces with `velocities`, the low-passed derivatives of their landmarks, and with
        steadied landmarks unless OFF. Faces that are new, or found elsewhere, stand.

        now: seconds. In no time nothing moves: the landmarks are the last ones again, unless OFF.
        ValueError for a face without a track.
        """
        self._states = {i: s for i, s in self._states.items() if now - s.at <= GAP}
        return tuple(self._smoothed(now, face) for face in faces)

    def _smoothed(self, now: float, face: Face) -> Face:
        if face.track_id is None:
            raise ValueError("only tracked faces can be smoothed")
        raw = face.landmarks[:, :2].astype(np.float64)
        size = math.sqrt(max(float(np.prod(np.ptp(raw, axis=0))), 1.0))
        last = self._states.get(face.track_id)
        if last is None or _has_jumped(last, now, raw, size):
            state = _State(now, raw, raw, np.zeros_like(raw))
        else:
            state = self._step(last, now, raw, size)
        self._states[face.track_id] = state
        landmarks = face.landmarks.copy()
        landmarks[:, :2] = state.points
        return replace(face, landmarks=landmarks, velocities=state.velocity.astype(np.float32))

    def _step(self, last: _State, now: float, raw: FloatArray, size: float) -> _State:
        passed = now - last.at
        if passed <= 0:
            return replace(last, points=raw) if self._cutoff is None else last
        moved = (raw - last.raw) / passed
        velocity = last.velocity + _gain(SPEED_CUTOFF, passed) * (moved - last.velocity)
        if self._cutoff is None:
            return _State(now, raw, raw, velocity)
        whole = velocity.mean(axis=0)
        speed = (np.hypot(*whole) + np.hypot(*(velocity - whole).T)) / size
        gain = _gain(self._cutoff.rest + self._cutoff.slope * speed, passed)
        return _State(now, last.points + gain[:, None] * (raw - last.points), raw, velocity)


def _has_jumped(last: _State, now: float, raw: FloatArray, size: float) -> bool:
    """Whether the face is not where its motion led."""
    expected = last.raw + last.velocity * max(0.0, now - last.at)
    return float(np.hypot(*(raw - expected).T).mean()) > JUMP * size


def _gain(cutoff: FloatArray | float, passed: float) -> FloatArray:
    """Weight of the newest value in a low-pass of `cutoff` Hz after `passed` seconds."""
    turned = 2 * math.pi * np.asarray(cutoff, np.float64) * passed
    return np.asarray(turned / (1 + turned))
