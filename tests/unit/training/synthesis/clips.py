"""A small clip for the tests of what is done to clips."""

import numpy as np

from training.synthesis.clip import Clip


def clip(dtype: type = np.uint16, frames: int = 6) -> Clip:
    """Every value and every point is one higher in the next frame."""
    values = np.random.default_rng(0).integers(10, 200, (1, 24, 32)) + np.zeros((frames, 1, 1))
    values += np.arange(frames)[:, None, None]
    landmarks = np.zeros((frames, 1, 68, 2), np.float32)
    landmarks += np.random.default_rng(1).uniform(0, 20, (68, 2)).astype(np.float32)
    landmarks += np.arange(frames, dtype=np.float32)[:, None, None, None]
    return Clip(
        values.astype(dtype),
        np.arange(frames) / 10.0,
        landmarks,
        np.ones((frames, 1), np.float32),
        10.0,
        "standing",
    )
