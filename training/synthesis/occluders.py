"""What gets between a face and the camera: hands, phones, bars."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.backgrounds import fill_polygon
from training.synthesis.fields import image_noise


def add_occluder(
    temperature: FloatArray, box: FloatArray, ambient: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Cover part of the face in `box` (x1, y1, x2, y2 pixels) of a scene [H, W] in Celsius.

    Returns the covered pixels [H, W].
    """
    x1, y1, x2, y2 = (float(side) for side in box)
    size = float(np.sqrt(max((x2 - x1) * (y2 - y1), 1.0)))
    centre = np.array([rng.uniform(x1, x2), rng.uniform(y1 + 0.3 * (y2 - y1), y2 + 0.2 * size)])
    cover = np.zeros(temperature.shape, np.float32)
    kind = rng.choice(["hand", "phone", "bar"], p=[0.5, 0.3, 0.2])
    if kind == "hand":
        _hand(cover, centre, size, rng)
        value = rng.uniform(27, 35.5)
    elif kind == "phone":
        extent = size * rng.uniform(0.3, 0.5), size * rng.uniform(0.6, 0.95)
        turned = (float(centre[0]), float(centre[1])), extent, rng.uniform(-60, 60)
        fill_polygon(cover, np.asarray(cv2.boxPoints(turned), np.float32), 1.0)
        value = rng.uniform(ambient - 1, 38)
    else:
        reach = _direction(rng.uniform(0, np.pi)) * size * 2
        thick = max(1, int(size * rng.uniform(0.03, 0.15)))
        cv2.line(cover, _pixel(centre - reach), _pixel(centre + reach), 1.0, thick)
        value = ambient + rng.normal(0, 2)
    inside = cover > 0
    height, width = temperature.shape
    temperature[inside] = value + 0.4 * image_noise(height, width, 10, rng)[inside]
    return inside


def _hand(cover: FloatArray, centre: FloatArray, size: float, rng: np.random.Generator) -> None:
    """A palm and four fingers, spread a little, towards a random side."""
    angle = rng.uniform(0, 2 * np.pi)
    along, across = _direction(angle), _direction(angle + np.pi / 2)
    palm = centre - along * size * 0.35
    axes = int(size * 0.3), int(size * 0.24)
    cv2.ellipse(cover, _pixel(palm), axes, float(np.rad2deg(angle)), 0, 360, 1.0, -1)
    spread = rng.uniform(0.02, 0.2)
    for finger in range(4):
        root = palm + across * (finger - 1.5) * size * 0.11 + along * size * 0.2
        bent = along + across * (finger - 1.5) * spread
        tip = root + bent * size * rng.uniform(0.3, 0.5)
        cv2.line(cover, _pixel(root), _pixel(tip), 1.0, max(1, int(size * 0.09)))


def _direction(angle: float) -> FloatArray:
    return np.array([np.cos(angle), np.sin(angle)])


def _pixel(point: FloatArray) -> tuple[int, int]:
    return int(point[0]), int(point[1])
