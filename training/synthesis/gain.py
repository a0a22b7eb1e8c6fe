"""A camera's gain control: from kelvin to 256 grey levels."""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.camera import CameraConfig
from training.synthesis.config.knobs import log_uniform, pick


def gain_control(image: FloatArray, rng: np.random.Generator, camera: CameraConfig) -> FloatArray:
    """Kelvin [H, W] to grey levels by one of `camera.gain_control`, then a random tone curve."""
    kind = pick(camera.gain_control, rng)
    # A fifth of the pixels are enough for percentiles.
    sample = np.sort(image.reshape(-1)[:: max(1, image.size // 4000)])
    if kind == "window":
        middle, span = (
            _percentile(sample, rng.uniform(*camera.window_percent)),
            rng.uniform(*camera.window_k),
        )
        low, high = middle - span / 2, middle + span / 2
    else:
        low = _percentile(sample, rng.uniform(*camera.tail_percent))
        high = _percentile(sample, 100 - rng.uniform(*camera.tail_percent))
    grey = np.clip((image - np.float32(low)) / np.float32(max(high - low, 0.3)), 0, 1)
    if kind == "plateau":
        grey = _plateau(grey, rng, camera)
    elif kind == "clahe":
        tiles = int(rng.uniform(*camera.clahe_tiles))
        clahe = cv2.createCLAHE(rng.uniform(*camera.clahe_clip), (tiles, tiles))
        grey = clahe.apply((grey * 255).astype(np.uint8)).astype(np.float32) / 255
    if rng.random() < camera.gamma_chance:
        grey = grey ** np.float32(np.exp(rng.normal(0, camera.gamma_spread)))
    floor, ceiling = 0.0, 255.0
    if rng.random() < camera.narrow_chance:
        floor, ceiling = rng.uniform(*camera.narrow_floor), rng.uniform(*camera.narrow_ceiling)
    return np.asarray(np.float32(floor) + grey * np.float32(ceiling - floor), np.float32)


def _percentile(ordered: FloatArray, percent: float) -> float:
    return float(ordered[min(int(percent / 100 * len(ordered)), len(ordered) - 1)])


def _plateau(grey: FloatArray, rng: np.random.Generator, camera: CameraConfig) -> FloatArray:
    """Histogram equalisation whose slope a plateau limits, with a share of the linear map."""
    levels = (grey * 1023).astype(np.uint16)  # finer than the output, as cameras work on 14 bits
    counts = np.bincount(levels.reshape(-1), minlength=1024).astype(np.float32)
    limit = max(float(counts.mean()) * log_uniform(camera.plateau, rng), 1.0)
    curve = np.cumsum(np.minimum(counts, limit))
    share = rng.uniform(*camera.linear_share)
    curve = (1 - share) * curve / curve[-1] + share * np.linspace(0, 1, 1024)
    return np.asarray(curve.astype(np.float32)[levels], np.float32)


def enhance(grey: FloatArray, rng: np.random.Generator, camera: CameraConfig) -> FloatArray:
    """Digital detail enhancement, an on-camera low-pass, or edges that ring."""
    if rng.random() < camera.detail_chance:
        soft = cv2.GaussianBlur(grey, (0, 0), rng.uniform(*camera.detail_px))
        grey = grey + np.float32(rng.uniform(*camera.detail_gain)) * (grey - soft)
    if rng.random() < camera.ringing_chance:
        sigma = rng.uniform(*camera.ringing_px)
        near, far = cv2.GaussianBlur(grey, (0, 0), sigma), cv2.GaussianBlur(grey, (0, 0), 2 * sigma)
        # A band-pass has a second, opposite fringe outside the first.
        grey = grey + np.float32(rng.uniform(*camera.ringing_gain)) * (near - far)
    return np.asarray(grey, np.float32)
