"""Large smooth things near the camera that fill the frame: walls, ducts, cables, grilles, folds."""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.scene import BackgroundConfig
from training.synthesis.fields import image_noise


def close_up(base: FloatArray, rng: np.random.Generator, config: BackgroundConfig) -> None:
    """Paint over all of `base` [H, W], degrees Celsius, in place."""
    height, width = base.shape
    base += np.float32(rng.uniform(*config.close_up_k)) * _slopes(height, width, rng)
    if rng.random() < config.lattice_chance:
        base += _lattice(height, width, rng)
    for _ in range(int(rng.uniform(*config.bands_count))):
        _band(base, rng, config)
    if rng.random() < 0.5:  # what is near is often out of focus
        cv2.GaussianBlur(base, (0, 0), max(height, width) * rng.uniform(0.002, 0.02), dst=base)


def _slopes(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Hills as large as the frame, and a rise towards one side; spread about 1."""
    longer = max(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(longer)
    angle = rng.uniform(0, 2 * np.pi)
    rise = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    hills = image_noise(height, width, log_uniform((1.5, 12), rng), rng)
    return rise * np.float32(rng.uniform(0, 3)) + hills * np.float32(rng.uniform(0, 1.5))


def _lattice(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Slats, ribs or a mesh, bent and fading out, in kelvin."""
    longer = max(height, width)
    y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(longer)
    bend = np.float32(rng.normal(0, 0.8))
    pattern = np.zeros((height, width), np.float32)
    first = rng.uniform(0, np.pi)
    for angle in (first, first + rng.uniform(0.6, 1.6))[: rng.integers(1, 3)]:
        across = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
        along = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
        turns = np.float32(2 * np.pi * log_uniform((3, 30), rng))
        waves = np.sin(turns * (across + bend * along**2))
        sharp = np.float32(log_uniform((0.7, 6), rng))
        pattern += np.tanh(sharp * (waves - np.float32(rng.uniform(-0.6, 0.6))))
    shown = image_noise(height, width, 4, rng) > rng.uniform(-2.0, 0.7)
    soft = cv2.GaussianBlur(shown.astype(np.float32), (0, 0), max(1.0, longer * 0.02))
    return np.float32(rng.uniform(0.5, 5.0)) * pattern * soft


def _band(base: FloatArray, rng: np.random.Generator, config: BackgroundConfig) -> None:
    """A cable, pipe or strut through the frame, with a round profile or a flat one."""
    height, width = base.shape
    longer = max(height, width)
    around = rng.uniform(0, 2 * np.pi) + np.array(
        [0, rng.uniform(-1, 1), rng.uniform(1, 2 * np.pi)]
    )
    away = np.array([0.75, rng.uniform(0, 0.5), 0.75])[:, None]  # both ends outside the frame
    turned = np.stack([np.cos(around), np.sin(around)], axis=1)
    ends = (0.5 + away * turned) * [width, height]
    t = np.linspace(0, 1, 24)[:, None]
    path = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]
    points = [np.round(path).astype(np.int32)]
    thickness = longer * log_uniform(config.band_width, rng)
    value, contrast = float(np.median(base)), rng.normal(0, 1) * rng.uniform(*config.close_up_k)
    if rng.random() < 0.5:
        cv2.polylines(base, points, False, value + contrast, max(1, round(thickness)))
        return
    for share in (1.0, 0.75, 0.5, 0.25):  # warmer, or colder, towards its middle
        level = value + contrast * (1.25 - share)
        cv2.polylines(base, points, False, level, max(1, round(thickness * share)))
