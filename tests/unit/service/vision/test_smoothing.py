import numpy as np
import pytest

from service.entities import Box, Face, FloatArray
from service.vision.smoothing import GAP, Smoother, Smoothing

_X, _Y = np.arange(68) % 9 / 8, np.arange(68) // 9 / 7
STEADY = [Smoothing.LIGHT, Smoothing.STRONG]


def face(x: float, size: float = 100, noise: FloatArray | float = 0.0, track: int = 1) -> Face:
    """Landmarks from x on, `size` wide and high, `noise` added to x and y."""
    xy = np.stack((x + _X * size, _Y * size), axis=1) + noise
    points = np.concatenate([xy, np.full((68, 2), 0.5)], axis=1).astype(np.float32)
    return Face(Box(x, 0, x + size, size), points, track_id=track)


def run(strength: Smoothing, times: FloatArray, faces: list[Face]) -> list[Face]:
    smoother = Smoother(strength)
    return [smoother.smooth(float(now), [f])[0] for now, f in zip(times, faces, strict=True)]


def wander(found: list[Face]) -> float:
    """Root mean square step of the landmarks between frames, in pixels."""
    points = np.stack([f.landmarks[:, :2] for f in found])
    return float(np.sqrt(np.mean(np.diff(points, axis=0) ** 2)))


def standing(size: float, seed: int = 0) -> list[Face]:
    rng = np.random.default_rng(seed)
    return [face(10, size, rng.normal(0, 0.003 * size, (68, 2))) for _ in range(100)]


def test_stronger_is_steadier() -> None:
    times = np.arange(100) / 25
    raw, light, strong = (wander(run(s, times, standing(100))[20:]) for s in Smoothing)
    assert strong < 0.6 * light < 0.6 * raw


@pytest.mark.parametrize("strength", STEADY)
def test_near_and_far_faces_are_steadied_alike(strength: Smoothing) -> None:
    times = np.arange(100) / 25
    far, near = (wander(run(strength, times, standing(size))) / size for size in (30, 300))
    assert far == pytest.approx(near, rel=1e-3)


@pytest.mark.parametrize("strength", STEADY)
def test_a_mean_is_kept(strength: Smoothing) -> None:
    found = run(strength, np.arange(100) / 25, standing(100))
    mean = np.mean([f.landmarks[:, :2] for f in found[50:]], axis=0)
    np.testing.assert_allclose(mean, face(10).landmarks[:, :2], atol=0.3)


@pytest.mark.parametrize(("strength", "late"), [(Smoothing.LIGHT, 0.02), (Smoothing.STRONG, 0.06)])
def test_who_moves_is_hardly_late(strength: Smoothing, late: float) -> None:
    times, speed = np.arange(50) / 25, 200.0  # two faces a second
    *_, last = run(strength, times, [face(speed * now) for now in times])
    behind = speed * times[-1] - float(last.landmarks[0, 0])
    assert 0 < behind < late * speed


@pytest.mark.parametrize("strength", list(Smoothing))
def test_velocities_are_pixels_a_second(strength: Smoothing) -> None:
    times = np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.12], 60))  # uneven
    first, *_, last = run(strength, times, [face(30 * now) for now in times])
    assert first.velocities is not None and last.velocities is not None
    assert last.velocities.dtype == np.float32 and not first.velocities.any()
    np.testing.assert_allclose(last.velocities, np.tile([30, 0], (68, 1)), atol=0.5)


def test_off_moves_nothing() -> None:
    faces = standing(100)
    for before, after in zip(faces, run(Smoothing.OFF, np.arange(100) / 25, faces), strict=True):
        np.testing.assert_array_equal(after.landmarks, before.landmarks)


def test_scores_and_what_was_given_stay() -> None:
    faces = standing(100)
    before = faces[1].landmarks.copy()
    found = run(Smoothing.STRONG, np.arange(2) / 25, faces[:2])[1]
    np.testing.assert_array_equal(faces[1].landmarks, before)
    np.testing.assert_array_equal(found.landmarks[:, 2:], before[:, 2:])
    assert found.landmarks.dtype == np.float32


@pytest.mark.parametrize("strength", STEADY)
def test_frames_that_come_half_as_often_steady_half_as_much_at_least(strength: Smoothing) -> None:
    """The cut-offs are in Hz: one frame after a longer time counts for more."""
    faces = standing(100)[:2]
    quick, slow = (run(strength, np.array([0, step]), faces)[1] for step in (0.04, 0.2))
    moved = [np.abs(f.landmarks[:, :2] - faces[0].landmarks[:, :2]).mean() for f in (quick, slow)]
    assert moved[0] < moved[1]


@pytest.mark.parametrize("strength", list(Smoothing))
def test_a_face_found_elsewhere_does_not_slide(strength: Smoothing) -> None:
    found = run(strength, np.arange(3) / 25, [face(0), face(0), face(70)])[-1]
    np.testing.assert_allclose(found.landmarks[:, :2], face(70).landmarks[:, :2], atol=1e-4)
    assert found.velocities is not None and not found.velocities.any()


@pytest.mark.parametrize("strength", STEADY)
def test_after_a_gap_a_face_begins_anew(strength: Smoothing) -> None:
    times = np.array([0, 0.04, 0.04 + GAP + 0.01])
    found = run(strength, times, [face(0), face(0), face(9)])[-1]
    np.testing.assert_allclose(found.landmarks[:, :2], face(9).landmarks[:, :2], atol=1e-4)


@pytest.mark.parametrize("strength", list(Smoothing))
@pytest.mark.parametrize("now", [0.1, 0.05])
def test_no_time_has_passed(strength: Smoothing, now: float) -> None:
    smoother = Smoother(strength)
    smoother.smooth(0.0, [face(0)])
    (before,) = smoother.smooth(0.1, [face(3)])
    (again,) = smoother.smooth(now, [face(6)])
    shown = face(6) if strength is Smoothing.OFF else before
    np.testing.assert_array_equal(again.landmarks, shown.landmarks)
    assert before.velocities is not None and again.velocities is not None
    np.testing.assert_array_equal(again.velocities, before.velocities)


def test_each_track_by_itself() -> None:
    smoother = Smoother(Smoothing.STRONG)
    smoother.smooth(0.0, [face(0), face(200, track=2)])
    second, first = smoother.smooth(0.04, [face(202, track=2), face(0)])
    assert second.track_id == 2 and 200 < second.landmarks[0, 0] < 202
    assert first.landmarks[0, 0] == 0


def test_faces_without_a_track_are_refused() -> None:
    with pytest.raises(ValueError, match="tracked"):
        Smoother(Smoothing.OFF).smooth(0.0, [Face(Box(0, 0, 9, 9), face(0).landmarks)])


def test_nobody() -> None:
    assert Smoother(Smoothing.LIGHT).smooth(0.0, []) == ()
