from dataclasses import replace

import cv2
import numpy as np
import pytest

from service.entities import FloatArray
from training.synthesis.backgrounds import background
from training.synthesis.camera import Temporal, _optics, expose
from training.synthesis.config import DEFAULT
from training.synthesis.config.camera import CameraConfig
from training.synthesis.display import _enlarged
from training.synthesis.fields import image_noise, smoothstep, vertex_noise
from training.synthesis.gallery import QUIET
from training.synthesis.occluders import add_occluder


def test_every_camera_gives_finite_values_of_the_size_it_says() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        height, width = int(rng.integers(12, 90)), int(rng.integers(12, 90))
        scene = background(height, width, 22.0, rng)
        exposure = expose(scene, rng)
        scale = exposure.scale
        assert exposure.values.shape == (round(height * scale[1]), round(width * scale[0]))
        assert exposure.values.dtype == np.float32
        assert np.isfinite(exposure.values).all()


def test_the_same_seed_gives_the_same_exposure() -> None:
    scene = background(40, 50, 20.0, np.random.default_rng(1))
    first, second = (expose(scene, np.random.default_rng(2)).values for _ in range(2))
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
    camera = CameraConfig(motion_chance=0.8, ghost_chance=0.0)
    for seed in range(80):
        warm = _optics(scene, np.random.default_rng(seed), camera) - 20.0
        centre = np.array([(xx * warm).sum(), (yy * warm).sum()]) / warm.sum()
        np.testing.assert_allclose(centre, 30.0, atol=0.05)


def _only(**knobs: object) -> CameraConfig:
    """A camera that does nothing but what is said."""
    return replace(QUIET, **knobs)  # type: ignore[arg-type]


def _face() -> FloatArray:
    """A warm oval of 34 C in a room of 22 C."""
    yy, xx = np.mgrid[:80, :80].astype(np.float32)
    warm = ((xx - 40) / 20) ** 2 + ((yy - 40) / 28) ** 2 < 1
    return np.where(warm, 34.0, 22.0).astype(np.float32)


@pytest.mark.parametrize("kind", DEFAULT.camera.gain_control)
def test_every_gain_control_keeps_warm_brighter(kind: str) -> None:
    camera = _only(gain_control={kind: 1.0}, window_percent=(70, 70))
    for seed in range(5):
        exposure = expose(_face(), np.random.default_rng(seed), camera)
        grey = exposure.values
        assert 0 <= grey.min() and grey.max() <= 255 and not exposure.black_hot
        assert grey[40, 40] > grey[5, 5] + 30


def test_a_black_hot_camera_says_so() -> None:
    exposure = expose(_face(), np.random.default_rng(0), _only(black_hot_chance=1.0))
    assert exposure.black_hot and exposure.values[40, 40] < exposure.values[5, 5]
    negated = _only(radiometric_chance=1.0, radiometric_negated=1.0)
    exposure = expose(_face(), np.random.default_rng(0), negated)
    assert exposure.black_hot and exposure.values[40, 40] < 0


def test_radiometric_files_hold_degrees() -> None:
    camera = _only(radiometric_chance=1.0, radiometric_negated=0.0)
    values = expose(_face(), np.random.default_rng(0), camera).values
    assert abs(values[40, 40] - 34) < 0.3 and abs(values[5, 5] - 22) < 0.3


def test_noise_has_the_deviation_it_says() -> None:
    flat = np.full((200, 200), 30.0, np.float32)
    camera = _only(radiometric_chance=1.0, radiometric_negated=0.0, netd_k=(0.1, 0.1))
    values = expose(flat, np.random.default_rng(0), camera).values
    assert 0.095 < values.std() < 0.105
    finer = expose(flat, np.random.default_rng(0), camera, pitch=0.5).values
    assert 0.045 < finer.std() < 0.055  # each pixel is the mean of four


def test_noise_in_a_clip_is_new_and_the_cameras_pattern_stays() -> None:
    flat = np.full((200, 200), 25.0, np.float32)
    camera = _only(
        radiometric_chance=1.0, radiometric_negated=0.0, netd_k=(0.1, 0.1), columns_netd=(0.5, 0.5)
    )
    frames = np.stack([
        expose(
            flat, np.random.default_rng(1), camera,
            temporal=Temporal(np.random.default_rng((2, i)), fixed=0.5),
        ).values
        for i in range(16)
    ])  # fmt: skip
    new = (frames - frames.mean(axis=0)).std()
    assert 0.09 < new < 0.105
    stays = frames.mean(axis=0)
    columns = stays.mean(axis=0)
    assert 0.035 < columns.std() < 0.065
    assert 0.045 < (stays - columns).std() < 0.062  # the pattern, and a quarter of the noise


def test_enlarged_pictures_take_their_points_along() -> None:
    yy, xx = np.mgrid[:60, :60].astype(np.float32)
    spot = np.exp(-((xx - 40.0) ** 2 + (yy - 20.0) ** 2) / 18.0)
    camera = _only(upscale_chance=1.0, netd_k=(1e-4, 1e-4), tail_percent=(0, 0))
    exposure = expose(20 + 20 * spot, np.random.default_rng(3), camera)
    assert exposure.values.shape[0] > 80
    yy, xx = np.mgrid[: exposure.values.shape[0], : exposure.values.shape[1]]
    warm = np.maximum(exposure.values - 60.0, 0.0)
    found = np.array([(xx * warm).sum(), (yy * warm).sum()]) / warm.sum()
    np.testing.assert_allclose(found, exposure.place(np.array([40.0, 20.0])), atol=0.1)


@pytest.mark.parametrize("draw", [0.2, 0.7, 0.95])  # bilinear, cubic, nearest
@pytest.mark.parametrize("size", [73, 101, 137])
def test_enlarging_moves_the_picture_to_no_side(draw: float, size: int) -> None:
    """A picture and its mirror image stay mirror images."""
    noise = np.random.default_rng(0).integers(0, 256, (41, 41)).astype(np.uint8)
    grey = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0), np.uint8)
    mirrored = np.ascontiguousarray(grey[::-1, ::-1])
    first, second = (
        _enlarged(picture, (size, size), draw).astype(int) for picture in (grey, mirrored)
    )
    assert first.shape == (size, size)
    assert np.abs(first[::-1, ::-1] - second).mean() < 0.5


@pytest.mark.parametrize("seed", range(6))
def test_false_colours_come_back_as_grey(seed: int) -> None:
    """Whatever the palette: warm and cold are told apart, mostly the right way round."""
    plain = expose(_face(), np.random.default_rng(seed), QUIET).values
    camera = _only(palette_chance=1.0, palette_levels=(0, 0))
    values = expose(_face(), np.random.default_rng(seed), camera).values
    assert np.corrcoef(values.ravel(), plain.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("kind", DEFAULT.camera.overlay)
def test_every_overlay_marks_the_picture(kind: str) -> None:
    seen = []
    for seed in range(6):
        quiet, marked = (
            expose(_face(), np.random.default_rng(seed), camera).values
            for camera in (QUIET, _only(overlay_chance=1.0, overlay={kind: 1.0}))
        )
        seen.append(np.abs(quiet - marked).max() > 20)
    assert any(seen)  # a white cross on a white face is none


@pytest.mark.parametrize("kind", DEFAULT.occluder.kinds)
def test_every_occluder_says_what_it_covers(kind: str) -> None:
    covered_face = 0
    for seed in range(12):
        scene = np.full((120, 120), 60.0, np.float32)
        box = np.array([40, 40, 80, 84], np.float32)
        covered = add_occluder(scene, box, 20.0, np.random.default_rng(seed), kind=kind)
        assert (scene[~covered] > 20.0).all()
        assert (scene[covered] < 61.0).all()
        covered_face += int(covered[40:84, 40:80].any())
    assert covered_face >= 8


def test_hot_surrounds_are_as_warm_as_skin() -> None:
    config = replace(DEFAULT.background, hot_chance=1.0, scenes={"plain": 1.0})
    medians = [
        np.median(background(50, 60, 20.0, np.random.default_rng(seed), config))
        for seed in range(30)
    ]
    assert 28 < min(medians) and max(medians) < 52


@pytest.mark.parametrize("size", [(1, 1), (9, 12), (120, 160)])
def test_what_is_near_fills_frames_of_any_size(size: tuple[int, int]) -> None:
    config = replace(DEFAULT.background, scenes={"close_up": 1.0}, lamps_chance=0, things_chance=0)
    for seed in range(40):
        scene = background(*size, 22.0, np.random.default_rng(seed), config)
        assert scene.shape == size and scene.dtype == np.float32
        assert np.isfinite(scene).all() and -60 < scene.min() and scene.max() < 110


def test_what_is_near_is_large() -> None:
    """Blurred to a sixteenth of the frame, most of the picture is still there."""
    config = replace(DEFAULT.background, scenes={"close_up": 1.0}, lamps_chance=0, things_chance=0)
    kept = []
    for seed in range(40):
        scene = background(120, 160, 22.0, np.random.default_rng(seed), config)
        kept.append(cv2.GaussianBlur(scene, (0, 0), 10).std() / scene.std())
    assert np.median(kept) > 0.6
