"""Things of streets and fields that look a little like people."""

import numpy as np

from training.synthesis.things import contrast, warmth
from training.synthesis.tiles import Tile


def tower(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A tapered shaft with a head, bands and openings."""
    tile = Tile(side, rng.uniform(0.25, 0.7))
    w, base = tile.half[0], warmth(ambient, rng)
    foot, top = w * rng.uniform(0.4, 0.95), w * rng.uniform(0.25, 0.7)
    shoulder = rng.uniform(-0.75, -0.3)
    tile.polygon([[-foot, 1], [foot, 1], [top, shoulder], [-top, shoulder]], base)
    head, value = w * rng.uniform(0.35, 0.95), base + contrast(rng)
    if rng.random() < 0.5:
        tile.ellipse(0, shoulder, head, rng.uniform(0.12, 0.25), value)
    else:
        tile.box(-head, shoulder - rng.uniform(0.1, 0.24), head, shoulder + 0.1, value)
    for _ in range(rng.integers(0, 6)):
        y, h = rng.uniform(-0.8, 0.9), rng.uniform(0.01, 0.05)
        x, half = rng.uniform(-0.5, 0.5) * top, rng.uniform(0.1, 1.0) * top
        tile.box(x - half / 2, y, x + half / 2, y + h, base + contrast(rng))
    across, down = tile.grid()
    round_off = abs(rng.normal(0, 3)) * (across / w) ** 2
    tile.add(rng.normal(0, 2) * down + rng.normal(0, 2) * across - round_off)
    return tile


def nacelle(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A wind turbine's head: housing, hub, blades, the top of its tower."""
    tile = Tile(side)
    base = warmth(ambient, rng)
    tile.polygon([[-0.1, 0.1], [0.1, 0.1], [0.16, 1], [-0.16, 1]], base + rng.normal(0, 1.5))
    turn = rng.uniform(0, 2 * np.pi)
    for blade in range(3):
        a = turn + blade * 2 * np.pi / 3
        tile.limb((0.0, 0.0), (float(np.cos(a)), float(np.sin(a))), 0.07, 0.02, base - 2)
    rx, ry = rng.uniform(0.2, 0.55), rng.uniform(0.18, 0.32)
    tile.ellipse(0.1, 0.0, rx, ry, base + rng.uniform(0, 8))
    for _ in range(rng.integers(0, 4)):
        x, y = 0.7 * rng.uniform(-rx, rx), 0.7 * rng.uniform(-ry, ry)
        tile.ellipse(x, y, 0.07, 0.06, base + contrast(rng))
    tile.ellipse(-rx * 0.7, 0.0, 0.12, 0.14, base + contrast(rng))
    tile.soften(0.025)
    return tile


def facade(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A building with rows of windows and a gradient; some have a gable."""
    tile = Tile(side, rng.uniform(0.4, 1.8))
    w, h = tile.half
    base = ambient + rng.normal(1, 4)
    tile.box(-w, -0.6 * h, w, h, base)
    if rng.random() < 0.6:
        tile.polygon([[-w, -0.6 * h], [w, -0.6 * h], [0, -h]], base + contrast(rng))
    rows, columns = int(rng.integers(1, 6)), int(rng.integers(1, 7))
    glass, fill = base + contrast(rng), rng.uniform(0.3, 0.7)
    for row in range(rows):
        for column in range(columns):
            x = -w + 2 * w * (column + (1 - fill) / 2) / columns
            y = -0.55 * h + 1.5 * h * (row + (1 - fill) / 2) / rows
            value = glass + rng.normal(0, 0.7) + (rng.uniform(1, 6) if rng.random() < 0.1 else 0)
            tile.box(x, y, x + 2 * w * fill / columns, y + 1.5 * h * fill / rows, value)
    tile.add(rng.normal(0, 2.5) * tile.grid()[1])
    return tile


def car(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """From the front or the side: warm bonnet, wheels and lamps, windows that mirror the sky."""
    body = ambient + rng.uniform(-3, 10)
    sky = ambient - rng.uniform(3, 25)
    engine = body + rng.uniform(0, 18)
    if rng.random() < 0.5:
        return _car_front(side, body, sky, engine, rng)
    tile = Tile(side, 2.3)
    tile.polygon([[-0.97, 0.2], [-0.95, -0.02], [-0.5, -0.1], [-0.25, -0.36], [0.4, -0.38],
                  [0.75, -0.08], [0.97, 0.0], [0.97, 0.24]], body)  # fmt: skip
    tile.polygon([[-0.97, 0.18], [-0.95, -0.02], [-0.5, -0.1], [-0.45, 0.18]], engine)
    tile.polygon([[-0.4, -0.1], [-0.2, -0.31], [0.05, -0.32], [0.05, -0.1]], sky)
    tile.polygon([[0.1, -0.1], [0.1, -0.32], [0.36, -0.33], [0.6, -0.1]], sky + rng.normal(0, 1))
    for x in (-0.62, 0.62):
        tile.ellipse(x, 0.24, 0.17, 0.17, ambient + rng.uniform(2, 14))
        tile.ellipse(x, 0.24, 0.09, 0.09, ambient + rng.uniform(0, 25))
    tile.soften(0.012)
    return tile


def _car_front(side: int, body: float, sky: float, engine: float, rng: np.random.Generator) -> Tile:
    tile = Tile(side, rng.uniform(1.1, 1.4))
    w, h = tile.half
    right = np.array([[0.5, -0.9], [0.65, -0.2], [0.95, 0.0], [0.95, 0.75]])
    outline = np.concatenate([right, right[::-1] * [-1, 1]])
    tile.polygon(outline * tile.half, body)
    tile.polygon([[-0.56 * w, -0.2 * h], [-0.44 * w, -0.8 * h], [0.44 * w, -0.8 * h],
                  [0.56 * w, -0.2 * h]], sky)  # fmt: skip
    tile.polygon([[-0.6 * w, -0.15 * h], [0.6 * w, -0.15 * h], [0.85 * w, 0.15 * h],
                  [-0.85 * w, 0.15 * h]], engine)  # fmt: skip
    tile.box(-0.4 * w, 0.22 * h, 0.4 * w, 0.45 * h, engine + rng.uniform(-4, 10))
    for x in (-0.68, 0.68):
        tile.ellipse(x * w, 0.25 * h, 0.17 * w, 0.09 * h, body + rng.uniform(-2, 12))
        tile.box((x - 0.13) * w, 0.7 * h, (x + 0.13) * w, h, body + rng.uniform(-2, 10))
    tile.soften(0.02)
    return tile


def tree(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    tile = Tile(side, rng.uniform(0.5, 1.1))
    w, h = tile.half
    base = ambient + rng.normal(0, 2.5)
    tile.limb((0.0, h), (0.0, -0.2 * h), 0.12 * w, 0.05 * w, base + rng.uniform(-1, 3))
    tile.ellipse(0, -0.35 * h, 0.6 * w, 0.45 * h, base)
    for _ in range(rng.integers(5, 12)):  # boughs round the crown
        a = rng.uniform(0, 2 * np.pi)
        x, y = 0.55 * w * np.cos(a), (-0.35 + 0.38 * np.sin(a)) * h
        rx, ry = rng.uniform(0.15, 0.35, 2) * tile.half
        tile.ellipse(x, y, rx, ry, base + rng.normal(0, 0.5))
    tile.mottle(rng.uniform(0.3, 1.8), rng.uniform(8, 25), rng)
    return tile
