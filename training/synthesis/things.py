"""Things of rooms and halls that look a little like people: large, smooth, warm, round."""

from collections.abc import Callable

import numpy as np

from training.synthesis.tiles import Tile

Draw = Callable[[int, float, np.random.Generator], Tile]


def warmth(ambient: float, rng: np.random.Generator) -> float:
    """A surface in Celsius: near the air, in the sun, running, or as warm as skin."""
    draw = rng.random()
    if draw < 0.35:
        return ambient + rng.normal(0, 2.5)
    if draw < 0.65:
        return ambient + rng.uniform(2, 16)
    return rng.uniform(28, 38) if draw < 0.85 else rng.uniform(38, 70)


def contrast(rng: np.random.Generator) -> float:
    """Kelvin between parts of a thing, of either sign."""
    return float(rng.choice((-1, 1)) * np.exp(rng.uniform(np.log(0.4), np.log(6.0))))


def fins(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """Cooling fins: parallel bars, warmer in the middle, in or without a case."""
    tile = Tile(side, rng.uniform(0.5, 1.8))
    w, h = tile.half
    base, step = warmth(ambient, rng), contrast(rng)
    tile.box(-w, -h, w, h, base)
    count = int(rng.integers(3, 16))
    duty = rng.uniform(0.3, 0.7)
    for i in range(count):
        x = -0.92 * w + 1.84 * w * i / count
        top = -h * rng.uniform(0.82, 0.95)
        tile.box(x, top, x + 1.84 * w / count * duty, 0.9 * h, base + step)
    x, y = tile.grid()
    warm = np.exp(-((x - rng.normal(0, 0.3)) ** 2 + (y - rng.normal(0, 0.3)) ** 2) / 0.3)
    tile.add(rng.uniform(0, 8) * warm + rng.normal(0, 2) * y)
    if rng.random() < 0.5:
        tile.soften(rng.uniform(0.01, 0.06))
    return tile


def pipes(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """One to three pipes side by side, with joints and a bend."""
    tile = Tile(side, rng.uniform(0.3, 1.5))
    w = tile.half[0]
    for _ in range(rng.integers(1, 4)):
        base, x, r = warmth(ambient, rng), rng.uniform(-0.6, 0.6) * w, rng.uniform(0.08, 0.45) * w
        value = base
        if rng.random() < 0.4:
            tile.limb((x, 0.0), (x + w * rng.choice((-1, 1)), rng.uniform(-0.3, 0.3)), r, r, value)
        tile.limb((x, -1.0), (x, 1.0), r, r, value, value + rng.normal(0, 3))
        for _ in range(rng.integers(0, 4)):
            y = rng.uniform(-0.9, 0.9)
            thick = rng.uniform(0.03, 0.12)
            tile.box(x - 1.25 * r, y, x + 1.25 * r, y + thick, base + contrast(rng))
    x, _ = tile.grid()
    tile.add(-abs(rng.normal(0, 2.0)) * (x / w) ** 2)
    tile.soften(rng.uniform(0.01, 0.08))
    return tile


def tank(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A vessel with round ends, filled to a level."""
    tile = Tile(side, rng.uniform(0.45, 1.6))
    w, h = tile.half
    base = warmth(ambient, rng)
    dome = rng.uniform(0.1, 0.5) * h
    tile.ellipse(0, -h + dome, 0.95 * w, dome, base)
    tile.ellipse(0, h - dome, 0.95 * w, dome, base)
    tile.box(-0.95 * w, -h + dome, 0.95 * w, h - dome, base)
    x, y = tile.grid()
    level = rng.uniform(-0.6, 0.8) * h
    tile.add(contrast(rng) / (1 + np.exp(-(y - level) / rng.uniform(0.02, 0.3))))
    tile.add(-abs(rng.normal(0, 2.5)) * (x / w) ** 2 + rng.normal(0, 1) * x)
    for _ in range(rng.integers(0, 4)):  # manholes, gauges, valves
        x, y = rng.uniform(-0.6, 0.6, 2) * tile.half
        rx, ry = rng.uniform(0.04, 0.16, 2)
        tile.ellipse(x, y, rx, ry, base + contrast(rng))
    return tile


def transformer(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A case with fins, three bushings on top, a warm upper half."""
    tile = Tile(side, rng.uniform(0.8, 1.3))
    w, h = tile.half
    base = warmth(ambient, rng)
    tile.box(-0.8 * w, -0.45 * h, 0.8 * w, 0.95 * h, base)
    for i in range(3):
        x = (i - 1) * 0.45 * w
        tile.limb((x, -0.45 * h), (x, -0.92 * h), 0.09 * w, 0.05 * w, base + contrast(rng))
    count = int(rng.integers(4, 10))
    for i in range(count):
        x = -0.7 * w + 1.4 * w * i / count
        tile.box(x, -0.2 * h, x + 0.7 * w / count, 0.8 * h, base + rng.uniform(-3, 3))
    tile.add(-rng.uniform(0, 5) * tile.grid()[1])
    return tile


def mug(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A cup with its handle, hot up to its level."""
    tile = Tile(side, rng.uniform(0.8, 1.3))
    w, h = tile.half
    base = rng.uniform(28, 60) if rng.random() < 0.8 else rng.uniform(3, 15)
    right = rng.choice((-1, 1))
    cool = ambient + 0.4 * (base - ambient)
    tile.ellipse(right * 0.5 * w, 0.05, 0.42 * w, 0.45 * h, cool)
    tile.ellipse(right * 0.5 * w, 0.05, 0.27 * w, 0.30 * h, ambient)
    foot = rng.uniform(0.4, 0.62)
    tile.polygon([[-0.65 * w, -0.8 * h], [0.5 * w, -0.8 * h], [foot * w, 0.9 * h],
                  [-(foot + 0.1) * w, 0.9 * h]], base)  # fmt: skip
    tile.ellipse(-0.07 * w, -0.8 * h, 0.57 * w, 0.14 * h, base + rng.normal(0, 4))
    x, y = tile.grid()
    above = y < rng.uniform(-0.7, 0.2) * h
    tile.add(-rng.uniform(0, 8) * above - abs(rng.normal(0, 2)) * (x / w) ** 2)
    tile.soften(0.03)
    return tile


def ball(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A warm or cold oval with a gradient from its middle or its side: lamps, balls."""
    tile = Tile(side, rng.uniform(0.6, 1.4))
    w, h = tile.half
    base = warmth(ambient, rng)
    tile.ellipse(0, 0, 0.97 * w, 0.97 * h, base)
    x, y = tile.grid()
    radius = (x / w) ** 2 + (y / h) ** 2
    tile.add(contrast(rng) * radius + rng.normal(0, 1.5) * x + rng.normal(0, 1.5) * y)
    if rng.random() < 0.5:
        tile.mottle(rng.uniform(0.2, 1.5), rng.uniform(2, 9), rng)
    if rng.random() < 0.3:  # a stand
        tile.box(-0.08 * w, 0.8 * h, 0.08 * w, h, ambient)
    return tile


# Dark patches of an oval, (x, y) in its half axes: never two above one in the middle.
WRONG_PATCHES = (
    ((0.0, 0.0),), ((0.0, -0.5), (0.0, 0.1), (0.0, 0.6)), ((-0.4, 0.5), (0.4, 0.5)),
    ((-0.5, 0.0), (0.0, 0.0), (0.5, 0.0)), ((0.0, -0.5), (-0.4, 0.35), (0.4, 0.35)),
    ((-0.5, -0.5), (0.5, 0.5)), ((0.0, -0.6), (0.0, 0.6)), ((0.5, -0.4), (0.5, 0.4)),
    ((-0.5, 0.3), (-0.1, -0.5)),
)  # fmt: skip


def spotted_oval(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """As warm and as large as a head, with dark patches where a face has none."""
    tile = Tile(side, rng.uniform(0.65, 1.1))
    w, h = tile.half
    base = rng.uniform(29, 37) if rng.random() < 0.7 else warmth(ambient, rng)
    tile.ellipse(0, 0, 0.97 * w, 0.97 * h, base)
    value = base - rng.uniform(1, 8)
    for px, py in WRONG_PATCHES[rng.integers(len(WRONG_PATCHES))]:
        rx, ry = rng.uniform(0.10, 0.28, 2)
        tile.ellipse((px + rng.normal(0, 0.06)) * w, (py + rng.normal(0, 0.06)) * h, rx * w, ry * h,
                     value + rng.normal(0, 0.6), rng.uniform(0, np.pi))  # fmt: skip
    tile.soften(rng.uniform(0.02, 0.1))
    tile.mottle(rng.uniform(0.1, 0.6), rng.uniform(2, 8), rng)
    return tile


def radiator(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    tile = Tile(side, rng.uniform(1.0, 2.4))
    w, h = tile.half
    base = rng.uniform(30, 62)
    count = int(rng.integers(5, 22))
    for i in range(count):
        x = -w + 2 * w * i / count
        tile.box(x, -0.95 * h, x + 1.6 * w / count, 0.95 * h, base)
    tile.add(-rng.uniform(0, 8) * tile.grid()[1] / h)
    return tile


def screen(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A monitor, a television or a telephone: a warm smooth rectangle with hot spots."""
    tile = Tile(side, rng.choice((0.5, 1.6)) * rng.uniform(0.9, 1.2))
    w, h = tile.half
    base = ambient + rng.uniform(2, 12)
    tile.box(-w, -h, w, h, ambient + rng.uniform(0, 4))
    tile.box(-0.93 * w, -0.93 * h, 0.93 * w, 0.93 * h, base)
    x, y = tile.grid()
    spot = np.exp(-(((x - rng.normal(0, 0.4)) / 0.4) ** 2) - ((y - rng.normal(0, 0.4)) / 0.3) ** 2)
    tile.add(rng.uniform(-2, 6) * spot)
    return tile


def window(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """Panes in their frame, cold or sunlit, mirroring something smooth."""
    tile = Tile(side, rng.uniform(0.5, 1.6))
    w, h = tile.half
    frame, pane = ambient + rng.normal(0, 2), ambient + rng.normal(-3, 5)
    tile.box(-w, -h, w, h, frame)
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    for row in range(rows):
        for column in range(columns):
            x, y = -w + 2 * w * column / columns, -h + 2 * h * row / rows
            tile.box(x + 0.06 * w, y + 0.06 * h, x + 2 * w / columns - 0.06 * w,
                     y + 2 * h / rows - 0.06 * h, pane + rng.normal(0, 0.4))  # fmt: skip
    tile.mottle(rng.uniform(0.1, 1.2), rng.uniform(2, 5), rng)
    return tile


def reflection(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A warm shape mirrored in glass, metal or a polished floor: faint, without detail."""
    tile = Tile(side, rng.uniform(0.6, 1.5))
    w, h = tile.half
    base = ambient + rng.normal(0, 1.5)
    tile.box(-w, -h, w, h, base)
    x, y = tile.grid()
    head = ((x / w - rng.normal(0, 0.2)) / 0.25) ** 2 + ((y / h + 0.25) / 0.3) ** 2
    body = ((x / w) / 0.55) ** 2 + ((y / h - 0.9) / 0.7) ** 2
    tile.add(rng.uniform(0.4, 2.5) * np.maximum(np.exp(-head), np.exp(-body)))
    return tile
