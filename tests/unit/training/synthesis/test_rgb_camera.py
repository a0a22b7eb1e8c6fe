"""The camera for colours: where, how bright and how noisy it shows things."""

from dataclasses import replace

import numpy as np
import pytest

from service.entities import FloatArray
from training.synthesis.config import DEFAULT
from training.synthesis.gallery_rgb import QUIET_RGB
from training.synthesis.rgb_camera import _bayer, expose_colour


def _spot() -> FloatArray:
    """Without edges, which a mosaic of colours can only show to half a pixel."""
    yy, xx = np.mgrid[:64, :64].astype(np.float32)
    spot = np.exp(-((xx - 27.5) ** 2 + (yy - 31.5) ** 2) / (2 * 4.0**2))
    return np.asarray(0.02 + np.stack([spot] * 3), np.float32)


def test_the_colour_camera_moves_nothing() -> None:
    config = replace(QUIET_RGB, target=(0.05, 0.05))
    yy, xx = np.mgrid[:64, :64]
    for seed in range(6):
        picture = expose_colour(_spot(), np.random.default_rng(seed), config).astype(float)
        for channel in range(3):
            light = np.maximum(picture[..., channel] - 100, 0)
            middle = np.array([(xx * light).sum(), (yy * light).sum()]) / light.sum()
            np.testing.assert_allclose(middle, [27.5, 31.5], atol=0.15)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_the_colour_camera_keeps_colours_apart(channel: int) -> None:
    planes = np.full((3, 40, 40), 0.05, np.float32)
    planes[channel] = 0.5
    config = replace(QUIET_RGB, adapted=(0.0, 0.0))
    picture = expose_colour(planes, np.random.default_rng(0), config)
    assert picture.mean(axis=(0, 1)).argmax() == channel


def test_darkness_is_dark_and_noisy() -> None:
    config = replace(QUIET_RGB, gain_limit=24.0, dark_stops=(6.0, 6.0))
    wall = np.full((3, 64, 64), 0.3, np.float32)
    day, night = (
        expose_colour(wall, np.random.default_rng(1), replace(config, dark_chance=chance))
        for chance in (0.0, 1.0)
    )
    assert night.mean() < 0.8 * day.mean()
    assert night.std() / night.mean() > 2 * day.std() / day.mean()


def test_white_balance_varies() -> None:
    config = replace(QUIET_RGB, white_balance=0.2)
    wall = np.full((3, 40, 40), 0.3, np.float32)
    means = [
        expose_colour(wall, np.random.default_rng(s), config).mean(axis=(0, 1)) for s in range(8)
    ]
    ratios = np.array([mean[0] / mean[2] for mean in means])
    assert ratios.max() > 1.1 * ratios.min()


def test_overshoot_below_darkness_stays_finite() -> None:
    planes = np.full((3, 24, 24), -0.05, np.float32)
    planes[:, :, 12:] = 0.4
    for seed in range(20):
        counts, steps, pedestal = _bayer(planes, np.random.default_rng(seed), DEFAULT.rgb)
        assert counts[:, 14:].mean() > counts[:, :10].mean()
        assert 0 <= pedestal < steps
