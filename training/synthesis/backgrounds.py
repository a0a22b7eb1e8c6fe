"""What is behind people: rooms, windows, lamps, streets. No face in any of it."""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.fields import fractal_noise, image_noise


def background(height: int, width: int, ambient: float, rng: np.random.Generator) -> FloatArray:
    """Apparent temperatures [H, W] in degrees Celsius of a scene with no face in it."""
    kind = rng.choice(
        ["plain", "room", "street", "clutter", "masked"], p=[0.22, 0.32, 0.22, 0.19, 0.05]
    )
    base = np.full((height, width), ambient, np.float32)
    if kind == "masked":  # segmented pictures: everything but the person cut out
        return base - np.float32(rng.uniform(0, 15))
    base += rng.normal(0, 0.8) * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    base += rng.uniform(0.05, 0.5) * image_noise(height, width, rng.uniform(2, 6), rng)
    if kind == "room":
        _furniture(base, ambient, rng)
    elif kind == "street":
        _street(base, ambient, rng)
    elif kind == "clutter":
        base += rng.uniform(0.5, 6.0) * fractal_noise(height, width, rng)
        if rng.random() < 0.5:
            _furniture(base, ambient, rng)
    if rng.random() < 0.35:
        _hot_things(base, rng)
    return base


def fill_polygon(canvas: FloatArray, points: FloatArray, value: float) -> None:
    """Fill the polygon `points` [P, 2] (x, y pixels) in place."""
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], float(value))


def _furniture(base: FloatArray, ambient: float, rng: np.random.Generator) -> None:
    """Doors, windows, screens, radiators: rectangles a few kelvin off, some textured."""
    height, width = base.shape
    for _ in range(rng.integers(2, 14)):
        w, h = width * rng.uniform(0.03, 0.5), height * rng.uniform(0.03, 0.7)
        x, y = rng.uniform(-0.1, 1.0) * width, rng.uniform(-0.1, 1.0) * height
        angle = rng.normal(0, 0.1)
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        value = ambient + rng.normal(0, 2.0) + (rng.uniform(3, 15) if rng.random() < 0.08 else 0)
        fill_polygon(base, corners @ turn.T + [x, y], value)
        if rng.random() < 0.3:
            cv2.polylines(base, [np.round(corners @ turn.T + [x, y]).astype(np.int32)], True,
                          float(value + rng.normal(0, 1.5)), int(rng.integers(1, 4)))  # fmt: skip


def _street(base: FloatArray, ambient: float, rng: np.random.Generator) -> None:
    """Cold sky, walls and trees, sun-heated ground: skin may be colder than its surround."""
    height, width = base.shape
    horizon = int(height * rng.uniform(0.05, 0.65))
    ground = ambient + rng.uniform(-3, 18)
    base[horizon:] = ground + rng.uniform(0.2, 1.5) * fractal_noise(height - horizon, width, rng)
    if horizon > 3:
        base[:horizon] = ambient + rng.uniform(-12, 6)
        base[:horizon] += rng.uniform(0.2, 3.0) * fractal_noise(horizon, width, rng)
    for _ in range(rng.integers(0, 10)):  # walls, vehicles, kerbs, shadows
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(0, 1) * height
        w, h = width * rng.uniform(0.05, 0.6), height * rng.uniform(0.02, 0.4)
        slant = rng.normal(0, 0.15) * w
        corners = np.array([[x, y], [x + w, y + slant], [x + w, y + slant + h], [x, y + h]])
        fill_polygon(base, corners, ambient + rng.normal(2, 6))
    for _ in range(rng.integers(0, 5)):  # tree crowns
        crown = image_noise(height, width, rng.uniform(8, 30), rng)
        yy, xx = np.mgrid[:height, :width].astype(np.float32)
        cx, cy, r = rng.uniform(0, width), horizon, height * rng.uniform(0.05, 0.3)
        inside = (xx - cx) ** 2 + (yy - cy) ** 2 < (r * (1 + 0.3 * crown)) ** 2
        base[inside] = ambient + rng.uniform(-2, 3) + 1.2 * crown[inside]


def _hot_things(base: FloatArray, rng: np.random.Generator) -> None:
    """Lamps, mugs, black bodies, engines: small, far hotter than skin or near it."""
    height, width = base.shape
    for _ in range(rng.integers(1, 5)):
        centre = rng.uniform(0, width), rng.uniform(0, height)
        size = max(height, width) * np.exp(rng.uniform(np.log(0.01), np.log(0.09)))
        value = rng.choice([rng.uniform(30, 40), rng.uniform(40, 120)])
        axes = int(max(1, size)), int(max(1, size * rng.uniform(0.4, 2.0)))
        where = (round(centre[0]), round(centre[1]))
        if rng.random() < 0.6:
            cv2.ellipse(base, where, axes, rng.uniform(0, 180), 0, 360, float(value), -1)
        else:
            corner = (where[0] + axes[0], where[1] + axes[1])
            cv2.rectangle(base, where, corner, float(value), -1)
