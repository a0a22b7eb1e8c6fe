"""What is behind people in colour: walls, rooms, streets, leaves, clutter. Linear R, G, B.

No face in any of it, and nothing that lies where the thermal scene has something: walls look
uniform to one camera and papered to the other.
"""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import pick
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.fields import fractal_noise, image_noise
from training.synthesis.rgb_cloth import cloth_colour


def backdrop(height: int, width: int, rng: np.random.Generator, config: RgbConfig) -> FloatArray:
    """float32 [3, height, width], 0 to about 1; windows and sky reach 2.

    Drawn at half the pixels: backdrops are out of focus.
    """
    size = width, height
    height, width = height // 2 + 1, width // 2 + 1
    kind = pick(config.backdrops, rng)
    picture = _gradient(height, width, rng)
    if kind == "room":
        _room(picture, rng)
    elif kind == "street":
        _street(picture, rng)
    elif kind == "foliage":
        picture = _foliage(height, width, rng)
    elif kind == "clutter":
        picture = picture * np.exp(0.7 * fractal_noise(height, width, rng))[..., None]
        _boxes(picture, rng, int(rng.integers(5, 30)), 0.3)
    elif kind == "wall" and rng.random() < 0.4:
        _bricks(picture, rng)
    sigma = rng.uniform(*config.backdrop_blur) * max(height, width)
    if sigma > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    whole = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(whole.transpose(2, 0, 1), np.float32)


def _gradient(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """A wall [H, W, 3], lit from one side."""
    ramp = rng.uniform(-0.6, 0.6) * np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    ramp = ramp + rng.uniform(-0.6, 0.6) * np.linspace(-1, 1, width, dtype=np.float32)[None]
    grain = rng.uniform(0.0, 0.08) * image_noise(height, width, rng.uniform(10, 60), rng)
    shade = np.exp((ramp + grain).astype(np.float32))[..., None]
    return np.asarray(shade * cloth_colour(rng), np.float32)


def _fill(picture: FloatArray, corners: FloatArray, colour: FloatArray) -> None:
    cv2.fillPoly(picture, [np.round(corners).astype(np.int32)], tuple(float(c) for c in colour))


def _box(x: float, y: float, w: float, h: float, angle: float = 0.0) -> FloatArray:
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.array([[0, 0], [w, 0], [w, h], [0, h]]) @ turn + (x, y)


def _boxes(picture: FloatArray, rng: np.random.Generator, count: int, most: float) -> None:
    """Furniture, pictures, boxes, signs."""
    height, width = picture.shape[:2]
    for _ in range(count):
        w, h = rng.uniform(0.02, most) * width, rng.uniform(0.02, 1.3 * most) * height
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(-0.1, 1) * height
        corners = _box(x, y, w, h, rng.normal(0, 0.06))
        _fill(picture, corners, cloth_colour(rng))
        if rng.random() < 0.4:
            _fill(picture, _box(x + 0.1 * w, y + 0.1 * h, 0.8 * w, 0.8 * h), cloth_colour(rng))


def _room(picture: FloatArray, rng: np.random.Generator) -> None:
    """A wall with a floor, furniture, shelves, and perhaps a bright window."""
    height, width = picture.shape[:2]
    if rng.random() < 0.5:
        floor = rng.uniform(0.6, 0.95) * height
        _fill(picture, _box(0, floor, width, height), cloth_colour(rng))
    _boxes(picture, rng, int(rng.integers(2, 12)), 0.5)
    if rng.random() < 0.5:  # a window with its cross
        w, h = rng.uniform(0.15, 0.5) * width, rng.uniform(0.2, 0.7) * height
        x, y = rng.uniform(0, 1) * width - w / 2, rng.uniform(-0.2, 0.4) * height
        _fill(picture, _box(x, y, w, h), rng.uniform(0.8, 2.0) * np.array([0.85, 0.95, 1.1]))
        frame = np.full(3, rng.uniform(0.1, 0.8))
        _fill(picture, _box(x + 0.48 * w, y, 0.04 * w, h), frame)
        _fill(picture, _box(x, y + 0.45 * h, w, 0.04 * w), frame)


def _street(picture: FloatArray, rng: np.random.Generator) -> None:
    """Sky, houses with rows of windows, ground, and cars as boxes."""
    height, width = picture.shape[:2]
    horizon = rng.uniform(0.3, 0.8) * height
    sky = rng.uniform(0.5, 1.8) * np.array([rng.uniform(0.4, 1.0), 0.85, 1.0])
    _fill(picture, _box(0, -1, width, horizon + 1), sky)
    _fill(picture, _box(0, horizon, width, height), rng.uniform(0.05, 0.4) * np.ones(3))
    x = -0.1 * width
    while x < width:
        w, top = rng.uniform(0.15, 0.5) * width, rng.uniform(-0.3, 0.9) * horizon
        wall, pane = cloth_colour(rng), cloth_colour(rng)
        _fill(picture, _box(x, top, w, horizon - top), wall)
        step = rng.uniform(0.05, 0.12) * width
        for wx in np.arange(x + 0.3 * step, x + w - 0.5 * step, step):
            for wy in np.arange(top + 0.4 * step, horizon - 0.6 * step, 1.4 * step):
                _fill(picture, _box(wx, wy, 0.5 * step, 0.8 * step), pane)
        x += w * rng.uniform(0.8, 1.5)
    _boxes(picture[int(horizon * 0.9) :], rng, int(rng.integers(0, 6)), 0.35)


def _foliage(height: int, width: int, rng: np.random.Generator) -> FloatArray:
    """Leaves in sun and shade, bits of sky between them."""
    leaves = fractal_noise(height, width, rng) + 0.6 * image_noise(height, width, 60, rng)
    green = np.array([rng.uniform(0.08, 0.3), rng.uniform(0.2, 0.4), rng.uniform(0.02, 0.12)])
    picture = np.exp(0.8 * leaves)[..., None] * green * rng.uniform(0.4, 1.2)
    sky = leaves > rng.uniform(1.2, 2.5)
    picture[sky] = rng.uniform(0.6, 1.6)
    return np.asarray(picture, np.float32)


def _bricks(picture: FloatArray, rng: np.random.Generator) -> None:
    """Bricks or tiles: darker joints."""
    height, width = picture.shape[:2]
    rows, columns = rng.uniform(0.03, 0.12) * height, rng.uniform(0.06, 0.25) * width
    joint = picture * rng.uniform(0.4, 1.6)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    row = np.floor(y / rows)
    lines = (y % rows < 0.1 * rows) | ((x + 0.5 * columns * (row % 2)) % columns < 0.06 * columns)
    picture[lines] = joint[lines]
