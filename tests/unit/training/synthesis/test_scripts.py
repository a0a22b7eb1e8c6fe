import numpy as np
import pytest

from training.synthesis.config import MOTION
from training.synthesis.motion import Motion, Stage
from training.synthesis.scripts import KINDS

STAGE = Stage(160, 120, 210.0)
TIMES = np.arange(0, 12, 0.02)


def _play(kind: str, seed: int) -> list[Motion]:
    return KINDS[kind](TIMES, STAGE, np.random.default_rng(seed), MOTION)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_moves_smoothly_and_at_human_speeds(kind: str) -> None:
    for seed in range(4):
        for person in _play(kind, seed):
            speed = np.linalg.norm(np.gradient(person.neck, TIMES, axis=0), axis=1)
            # Both ways of a walk at once, and the second of a pair has the shorter way.
            assert speed.max() < 1.5 * MOTION.walk_cm_s[1] + 40
            assert np.abs(np.gradient(person.angles, TIMES, axis=0)).max() < 420
            assert (person.neck[:, 2] > 20).all()
            for name, weights in person.expression.items():
                assert weights.min() >= -1e-9 and weights.max() <= 1 + 1e-9, name


@pytest.mark.parametrize("kind", KINDS)
def test_clips_as_short_as_two_frames_are_filmed(kind: str) -> None:
    times = np.array([0.0, 0.1])
    for person in KINDS[kind](times, STAGE, np.random.default_rng(0), MOTION):
        assert person.neck.shape == (2, 3) and np.isfinite(person.neck).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_movement_depends_neither_on_the_frame_rate_nor_on_the_clips_length(kind: str) -> None:
    usual, finer = (
        KINDS[kind](np.arange(0, end, step), STAGE, np.random.default_rng(3), MOTION)
        for end, step in ((4, 0.1), (11, 0.05))
    )
    for one, other in zip(usual, finer, strict=True):
        part = slice(0, 2 * len(one.neck), 2)
        # Speeds, to which steps and looks follow, are taken from frame to frame.
        np.testing.assert_allclose(one.neck, other.neck[part], atol=2.0)
        np.testing.assert_allclose(one.angles, other.angles[part], atol=3.0)
        for name, weights in one.expression.items():
            np.testing.assert_allclose(weights, other.expression[name][part], atol=1e-6)


def test_who_stays_stays_in_the_picture() -> None:
    for kind in ("portrait", "standing", "talking", "turning", "nodding", "blinking"):
        for seed in range(4):
            (person,) = _play(kind, seed)
            x, y = STAGE.place(person.neck).T
            assert (x > 20).all() and (x < 140).all(), kind
            assert (y > 60).all() and (y < 125).all(), kind  # the neck, below the face


def test_walkers_come_near_and_cross_the_picture() -> None:
    (person,) = _play("walking", 1)
    assert person.neck[:, 2].max() > 1.6 * person.neck[:, 2].min()
    assert np.ptp(STAGE.place(person.neck)[:, 0]) > 80


def test_two_who_cross_change_sides_and_keep_their_distances() -> None:
    near, far = _play("crossing", 2)
    assert (near.neck[:, 2] < far.neck[:, 2] - 5).all()
    apart = STAGE.place(near.neck)[:, 0] - STAGE.place(far.neck)[:, 0]
    assert apart.max() > 60 and apart.min() < -60


@pytest.mark.parametrize(("kind", "outside_first"), [("leaving", False), ("entering", True)])
def test_who_leaves_comes_back_and_who_enters_begins_outside(
    kind: str, outside_first: bool
) -> None:
    for seed in range(4):
        (person,) = _play(kind, seed)
        outside = np.abs(STAGE.place(person.neck)[:, 0] - 79.5) > 80
        assert outside[0] == outside_first
        assert 0.05 < outside.mean() < 0.95
