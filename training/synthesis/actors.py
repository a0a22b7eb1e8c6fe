"""One person of a clip: the same head, skin, clothes and hair in every frame, in any pose."""

from dataclasses import dataclass, replace

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.person import PersonConfig
from training.synthesis.head import HeadModel
from training.synthesis.motion import Motion
from training.synthesis.person import dress
from training.synthesis.pool import Layer, as_layer
from training.synthesis.pose import (
    FACE_CM,
    NECK_PIVOT,
    Pose,
    landmark_pixels,
    pose_head,
    rotation_matrix,
    scale_mouth,
    scale_nose,
)
from training.synthesis.thermal import Anatomy

POSE_DRAWS, DRESS_DRAWS = 1, 2  # added to a person's seed: generators that begin anew each frame
SOFT_CM = 0.03  # how softly jaw points glide along the contour; without, they hop by centimetres


@dataclass(frozen=True)
class Window:
    """The part of the world that an actor's layer shows: height and width in pixels, pixels a
    centimetre at the neck's distance, and the neck's place (x, y) in it, the same in all frames."""

    height: int
    width: int
    scale: float
    neck: tuple[float, float]


@dataclass(frozen=True)
class Actor:
    """Who plays: weights of identity [M], stretch [3] along the axes, of the mouth and of the nose,
    and the seed of all else."""

    head: HeadModel
    anatomy: Anatomy
    identity: FloatArray
    axes: FloatArray
    mouth: float
    nose: float
    seed: tuple[int, ...]
    config: PersonConfig

    @classmethod
    def cast(
        cls, head: HeadModel, anatomy: Anatomy, seed: tuple[int, ...], ambient: float,
        config: PersonConfig,
    ) -> "Actor":  # fmt: skip
        """A random person in air of `ambient` degrees Celsius."""
        rng = np.random.default_rng(seed)
        identity = rng.normal(0, 1, len(head.identity)) * rng.uniform(*config.shape.identity)
        axes = rng.normal(1, config.shape.axes, 3).astype(np.float32)
        mouth = float(rng.uniform(*config.shape.mouth_width))
        nose = float(rng.uniform(*config.shape.nose))
        there = replace(config, room_chance=1.0, room_mean_c=ambient, room_spread_k=0.0)
        return cls(head, anatomy, identity.astype(np.float32), axes, mouth, nose, seed, there)

    def perform(self, motion: Motion, frame: int, window: Window) -> Layer:
        """The person in one frame of `motion`, on a layer whose neck stays where it is."""
        pose_config = replace(self.config.pose, body_follow=(motion.follow, motion.follow))
        yaw, pitch, roll = (float(angle) for angle in motion.angles[frame])
        neck = rotation_matrix(yaw, pitch, roll) @ NECK_PIVOT  # from the head's origin
        # `pose_head` goes by the head's origin, which moves about the neck.
        neck_distance = float(motion.neck[frame, 2])
        distance = neck_distance + float(neck[2])
        face_pixels = FACE_CM * window.scale * neck_distance / distance
        centre = (
            window.neck[0] - float(neck[0]) * window.scale,
            window.neck[1] + float(neck[1]) * window.scale,
        )
        posed = pose_head(
            self.head,
            self._vertices({name: float(w[frame]) for name, w in motion.expression.items()}),
            Pose(yaw, pitch, roll, distance),
            np.random.default_rng((*self.seed, POSE_DRAWS)),
            pose_config,
            face_pixels,
            (window.height, window.width),
            centre,
        )
        landmarks = landmark_pixels(self.head, posed.image, roll, SOFT_CM * window.scale)
        # Glasses sit on the resting face: they do not go up and down with the lids.
        person = dress(
            self.head,
            self.anatomy,
            self._vertices({}),
            replace(posed, landmarks=landmarks),
            np.random.default_rng((*self.seed, DRESS_DRAWS)),
            self.config,
            anchored=True,
        )
        return as_layer(person)

    def _vertices(self, expression: dict[str, float]) -> FloatArray:
        names = self.head.expression_names
        weights = np.array([expression.get(name, 0.0) for name in names], np.float32)
        vertices: FloatArray = self.head.vertices(self.identity, weights) * self.axes
        vertices = scale_mouth(self.head, vertices, self.mouth)
        return scale_nose(self.head, vertices, self.nose)
