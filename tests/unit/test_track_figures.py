"""The benchmark's figures, on clips of which the answer is known."""

import numpy as np
import pytest

from service.entities import Box, Face, FloatArray
from tests.track_figures import asked, errors, jitter, lag, match, switches
from training.synthesis.clip import Clip

RNG = np.random.default_rng(0)
SHAPE = RNG.uniform(0, 40, (68, 2))
SHAPE[:2] = [[0, 0], [40, 40]]
FPS = 20.0


def clip(paths: list[FloatArray]) -> Clip:
    """Faces of 40 pixels whose corners follow `[T]` paths in x; nan is out of the picture."""
    tracks = [SHAPE[None] + np.stack([path, 0 * path], axis=1)[:, None] for path in paths]
    landmarks = np.stack(tracks, axis=1).astype(np.float32)
    frames = np.zeros((len(landmarks), 8, 8), np.uint16)
    visible = np.asarray(np.isfinite(landmarks).all(axis=(2, 3)), np.float32)
    return Clip(frames, np.arange(len(frames)) / FPS, landmarks, visible, FPS, "walking")


def face(points: FloatArray, track: int) -> Face:
    full = np.concatenate([points, np.ones((68, 2))], axis=1).astype(np.float32)
    return Face(Box(0, 0, 40, 40), full, track_id=track)


TWO = clip([np.linspace(0, 100, 30), np.linspace(300, 200, 30)])


def test_answers_meet_persons_in_any_order() -> None:
    answers = [[face(b, 7), face(a + 2, 3)] for a, b in TWO.landmarks]
    found = match(TWO, answers)
    assert (found.ids == [3, 7]).all() and found.spurious == 0
    wrong = errors(TWO, found)
    np.testing.assert_allclose(wrong[:, 0], np.hypot(2, 2) / 40, rtol=1e-4)
    np.testing.assert_allclose(wrong[:, 1], 0, atol=1e-6)


def test_nobody_and_a_stranger() -> None:
    answers: list[list[Face]] = [[] for _ in TWO.landmarks]
    answers[0] = [face(SHAPE + 1000, 1)]
    found = match(TWO, answers)
    assert found.spurious == 1 and np.isnan(errors(TWO, found)).all()


def test_the_hidden_are_not_asked_for() -> None:
    TWO.visible[3, 1] = 0.2
    assert asked(TWO).sum() == 59
    assert np.isnan(errors(TWO, match(TWO, [[face(b, 1)] for _, b in TWO.landmarks]))[3, 1])
    TWO.visible[3, 1] = 1.0


def test_switches_count_while_somebody_is_in_the_picture() -> None:
    path = np.linspace(0, 10, 30)
    path[10:14] = np.nan
    one = clip([path])
    numbers = [1] * 10 + [0] * 4 + [2] * 8 + [0] * 2 + [3] * 6
    answers = [
        [face(points, number)] if number else []
        for (points,), number in zip(one.landmarks, numbers, strict=True)
    ]
    assert switches(one, match(one, answers)) == 1  # from 2 to 3; after the absence 2 is fine


def test_jitter_is_the_deviation_of_white_noise_alone() -> None:
    still = clip([0.3 * np.arange(400)])
    drift = np.linspace(0, 5, 400)[:, None, None, None]
    noisy = still.landmarks + RNG.normal(0, 0.4, still.landmarks.shape) + drift
    assert jitter(still, noisy.astype(np.float32)) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("frames", [0, 2])
def test_lag(frames: int) -> None:
    times = np.arange(120) / FPS
    moving = clip([20 * np.sin(3 * times)])
    late = np.roll(moving.landmarks, frames, axis=0)
    late[:frames] = moving.landmarks[0]
    delay, error = lag(moving, late + 3)  # what is always off is no delay
    assert delay == pytest.approx(1000 * frames / FPS, abs=5)
    assert (error > 0.02) == (frames > 0)
