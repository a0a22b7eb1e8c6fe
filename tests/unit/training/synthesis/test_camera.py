import numpy as np

from training.synthesis.backgrounds import background
from training.synthesis.camera import _optics, expose
from training.synthesis.fields import image_noise, smoothstep, vertex_noise
from training.synthesis.occluders import add_occluder


def test_every_camera_gives_finite_values_of_the_same_size() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        height, width = int(rng.integers(12, 90)), int(rng.integers(12, 90))
        scene = background(height, width, 22.0, rng)
        image = expose(scene, rng)
        assert image.shape == (height, width)
        assert image.dtype == np.float32
        assert np.isfinite(image).all()


def test_the_same_seed_gives_the_same_exposure() -> None:
    scene = background(40, 50, 20.0, np.random.default_rng(1))
    first, second = (expose(scene, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_occluders_change_only_pixels_near_the_face() -> None:
    scene = np.full((100, 100), 20.0, np.float32)
    for seed in range(20):
        covered = scene.copy()
        add_occluder(
            covered, np.array([40, 40, 60, 60], np.float32), 20.0, np.random.default_rng(seed)
        )
        changed = np.argwhere(covered != scene)
        assert len(changed) < 6000


def test_smoothstep_and_noise() -> None:
    values = np.array([-1, 0, 0.5, 1, 2], np.float32)
    np.testing.assert_allclose(smoothstep(0, 1, values), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(1, 0, values), [1, 1, 0.5, 0, 0])
    rng = np.random.default_rng(0)
    assert image_noise(30, 40, 5, rng).shape == (30, 40)
    points = rng.uniform(-10, 10, (4000, 3)).astype(np.float32)
    fields = vertex_noise(points, 2.0, 8, rng)
    assert 0.7 < fields.std() < 1.3


def test_blur_and_motion_leave_things_where_they_are() -> None:
    scene = np.full((61, 61), 20.0, np.float32)
    scene[29:32, 29:32] = 30.0
    yy, xx = np.mgrid[:61, :61]
    for seed in range(80):
        warm = _optics(scene, np.random.default_rng(seed)) - 20.0
        centre = np.array([(xx * warm).sum(), (yy * warm).sum()]) / warm.sum()
        np.testing.assert_allclose(centre, 30.0, atol=0.05)
