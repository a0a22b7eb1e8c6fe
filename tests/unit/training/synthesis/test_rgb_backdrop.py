"""What is behind people, in colour."""

import numpy as np
import pytest

from training.synthesis.config.rgb import RgbConfig
from training.synthesis.rgb_backdrop import backdrop


@pytest.mark.parametrize("kind", RgbConfig().backdrops)
def test_every_backdrop_is_drawn(kind: str) -> None:
    config = RgbConfig(backdrops={kind: 1.0})
    for seed in range(4):
        planes = backdrop(61, 90, np.random.default_rng(seed), config)
        assert planes.shape == (3, 61, 90) and planes.dtype == np.float32
        assert np.isfinite(planes).all() and planes.min() >= 0 and planes.std() > 0
