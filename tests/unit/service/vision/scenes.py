"""Simple scenes for a tracker, with landmarks that lie where a face is near a crop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from service.entities import Box, Face
from service.vision.tracking import Tracker

WIDTH, HEIGHT, FPS = 320, 240, 9.0
_X, _Y = np.arange(68) % 9 / 8, np.arange(68) // 9 / 7
Scene = Callable[[int], list[Box]]  # the faces in a frame, by its number; the nearest first


def box(x: float, y: float = 100, size: float = 40, score: float = 0.9) -> Box:
    """With its centre at x, y."""
    return Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2, score)


def middle(found: Box) -> float:
    return (found.x1 + found.x2) / 2


def face(crop: Box, there: Box | None) -> Face:
    """`there`, as seen in `crop`; with errors that say it is nothing if it is None."""
    at, error = (crop, 0.25) if there is None else (there, 0.02)
    x, y = at.x1 + _X * at.width, at.y1 + _Y * at.height
    sigma = np.full(68, error * at.size)
    points = np.stack((x, y, np.full(68, 0.5), sigma), axis=1)
    return Face(crop, points.astype(np.float32))


def landmarks(crops: Sequence[Box], faces: Sequence[Box]) -> list[Face]:
    """What a network says: of each crop the face whose middle is close to that of the crop."""
    near = [[f for f in faces if abs(middle(f) - middle(crop)) < 0.4 * f.size] for crop in crops]
    return [
        face(crop, there[0] if there else None) for crop, there in zip(crops, near, strict=True)
    ]


@dataclass
class Camera:
    """Runs a tracker on scenes. blind: the detector sees nothing. hopeless: the landmarks are bad
    wherever they are looked for."""

    tracker: Tracker = field(default_factory=Tracker)
    number: int = 0
    looks: int = 0
    blind: bool = False
    hopeless: bool = False

    def show(self, faces: Sequence[Box]) -> tuple[Face, ...]:
        now = 100 + self.number / FPS
        self.number += 1
        plan = self.tracker.plan(now, WIDTH, HEIGHT)
        seen = [] if self.blind else list(faces)
        if plan.detect:
            self.looks += 1
            plan = self.tracker.join(plan, seen)
        shown = [] if self.hopeless else faces
        answers = landmarks(plan.boxes, shown)
        if not plan.detect and self.tracker.doubts(plan, answers):
            self.looks += 1
            plan = self.tracker.join(plan, seen)
            answers = landmarks(plan.boxes, shown)
        return self.tracker.update(now, plan, answers)

    def film(self, scene: Scene, frames: int) -> list[tuple[Face, ...]]:
        return [self.show(scene(number)) for number in range(frames)]


def ids(faces: Sequence[Face]) -> list[int | None]:
    return [f.track_id for f in faces]
