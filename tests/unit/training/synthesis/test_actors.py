from dataclasses import replace

import numpy as np
import pytest

from service.entities import FloatArray
from training.synthesis.actors import Actor, Window
from training.synthesis.config import PERSON
from training.synthesis.config.person import PersonConfig
from training.synthesis.head import HeadModel
from training.synthesis.motion import Motion
from training.synthesis.thermal import Anatomy

WINDOW = Window(170, 180, 5.0, (90.0, 120.0))


def _motion(angles: FloatArray, **expression: FloatArray) -> Motion:
    neck = np.tile([0.0, -12.0, 80.0], (len(angles), 1))
    return Motion(neck, np.asarray(angles, float), expression)


def _actor(
    head: HeadModel, anatomy: Anatomy, seed: int = 1, config: PersonConfig = PERSON
) -> Actor:
    return Actor.cast(head, anatomy, (seed,), 22.0, config)


def test_a_person_at_rest_is_the_same_to_the_bit(head: HeadModel, anatomy: Anatomy) -> None:
    for seed in range(4):
        actor, still = _actor(head, anatomy, seed), _motion(np.zeros((2, 3)))
        first, second = (actor.perform(still, frame, WINDOW) for frame in (0, 1))
        np.testing.assert_array_equal(first.temperature, second.temperature)
        np.testing.assert_array_equal(first.landmarks, second.landmarks)
    other = _actor(head, anatomy, 99).perform(still, 0, WINDOW)
    assert not np.array_equal(first.landmarks, other.landmarks)


def test_the_body_stands_still_while_the_head_turns(head: HeadModel, anatomy: Anatomy) -> None:
    """Skin, clothes and what is worn do not change with the pose: below the neck all stays."""
    bald = replace(PERSON, hair=replace(PERSON.hair, styles={"none": 1.0}))
    actor = _actor(head, anatomy, 3, bald)
    motion = replace(_motion(np.array([[0, 0, 0], [30.0, -8.0, 0]])), follow=0.0)
    first, second = (actor.perform(motion, frame, WINDOW) for frame in (0, 1))
    shoulders = slice(int(WINDOW.neck[1] + 8 * WINDOW.scale), None)
    changed = np.abs(first.temperature - second.temperature)[shoulders] > 1e-3
    assert changed.mean() < 0.02
    assert np.abs(first.landmarks - second.landmarks).max() > 5


def test_a_pattern_turns_with_the_head(head: HeadModel, anatomy: Anatomy) -> None:
    """A cap's texture goes where the head goes: it is seen again where the turn took it."""
    worn = replace(PERSON.worn, glasses_chance=0.0, headwear={"beanie": 1.0})
    actor = _actor(head, anatomy, 2, replace(PERSON, worn=worn))
    motion = _motion(np.array([[0.0, 0, 0], [12.0, 0, 0]]))
    first, second = (actor.perform(motion, frame, WINDOW).temperature for frame in (0, 1))
    row, half = int(WINDOW.neck[1] - 20.5 * WINDOW.scale), 12
    middle = int(WINDOW.neck[0])
    shown = first[row, middle - half : middle + half]
    likeness = [
        np.corrcoef(shown, second[row, middle - half + s : middle + half + s])[0, 1]
        for s in range(-15, 16)
    ]
    assert int(np.argmax(likeness)) - 15 >= 4  # 12 degrees of 8 cm are 1.7 cm, 8 pixels
    assert max(likeness) > 0.8


def test_the_jaw_opens_and_the_eyes_stay(head: HeadModel, anatomy: Anatomy) -> None:
    actor = _actor(head, anatomy)
    motion = _motion(np.zeros((2, 3)), jawOpen=np.array([0.0, 1.0]))
    shut, wide = (actor.perform(motion, frame, WINDOW).landmarks for frame in (0, 1))
    assert wide[8, 1] > shut[8, 1] + 2
    np.testing.assert_allclose(wide[36:48], shut[36:48], atol=1e-3)


@pytest.mark.parametrize("distance", [40.0, 300.0])
def test_the_neck_stays_where_the_window_says(
    head: HeadModel, anatomy: Anatomy, distance: float
) -> None:
    """Whatever the angle: the face goes about the neck, above it and to both sides."""
    angles = np.array([[0, 0, 20.0], [0, 0, -20.0]])
    neck = np.tile([0.0, -12.0, distance], (2, 1))
    actor = _actor(head, anatomy)
    motion = Motion(neck, angles, {})
    left, right = (actor.perform(motion, frame, WINDOW).landmarks for frame in (0, 1))
    middles = np.array([p[[27, 30]].mean(axis=0) for p in (left, right)]) - WINDOW.neck
    assert middles[0, 1] < -30 and middles[1, 1] < -30
    assert middles[0, 0] * middles[1, 0] < 0


def test_jaw_points_glide(head: HeadModel, anatomy: Anatomy) -> None:
    yaw = np.linspace(10, 30, 41)
    actor = _actor(head, anatomy)
    motion = _motion(np.stack([yaw, 0 * yaw, 0 * yaw], axis=1))
    points = np.stack([actor.perform(motion, i, WINDOW).landmarks for i in range(len(yaw))])
    assert np.linalg.norm(np.diff(points, axis=0), axis=2).max() < 1.5  # half a degree a frame
