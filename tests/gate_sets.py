"""A tiny gate set, and networks that are measurably good and bad on it."""

from pathlib import Path

import numpy as np

from tests.onnx_models import FACE_BOX
from tests.published_landmarks import write_landmarks

POINTS = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)


def make_gate(folder: Path) -> Path:
    """The two sets that `training.gate` reads, of a few black pictures."""
    folder.mkdir()
    np.savez(
        folder / "landmarks.npz",
        images=np.zeros((3, 256, 256), np.uint8),
        points=np.stack([POINTS] * 3),
        weight=np.ones((3, 68), np.float32),
    )
    np.savez(
        folder / "detector.npz",
        images=np.zeros((2, 320, 320), np.uint8),
        boxes=np.array([[FACE_BOX, (0, 0, 0, 0)]] * 2, np.float32),
        valid=np.array([[True, False]] * 2),
        ignore=np.zeros((2, 2), bool),
    )
    return folder


def network(folder: Path, off: float = 0.0) -> Path:
    """A network whose every landmark is `off` pixels to the right."""
    return write_landmarks(folder / f"off_{off}.onnx", POINTS + np.array([off, 0], np.float32))
