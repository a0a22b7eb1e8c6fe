"""What is behind people: rooms, streets, clutter, and things that look a little like people.

No face in any of it.
"""

import cv2
import numpy as np

from service.entities import FloatArray
from training.synthesis import creatures, outdoors, things
from training.synthesis.closeups import close_up
from training.synthesis.config import DEFAULT
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.scene import BackgroundConfig
from training.synthesis.fields import fractal_noise, image_noise
from training.synthesis.tiles import put

DRAW: dict[str, things.Draw] = {
    draw.__name__: draw
    for draw in (
        things.fins, things.pipes, things.tank, things.transformer, things.mug, things.ball,
        things.spotted_oval, things.radiator, things.screen, things.window, things.reflection,
        outdoors.tower, outdoors.nacelle, outdoors.facade, outdoors.car, outdoors.tree,
        creatures.animal, creatures.hand, creatures.arm, creatures.legs, creatures.torso,
    )
}  # fmt: skip
FINEST = 160  # pixels of a tile's longer side; larger things are enlarged, they are smooth


def background(
    height: int, width: int, ambient: float, rng: np.random.Generator,
    config: BackgroundConfig = DEFAULT.background,
) -> FloatArray:  # fmt: skip
    """Apparent temperatures [H, W] in degrees Celsius of a scene with no face in it."""
    kind = pick(config.scenes, rng)
    if kind == "masked":  # segmented pictures: everything but the person cut out
        return np.full((height, width), ambient - rng.uniform(0, 15), np.float32)
    if rng.random() < config.hot_chance:
        ambient = rng.uniform(*config.hot_c)
    base = np.full((height, width), ambient, np.float32)
    base += np.float32(rng.normal(0, config.gradient_k)) * _ramp(height)
    base += np.float32(rng.uniform(*config.texture_k)) * image_noise(
        height, width, rng.uniform(2, 6), rng
    )
    if kind == "room":
        _furniture(base, ambient, rng)
    elif kind == "street":
        _street(base, ambient, rng, rng.random() < config.built_chance)
    elif kind == "close_up":
        close_up(base, rng, config)
    elif kind == "clutter":
        base += np.float32(rng.uniform(0.5, 6.0)) * fractal_noise(height, width, rng)
        if rng.random() < 0.5:
            _furniture(base, ambient, rng)
    if rng.random() < config.things_chance:
        _things(base, ambient, rng, config)
    if rng.random() < config.lamps_chance:
        _lamps(base, rng, config)
    return base


def _ramp(height: int) -> FloatArray:
    return np.linspace(-1, 1, height, dtype=np.float32)[:, None]


def fill_polygon(canvas: FloatArray, points: FloatArray, value: float) -> None:
    """Fill the polygon `points` [P, 2] (x, y pixels) in place."""
    cv2.fillPoly(canvas, [np.round(points).astype(np.int32)], float(value))


def _things(
    base: FloatArray, ambient: float, rng: np.random.Generator, config: BackgroundConfig
) -> None:
    """Up to a few of `config.things`; the first may fill the frame."""
    longer = max(base.shape)
    filling = rng.random() < config.filling_chance
    for index in range(int(rng.uniform(*config.things_count)) if not filling else 1):
        ends = config.filling_size if filling and index == 0 else config.thing_size
        size = longer * log_uniform(ends, rng)
        put_thing(base, pick(config.things, rng), size, ambient, rng)


def put_thing(
    base: FloatArray, name: str, size: float, ambient: float, rng: np.random.Generator
) -> None:
    """One of `DRAW`, `size` pixels long, somewhere in the scene; a few are turned."""
    height, width = base.shape
    tile = DRAW[name](int(np.clip(size, 12, FINEST)), ambient, rng)
    middle = 0.5 if size > max(height, width) else 1.0  # what fills the frame lies in its middle
    centre = (
        width * (0.5 + middle * rng.uniform(-0.5, 0.5)),
        height * (0.5 + middle * rng.uniform(-0.5, 0.5)),
    )
    angle = rng.normal(0, 0.1)
    if name in ("hand", "arm", "pipes", "nacelle") or rng.random() < 0.08:
        angle = rng.uniform(-np.pi, np.pi)
    put(base, tile, centre, size, angle)


def _furniture(base: FloatArray, ambient: float, rng: np.random.Generator) -> None:
    """Doors, shelves, pictures, warm devices: rectangles a few kelvin off, some framed."""
    height, width = base.shape
    for _ in range(rng.integers(2, 14)):
        w, h = width * rng.uniform(0.03, 0.5), height * rng.uniform(0.03, 0.7)
        x, y = rng.uniform(-0.1, 1.0) * width, rng.uniform(-0.1, 1.0) * height
        angle = rng.normal(0, 0.1)
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        value = ambient + rng.normal(0, 2.0) + (rng.uniform(3, 15) if rng.random() < 0.08 else 0)
        corners = np.round(corners @ turn.T + [x, y]).astype(np.int32)
        cv2.fillPoly(base, [corners], float(value))
        if rng.random() < 0.3:
            cv2.polylines(
                base, [corners], True, float(value + rng.normal(0, 1.5)), int(rng.integers(1, 4))
            )


def _street(base: FloatArray, ambient: float, rng: np.random.Generator, built: bool) -> None:
    """Cold sky, walls and trees, sun-heated ground: skin may be colder than its surround."""
    height, width = base.shape
    horizon = int(height * rng.uniform(0.05, 0.65))
    noise = fractal_noise(height, width, rng)
    base[horizon:] = ambient + rng.uniform(-3, 18) + rng.uniform(0.2, 1.5) * noise[horizon:]
    base[:horizon] = ambient + rng.uniform(-12, 6) + rng.uniform(0.2, 3.0) * noise[:horizon]
    for _ in range(rng.integers(0, 10)):  # walls, kerbs, shadows
        x, y = rng.uniform(-0.1, 1) * width, rng.uniform(0, 1) * height
        w, h = width * rng.uniform(0.05, 0.6), height * rng.uniform(0.02, 0.4)
        slant = rng.normal(0, 0.15) * w
        corners = np.array([[x, y], [x + w, y + slant], [x + w, y + slant + h], [x, y + h]])
        fill_polygon(base, corners, ambient + rng.normal(2, 6))
    for name in ("facade", "tree", "car") if built else ():
        for _ in range(rng.integers(0, 3)):
            size = max(height, width) * rng.uniform(0.08, 0.5)
            tile = DRAW[name](int(np.clip(size, 12, FINEST)), ambient, rng)
            # They stand on the ground, not far below the horizon.
            foot = horizon + rng.uniform(0.0, 0.25) * height
            put(base, tile, (rng.uniform(0, width), foot - tile.half[1] * size / 2), size)


def _lamps(base: FloatArray, rng: np.random.Generator, config: BackgroundConfig) -> None:
    """Lamps, candles, black bodies, engines: small, far hotter than skin or near it."""
    height, width = base.shape
    for _ in range(rng.integers(1, 5)):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        size = max(height, width) * np.exp(rng.uniform(np.log(0.01), np.log(0.09)))
        value = rng.uniform(30, 40) if rng.random() < 0.5 else rng.uniform(*config.lamp_c)
        axes = int(max(1, size)), int(max(1, size * rng.uniform(0.4, 2.0)))
        if rng.random() < 0.6:
            cv2.ellipse(base, (x, y), axes, rng.uniform(0, 180), 0, 360, float(value), -1)
        else:
            cv2.rectangle(base, (x, y), (x + axes[0], y + axes[1]), float(value), -1)
