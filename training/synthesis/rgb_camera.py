"""The colour camera: optics, exposure, a Bayer sensor with its noise, white balance, tone curve."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.fields import white_noise

_DEPTH = 65535  # steps of the sensor's converter
_HEADROOM = 4.0  # full scales that it holds: highlights keep their colour until white balance
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # of linear R, G, B


def expose_colour(planes: FloatArray, rng: np.random.Generator, config: RgbConfig) -> ByteArray:
    """Linear R, G, B [3, H, W] to what that camera's file holds: uint8 [H, W, 3].

    Nothing in it moves the picture. Too dark a scene is amplified up to `gain_limit`, its noise
    with it, and stays dark beyond.
    """
    sigma = rng.uniform(*config.blur_px)
    soft = [cv2.GaussianBlur(np.ascontiguousarray(p), (0, 0), sigma) for p in planes]
    planes = np.stack(soft)
    mean = float((planes.mean(axis=(1, 2)) * _LUMA).sum())
    wanted = rng.uniform(*config.target) * 2 ** rng.normal(0, config.stops)
    # A light meter: 1 is full scale of the sensor at its usual sensitivity.
    exposure = wanted / max(mean, 1e-4)
    gain = 1.0
    if rng.random() < config.dark_chance:
        dark = 2 ** rng.uniform(*config.dark_stops)
        exposure, gain = exposure / dark, min(dark, rng.uniform(1.0, config.gain_limit))
    adapted = rng.uniform(*config.adapted)
    balance = (mean / np.maximum(planes.mean(axis=(1, 2)), 1e-4)) ** adapted
    balance = np.clip(balance, 0.3, 3.0) * np.exp(
        rng.normal(0, config.white_balance, 3) * (1.0, 0.3, 1.0)
    )
    raw, steps, pedestal = _bayer(planes * np.float32(exposure), rng, config)
    grey = rng.random() < config.grey_chance
    saturation = 0.0 if grey else rng.uniform(*config.saturation)
    mixed = saturation * np.eye(3) + (1 - saturation) * _LUMA
    mixed = mixed * (gain * balance / steps)
    # One matrix: pedestal off, white balance, gain, saturation.
    matrix = np.column_stack([mixed, -mixed.sum(axis=1) * pedestal]).astype(np.float32)
    colours = np.asarray(cv2.transform(raw.astype(np.float32), matrix), np.float32)
    coded = _tone(colours, rng, config)
    if rng.random() < config.jpeg_chance:
        quality = int(rng.uniform(*config.jpeg_quality))
        data = cv2.imencode(".jpg", coded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        coded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    return np.ascontiguousarray(coded)


def _bayer(
    planes: FloatArray, rng: np.random.Generator, config: RgbConfig
) -> tuple[NDArray[np.uint16], float, float]:
    """One colour a pixel (R G / G B), noise, and the other two between.

    Returns counts [H, W, 3], how many of them are full scale, and those in the dark.
    """
    height, width = planes.shape[1:]
    mosaic = planes[1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = planes[0, ::2, ::2], planes[2, 1::2, 1::2]
    shot, read = log_uniform(config.shot_noise, rng), log_uniform(config.read_noise, rng)
    # Sharp resampling overshoots: a little below nothing there is no light to be noisy.
    light = np.maximum(mosaic, 0)
    spread = cv2.sqrt(np.float32(shot**2) * light + np.float32(read**2))
    mosaic += spread * white_noise(height, width, rng)
    # Counts start above 0, or noise in the dark would be cut off below and brighten it.
    steps, pedestal = _DEPTH / _HEADROOM, 8 * read * _DEPTH / _HEADROOM
    counts = np.clip(mosaic * np.float32(steps) + np.float32(pedestal + 0.5), 0, _DEPTH)
    colours = cv2.cvtColor(counts.astype(np.uint16), cv2.COLOR_BayerRGGB2RGB)
    return np.asarray(colours, np.uint16), steps, pedestal


def _tone(colours: FloatArray, rng: np.random.Generator, config: RgbConfig) -> ByteArray:
    """Linear R, G, B [H, W, 3] to bytes: gamma, and a curve that is more or less S-shaped."""
    levels = np.linspace(0, 1, 4096)
    curve = levels ** (1 / rng.uniform(*config.gamma))
    share = rng.uniform(*config.contrast)
    curve = (1 - share) * curve + share * curve * curve * (3 - 2 * curve)
    table = (255 * curve + 0.5).astype(np.uint8)
    return np.take(table, np.clip(colours * 4095 + 0.5, 0, 4095).astype(np.uint16))
