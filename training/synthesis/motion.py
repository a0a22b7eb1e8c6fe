"""What persons do in a clip: where the neck is, where the head looks, what the face does.

Everything is a function of time, made of sinusoids in a band and of smooth strokes, so that it is
the same movement at any frame rate, and a longer clip begins like a shorter one (what is drawn
until the clip ends comes from a spawned generator). Speeds and rates are those of `config.motion`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import Range
from training.synthesis.config.motion import MotionConfig
from training.synthesis.pose import FACE_CM

EYE_CM = 12.0  # the middle of the face above the neck's pivot
TONES = 7  # sinusoids of a wandering value


@dataclass(frozen=True)
class Stage:
    """The camera's view: width, height and focal length in pixels."""

    width: int
    height: int
    focal: float

    def distance(self, face_share: float) -> float:
        """Centimetres at which a face takes that share of the frame's shorter side."""
        return self.focal * FACE_CM / (face_share * min(self.width, self.height))

    def half_width(self, distance: float) -> float:
        """Centimetres from the middle of the picture to its side, at a distance."""
        return self.width / 2 / self.focal * distance

    def place(self, point: FloatArray) -> FloatArray:
        """[..., 3] cm in camera axes (x right, y up, z the distance) to pixels [..., 2]."""
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return np.asarray(middle + self.focal * point[..., :2] * [1, -1] / point[..., 2:])


@dataclass(frozen=True)
class Motion:
    """One person in T frames. neck [T, 3]: its pivot in cm, camera axes (x right, y up, z the
    distance); angles [T, 3]: yaw, pitch, roll as in `pose.Pose`; expression: weights [T] of 0 to 1
    by name; follow: share of the yaw that the body turns too."""

    neck: FloatArray
    angles: FloatArray
    expression: Mapping[str, FloatArray]
    follow: float = 0.1


Times = FloatArray
Script = Callable[[Times, Stage, np.random.Generator, MotionConfig], list[Motion]]


def wander(times: Times, deviation: float, band: Range, rng: np.random.Generator) -> FloatArray:
    """A random value [T] of that deviation, with frequencies in `band` hertz alone."""
    rates = rng.uniform(*band, TONES)
    phases = rng.uniform(0, 2 * np.pi, TONES)
    tones = np.sin(2 * np.pi * times[:, None] * rates + phases)
    return np.asarray(deviation * np.sqrt(2.0 / TONES) * tones.sum(axis=1))


def stroke(times: Times, start: float, seconds: float) -> FloatArray:
    """0 before `start`, 1 `seconds` later, in the way of least jerk between: its highest speed is
    1.875 / seconds (T. Flash, N. Hogan, J Neurosci 5, 1985)."""
    t = np.clip((times - start) / seconds, 0.0, 1.0)
    return np.asarray(t**3 * (10 - 15 * t + 6 * t**2))


LEAST_JERK = 1.875


def blinks(times: Times, rate: float, rng: np.random.Generator, config: MotionConfig) -> FloatArray:
    """How far the lids are closed [T]: at intervals of 0.5 to 1.5 / `rate` seconds."""
    closed = np.zeros(len(times))
    start = rng.uniform(0.1, 1.0) / rate
    while start < times[-1]:
        seconds, falling = rng.uniform(*config.blink_s), rng.uniform(*config.closing_share)
        shut = stroke(times, start, falling * seconds)
        closed += shut - stroke(times, start + falling * seconds, (1 - falling) * seconds)
        start += seconds + rng.uniform(0.5, 1.5) / rate
    return closed


def stand(
    times: Times, stage: Stage, rng: np.random.Generator, config: MotionConfig,
    blink_hz: Range | None = None,
) -> Motion:  # fmt: skip
    """Who stands before the camera: sway, breath, a head that is never quite still, blinks."""
    distance = stage.distance(rng.uniform(*config.face_share))
    free = max(0.0, stage.half_width(distance) - 0.8 * FACE_CM)
    neck = np.stack(
        [
            rng.uniform(-0.35, 0.35) * free + _sway(times, rng, config),
            rng.normal(0, 0.8) - EYE_CM + 0.06 * stage.height / stage.focal * distance
            + rng.uniform(*config.breath_cm)
            * np.sin(2 * np.pi * (times * rng.uniform(*config.breath_hz) + rng.random())),
            distance + _sway(times, rng, config),
        ],
        axis=1,
    )  # fmt: skip
    rest = rng.normal(0, [4.0, 3.0, 2.0])
    unrest = [
        wander(times, rng.uniform(*config.unrest_deg) * s, config.sway_hz, rng)
        for s in (1.0, 0.7, 0.5)
    ]
    rate = rng.uniform(*(blink_hz or config.blink_hz))
    lids = blinks(times, rate, rng.spawn(1)[0], config)
    return Motion(
        neck, rest + np.stack(unrest, axis=1), {"eyeBlink_L": lids, "eyeBlink_R": lids.copy()}
    )


def _sway(times: Times, rng: np.random.Generator, config: MotionConfig) -> FloatArray:
    return wander(times, rng.uniform(*config.sway_cm), config.sway_hz, rng)


def talk(motion: Motion, times: Times, rng: np.random.Generator, config: MotionConfig) -> Motion:
    """The same person talking: jaw and lips at the rate of syllables, in phrases."""
    speaking = 1 / (1 + np.exp(-4 * (wander(times, 1.0, config.pause_hz, rng) + 0.5)))

    def mouth(weight: float, band: Range) -> FloatArray:
        return np.asarray(np.clip(weight * (0.9 + wander(times, 0.55, band, rng)), 0, 1) * speaking)

    jaw = mouth(rng.uniform(*config.jaw), config.syllable_hz)
    slow = config.syllable_hz[0], 0.6 * config.syllable_hz[1]
    lips = {
        "jawOpen": jaw,
        "mouthFunnel": mouth(0.25, slow),
        "mouthPucker": mouth(0.20, slow),
        "mouthUpperUp_L": (upper := mouth(0.15, config.syllable_hz)),
        "mouthUpperUp_R": upper,
        "mouthStretch_L": (wide := mouth(0.2, slow)),
        "mouthStretch_R": wide,
    }
    spread = rng.uniform(*config.speech_deg)
    angles = motion.angles + np.stack(
        [wander(times, spread * s, config.speech_head_hz, rng) for s in (0.7, 1.0, 0.5)], axis=1
    )
    return replace(motion, angles=angles, expression={**motion.expression, **lips})


def turn(
    motion: Motion, times: Times, rng: np.random.Generator, config: MotionConfig,
    share: float = 1.0, rest_s: Range = (0.2, 0.6),
) -> Motion:  # fmt: skip
    """To one side, back, to the other, and so on; `share` of the full angle, with rests between."""
    yaw = np.zeros(len(times))
    (rng,) = rng.spawn(1)
    side, now = rng.choice([-1.0, 1.0]), rng.uniform(0.2, 0.5)
    while now < times[-1]:
        angle = side * share * rng.uniform(*config.turn_deg)
        seconds = LEAST_JERK * abs(angle) / rng.uniform(*config.turn_deg_s)
        stay = rng.uniform(0.2, 0.8)
        yaw += angle * stroke(times, now, seconds)
        yaw -= angle * stroke(times, now + seconds + stay, seconds)
        now += 2 * seconds + stay + rng.uniform(*rest_s)
        side = -side
    angles = motion.angles.copy()
    angles[:, 0] += yaw
    angles[:, 1] += 0.06 * np.abs(yaw)  # who looks aside looks down a little
    angles[:, 2] += 0.05 * yaw
    return replace(motion, angles=angles)


def nod(motion: Motion, times: Times, rng: np.random.Generator, config: MotionConfig) -> Motion:
    """A few nods, a rest, a few nods."""
    rate, amplitude = rng.uniform(*config.nod_hz), rng.uniform(*config.nod_deg)
    period = rng.uniform(3, 4) / rate
    phase = (times / period + rng.random()) % 1.0
    bout = np.sin(np.pi * np.clip(phase / 0.7, 0, 1)) ** 2
    angles = motion.angles.copy()
    angles[:, 1] += amplitude * bout * np.sin(2 * np.pi * rate * times)
    return replace(motion, angles=angles)


def step(
    motion: Motion, times: Times, speed: FloatArray, rng: np.random.Generator, config: MotionConfig
) -> Motion:
    """Bobbing at each step, swinging over two, as far as `speed` [T] (cm a second) goes."""
    rate, going = rng.uniform(*config.step_hz), np.clip(np.abs(speed) / 60.0, 0, 1)
    phase = 2 * np.pi * (rate * times + rng.random())
    neck = motion.neck.copy()
    neck[:, 0] += going * rng.uniform(*config.swing_cm) * np.sin(phase / 2)
    neck[:, 1] += going * rng.uniform(*config.bob_cm) * np.sin(phase)
    return replace(motion, neck=neck)


def travel(
    motion: Motion, times: Times, way: FloatArray, rng: np.random.Generator, config: MotionConfig
) -> Motion:
    """The same person moved by `way` [T, 3] cm, on legs."""
    moved = replace(motion, neck=motion.neck + way)
    speed = np.linalg.norm(np.gradient(way, times, axis=0), axis=1) if len(times) > 1 else 0 * times
    return step(moved, times, speed, rng, config)
