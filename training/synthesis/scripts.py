"""The kinds of clips: who does what, as `motion` can be put together."""

from dataclasses import replace

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.motion import MotionConfig
from training.synthesis.motion import (
    LEAST_JERK,
    Motion,
    Script,
    Stage,
    Times,
    nod,
    stand,
    stroke,
    talk,
    travel,
    turn,
)
from training.synthesis.pose import FACE_CM

SIDEWAYS_DEG = 38.0  # who walks across the picture looks that far along, the face still to be seen


def _standing(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    return [stand(times, stage, rng, config)]


def _talking(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    return [talk(stand(times, stage, rng, config), times, rng, config)]


def _turning(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    return [turn(stand(times, stage, rng, config), times, rng, config)]


def _nodding(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    return [nod(stand(times, stage, rng, config), times, rng, config)]


def _blinking(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    return [stand(times, stage, rng, config, blink_hz=config.often_hz)]


def _portrait(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    """Somebody who talks and looks about: a little of everything."""
    person = talk(stand(times, stage, rng, config), times, rng, config)
    return [turn(person, times, rng, config, share=0.5, rest_s=(0.8, 1.6))]


def _walking(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    """Across the picture at the far end, up to the camera, back, across, and so on."""
    near = _still_in_the_middle(stand(times, stage, rng, config))
    depth = stage.distance(rng.uniform(*config.far_share)) - float(near.neck[:, 2].mean())
    far = stage.half_width(depth + float(near.neck[:, 2].mean()))
    side = rng.choice([-1.0, 1.0]) * max(0.0, far - FACE_CM)
    speed = rng.uniform(*config.walk_cm_s)
    approach, across = LEAST_JERK * depth / speed, LEAST_JERK * 2 * abs(side) / speed
    x, z = np.full(len(times), side), np.full(len(times), depth)
    now, (rests,) = 0.2, rng.spawn(1)
    while now < times[-1]:
        x -= 2 * side * stroke(times, now, across)
        now += across
        x += side * stroke(times, now, approach)
        z -= depth * stroke(times, now, approach)
        now += approach + rests.uniform(0.4, 1.0)
        z += depth * stroke(times, now, approach)
        x += side * stroke(times, now, approach)
        now += approach
    return [_look_along(travel(near, times, _way(x, z), rng, config), times, speed, x)]


def _crossing(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    """Two people pass each other, the nearer before the other, and come back, and so on."""
    share = rng.uniform(0.30, 0.38)
    sizes = share, share * rng.uniform(0.70, 0.80)
    speed = rng.uniform(*config.walk_cm_s)
    side = rng.choice([-1.0, 1.0])
    people, reaches = [], []
    for size in sizes:
        sized = replace(config, face_share=(size, size))
        people.append(_still_in_the_middle(stand(times, stage, rng, sized)))
        half = stage.half_width(stage.distance(size))
        reaches.append(side * max(FACE_CM, half - 0.8 * FACE_CM))
        side = -side
    # They are in the middle at the same moment: the one with the longer way walks faster.
    seconds = LEAST_JERK * 2 * max(abs(reach) for reach in reaches) / speed
    played = []
    for person, reach in zip(people, reaches, strict=True):
        x, now, sign = np.full(len(times), reach), 0.4, -1.0
        while now < times[-1]:
            x += 2 * sign * reach * stroke(times, now, seconds)
            now, sign = now + seconds + 0.8, -sign
        way = _way(x, np.zeros(len(times)))
        played.append(_look_along(travel(person, times, way, rng, config), times, speed, x))
    return played


def _leaving(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    """Out of the picture at one side, and back after a while if there is time."""
    return [_out_and_in(times, stage, rng, config, start_out=False)]


def _entering(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig
) -> list[Motion]:
    """Into the picture from one side, and out again if there is time."""
    return [_out_and_in(times, stage, rng, config, start_out=True)]


def _out_and_in(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig, start_out: bool
) -> Motion:
    person = _still_in_the_middle(stand(times, stage, rng, config))
    distance = float(person.neck[:, 2].mean())
    out = rng.choice([-1.0, 1.0]) * (stage.half_width(distance) + FACE_CM)
    speed = rng.uniform(*config.walk_cm_s)
    seconds = LEAST_JERK * abs(out) / speed
    now, outside, (rests,) = rng.uniform(0.5, 0.9), start_out, rng.spawn(1)
    x = np.full(len(times), out if start_out else 0.0)
    while now < times[-1]:
        x += (-out if outside else out) * stroke(times, now, seconds)
        outside = not outside
        now += seconds + rests.uniform(0.7, 1.3)
    way = _way(x, np.zeros(len(times)))
    return _look_along(travel(person, times, way, rng, config), times, speed, x)


def _still_in_the_middle(person: Motion) -> Motion:
    neck = person.neck.copy()
    neck[:, 0] -= neck[:, 0].mean()
    return replace(person, neck=neck)


def _way(x: FloatArray, z: FloatArray) -> FloatArray:
    return np.stack([x, np.zeros(len(x)), z], axis=1)


def _look_along(person: Motion, times: Times, speed: float, x: FloatArray) -> Motion:
    """The head, and the body with it, turned to where it goes in the picture."""
    along = np.gradient(x, times) / max(speed, 1e-6) if len(times) > 1 else np.zeros(1)
    angles = person.angles.copy()
    angles[:, 0] += SIDEWAYS_DEG * np.clip(along, -1, 1)
    return replace(person, angles=angles, follow=1.0)


KINDS: dict[str, Script] = {
    "portrait": _portrait,
    "standing": _standing,
    "talking": _talking,
    "turning": _turning,
    "nodding": _nodding,
    "blinking": _blinking,
    "walking": _walking,
    "crossing": _crossing,
    "leaving": _leaving,
    "entering": _entering,
}
