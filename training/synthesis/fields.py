"""Smooth random fields, on vertices and on pixels."""

import functools

import cv2
import numpy as np

from service.entities import FloatArray

BANK_SIDE = 1200  # pixels of the stored white noise


def vertex_noise(
    points: FloatArray, length: float, count: int, rng: np.random.Generator
) -> FloatArray:
    """`count` smooth fields [count, V] of unit deviation and correlation length `length` (cm).

    Random Fourier features of a Gaussian kernel, one cosine a feature.
    """
    features = 24
    fields = np.empty((count, len(points)), np.float32)
    for row in range(count):
        frequency = rng.normal(0, 1.0 / length, (3, features)).astype(np.float32)
        phase = rng.uniform(0, 2 * np.pi, features).astype(np.float32)
        fields[row] = np.cos(points @ frequency + phase).sum(axis=1) * np.sqrt(2.0 / features)
    return fields


def image_noise(height: int, width: int, cells: float, rng: np.random.Generator) -> FloatArray:
    """A smooth field [height, width], deviation 0.8-0.9, `cells` bumps along the longer side."""
    step = max(height, width) / max(cells, 1.0)
    rows, columns = max(2, round(height / step) + 1), max(2, round(width / step) + 1)
    coarse = rng.normal(0, 1, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def fractal_noise(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Clutter: five octaves with a random slope, unit deviation."""
    slope = rng.uniform(0.35, 0.85)
    rows, columns = max(2, height // 3), max(2, width // 3)  # the finest octave has 47 cells
    total = np.zeros((rows, columns), np.float32)
    for octave in range(5):
        total += slope**octave * image_noise(rows, columns, 2.0 * 2.2**octave, rng)
    total /= max(float(total.std()), 1e-6)
    return np.asarray(cv2.resize(total, (width, height), interpolation=cv2.INTER_CUBIC))


def white_noise(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Independent normal deviates [height, width] of unit deviation.

    A random place of a stored field, flipped at random: ten times as fast as drawing anew.
    """
    bank = _noise_bank()
    if height > BANK_SIDE or width > BANK_SIDE:
        return rng.standard_normal((height, width), np.float32)
    y, x = rng.integers(BANK_SIDE - height + 1), rng.integers(BANK_SIDE - width + 1)
    place = bank[y : y + height, x : x + width]
    down, right = (1 if rng.random() < 0.5 else -1 for _ in range(2))
    return place[::down, ::right]


@functools.cache
def _noise_bank() -> FloatArray:
    return np.random.default_rng(20_240_602).standard_normal((BANK_SIDE, BANK_SIDE), np.float32)


def smoothstep(low: float, high: float, values: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high`, smooth between (also for low > high, mirrored)."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
