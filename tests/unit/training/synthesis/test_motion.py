import numpy as np
import pytest

from training.synthesis.config import MOTION
from training.synthesis.motion import (
    LEAST_JERK,
    Motion,
    Stage,
    blinks,
    nod,
    stand,
    stroke,
    talk,
    travel,
    turn,
    wander,
)

STAGE = Stage(160, 120, 200.0)
TIMES = np.arange(0, 20, 0.01)


def _standing(seed: int = 1) -> Motion:
    return stand(TIMES, STAGE, np.random.default_rng(seed), MOTION)


def test_a_wandering_value_has_its_deviation_and_stays_in_its_band() -> None:
    times = np.arange(0, 400, 0.05)
    values = wander(times, 2.0, (0.5, 1.5), np.random.default_rng(0))
    assert values.std() == pytest.approx(2.0, rel=0.1)
    power = np.abs(np.fft.rfft(values * np.hanning(len(values)))) ** 2
    rates = np.fft.rfftfreq(len(values), 0.05)
    inside = (rates > 0.48) & (rates < 1.52)
    assert power[inside].sum() > 0.999 * power.sum()


def test_a_stroke_goes_from_nought_to_one_at_the_speed_that_it_says() -> None:
    values = stroke(TIMES, 1.0, 2.0)
    assert values[0] == 0 and values[-1] == 1
    assert (np.diff(values) >= 0).all()
    assert np.gradient(values, TIMES).max() == pytest.approx(LEAST_JERK / 2.0, rel=1e-3)


def test_lids_close_wholly_and_for_as_long_as_lids_do() -> None:
    closed = blinks(TIMES, 0.8, np.random.default_rng(2), MOTION)
    assert closed.min() >= 0 and closed.max() == pytest.approx(1.0, abs=0.02)
    shut = closed > 1e-4
    starts = np.flatnonzero(np.diff(shut.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(shut.astype(int)) == -1)
    assert 8 <= len(starts) <= 20  # in 20 s
    lasting = (ends - starts[: len(ends)]) * 0.01
    assert lasting.min() > 0.12 and lasting.max() < 0.32


def test_who_stands_hardly_moves_and_is_as_large_as_asked_for() -> None:
    for seed in range(5):
        person = _standing(seed)
        assert np.ptp(person.neck, axis=0).max() < 8.0  # cm
        assert np.ptp(person.angles, axis=0).max() < 20.0
        middle = STAGE.distance(0.38), STAGE.distance(0.5)
        assert middle[1] - 2 < person.neck[:, 2].mean() < middle[0] + 2


def test_who_talks_opens_the_jaw_at_the_rate_of_syllables() -> None:
    person = talk(_standing(), TIMES, np.random.default_rng(4), MOTION)
    jaw = person.expression["jawOpen"]
    assert 0.0 <= jaw.min() and 0.15 < jaw.max() <= 1.0
    power = np.abs(np.fft.rfft(jaw - jaw.mean())) ** 2
    rates = np.fft.rfftfreq(len(jaw), 0.01)
    assert power[(rates > 1.5) & (rates < 7.5)].sum() > power[rates > 7.5].sum() * 10
    assert set(_standing().expression) < set(person.expression)


def test_turns_go_to_both_sides_within_angle_and_speed() -> None:
    still = _standing()
    turned = turn(still, TIMES, np.random.default_rng(5), MOTION)
    yaw = turned.angles[:, 0] - still.angles[:, 0]
    assert 44 < yaw.max() <= 60.01 and -60.01 <= yaw.min() < -44
    assert np.abs(np.gradient(yaw, TIMES)).max() < 151


def test_nods_tip_the_head_alone() -> None:
    still = _standing()
    nodding = nod(still, TIMES, np.random.default_rng(6), MOTION)
    pitch = nodding.angles[:, 1] - still.angles[:, 1]
    assert 5.5 < np.abs(pitch).max() <= 14
    np.testing.assert_array_equal(nodding.angles[:, [0, 2]], still.angles[:, [0, 2]])
    np.testing.assert_array_equal(nodding.neck, still.neck)


def test_legs_bob_only_while_they_go() -> None:
    still = _standing()
    way = np.zeros((len(TIMES), 3))
    way[:, 0] = 300 * stroke(TIMES, 10.0, 6.0)
    walked = travel(still, TIMES, way, np.random.default_rng(7), MOTION)
    bob = walked.neck[:, 1] - still.neck[:, 1]
    assert np.abs(bob[TIMES < 9.9]).max() < 1e-6
    assert 0.9 < np.abs(bob[(TIMES > 12) & (TIMES < 14)]).max() < 2.3


def test_a_stage_places_points_as_a_pinhole_does() -> None:
    places = STAGE.place(np.array([[0.0, 0.0, 100.0], [10.0, 5.0, 100.0], [10.0, 5.0, 50.0]]))
    np.testing.assert_allclose(places, [[79.5, 59.5], [99.5, 49.5], [119.5, 39.5]])
    assert STAGE.half_width(100.0) == pytest.approx(40.0)
