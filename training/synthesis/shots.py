"""One frame of a clip before the camera: the persons composed into the scene, with the truth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.actors import Actor, Window
from training.synthesis.compose import paste
from training.synthesis.config import DEFAULT
from training.synthesis.motion import Motion, Stage

FINER = 1.5  # pixels of an actor's layer for one of the frame, where the actor is nearest
# As far from the neck as a layer reaches: a hat's top, arms, feet.
ABOVE_CM, BESIDE_CM, BELOW_CM = 36.0, 62.0, 165.0
LEAST_CM = 8.0


@dataclass(frozen=True)
class Role:
    """An actor in a clip. place [T, 2]: the neck in pixels of the frame."""

    actor: Actor
    motion: Motion
    place: FloatArray
    stage: Stage

    @cached_property
    def zoom(self) -> FloatArray:
        """Pixels of the frame a centimetre, at the neck: [T]."""
        return np.asarray(self.stage.focal / self.motion.neck[:, 2])

    @cached_property
    def window(self) -> Window:
        """A layer that holds all that the frame shows of the actor at any time."""
        scale = FINER * float(self.zoom.max())
        start = self.place / self.zoom[:, None]  # cm from the frame's corner to the neck
        size = np.array([self.stage.width, self.stage.height])
        end = (size - self.place) / self.zoom[:, None]
        left, above = np.clip(start.max(axis=0) + 1, LEAST_CM, (BESIDE_CM, ABOVE_CM)) * scale
        right, below = np.clip(end.max(axis=0) + 1, LEAST_CM, (BESIDE_CM, BELOW_CM)) * scale
        return Window(
            math.ceil(above + below), math.ceil(left + right), scale, (float(left), float(above))
        )


@dataclass(frozen=True)
class Shot:
    """scene float32 [H, W] degrees Celsius; landmarks float32 [P, 68, 2]; visible float32 [P]."""

    scene: FloatArray
    landmarks: FloatArray
    visible: FloatArray


def shoot(scene: FloatArray, roles: Sequence[Role], frame: int) -> Shot:
    """Draw all persons into `scene` [H, W], which is changed: far ones first."""
    owner = np.full(scene.shape, -1, np.int16)
    landmarks = np.full((len(roles), 68, 2), np.nan, np.float32)
    own = np.zeros((len(roles), *scene.shape), bool)
    for index in np.argsort([-role.motion.neck[frame, 2] for role in roles]):
        role = roles[index]
        layer = role.actor.perform(role.motion, frame, role.window)
        scale = float(role.zoom[frame]) / role.window.scale
        origin = np.array(role.window.neck) - role.place[frame] / scale
        # A layer reaches as far down as the picture: nothing is drawn at random below it.
        rng = np.random.default_rng(0)
        patch = paste(scene, layer, scale, origin, rng, DEFAULT.frame.body_uneven_k)
        own[index, patch.rows, patch.columns] = patch.cover > 0.5
        owner[own[index]] = index
        landmarks[index] = (layer.landmarks - origin) * np.float32(scale)
    visible = [_visible(p, owner == i, own[i]) for i, p in enumerate(landmarks)]
    for index, points in enumerate(landmarks):
        if not _within(points, scene.shape):
            landmarks[index] = np.nan
    return Shot(scene, landmarks, np.array(visible, np.float32))


def _within(points: FloatArray, shape: tuple[int, ...]) -> bool:
    """Whether any of a face's box lies in the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    return bool((high > -0.5).all() and (low < np.array(shape[::-1]) - 0.5).all())


def _visible(points: FloatArray, seen: NDArray[np.bool_], own: NDArray[np.bool_]) -> float:
    """Share of the face, the hull of its landmarks, that is in the picture and hidden by nobody.

    seen, own [H, W]: where the picture shows the person, and would if there were nobody before.
    """
    low = np.floor(points.min(axis=0)).astype(int)
    size = np.ceil(points.max(axis=0)).astype(int) - low + 1
    face = np.zeros((size[1], size[0]), np.uint8)
    hull = cv2.convexHull(np.round(points - low).astype(np.int32))
    cv2.fillConvexPoly(face, hull, 1)
    height, width = seen.shape
    first, last = np.maximum(low, 0), np.minimum(low + size, (width, height))
    if (last <= first).any():
        return 0.0
    part = slice(first[1], last[1]), slice(first[0], last[0])
    inside = face[first[1] - low[1] : last[1] - low[1], first[0] - low[0] : last[0] - low[0]] > 0
    beyond = int(face.sum()) - int(inside.sum())
    whole = int((inside & own[part]).sum()) + beyond
    return int((inside & seen[part]).sum()) / whole if whole else 0.0
