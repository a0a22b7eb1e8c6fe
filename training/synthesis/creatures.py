"""Warm living things without a face: hands, arms, legs, bare torsos; and animals."""

import numpy as np

from training.synthesis.tiles import Tile


def _skin(rng: np.random.Generator) -> float:
    return float(rng.uniform(27, 36))


def draw_hand(
    tile: Tile, warm: float, tips: float, rng: np.random.Generator, fist: float = 0.0
) -> None:
    """Palm, four fingers of three bones and a thumb, pointing up, the wrist at the bottom.

    warm, tips: Celsius of palm and fingertips; fist: 0 (stretched) to 1 (bent).
    """
    w, h = tile.half
    tile.limb((0.0, h), (0.0, 0.55 * h), 0.30 * w, 0.34 * w, warm)
    palm = [[-0.36, 0.62], [0.36, 0.62], [0.48, 0.12], [0.44, -0.08], [-0.44, -0.05], [-0.46, 0.15]]
    tile.polygon(np.array(palm) * tile.half, warm)
    spread = rng.uniform(0.0, 0.35)
    lengths = np.array([0.62, 0.78, 0.84, 0.74]) * (1 - 0.72 * fist) * h
    for finger in range(4):
        x = (finger - 1.5) * 0.23 * w
        lean = (finger - 1.5) * spread * w + rng.normal(0, 0.03)
        end = (x + lean, -0.05 * h - lengths[finger])
        tile.limb((x, 0.05 * h), end, 0.115 * w, 0.085 * w, warm, tips)
        if spread < 0.12:  # closed fingers show as a line where they touch
            tile.limb((x - 0.115 * w, 0.0), (x - 0.115 * w + lean, end[1] + 0.1 * h),
                      0.012, 0.008, warm - rng.uniform(-0.8, 0.8))  # fmt: skip
    thumb = (-0.75 * w, -0.1 * h) if rng.random() < 0.7 else (-0.25 * w, 0.0)
    tile.limb((-0.3 * w, 0.4 * h), thumb, 0.15 * w, 0.10 * w, warm, tips)


def hand(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """The back or the palm of a hand, open to clenched."""
    tile = Tile(side, rng.uniform(0.65, 0.85))
    warm = _skin(rng)
    fist = rng.random() if rng.random() < 0.5 else 0.0
    draw_hand(tile, warm, warm - rng.uniform(-0.5, 5), rng, fist)
    tile.soften(0.02)
    tile.mottle(rng.uniform(0.1, 0.7), rng.uniform(3, 9), rng)
    return tile


def arm(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A forearm with a sleeve's end and perhaps a watch."""
    tile = Tile(side, rng.uniform(0.35, 0.7))
    w, h = tile.half
    warm = _skin(rng)
    thick = rng.uniform(0.35, 0.6) * w
    bend = rng.normal(0, 0.25) * w
    wrist = warm - rng.uniform(-1, 2)
    tile.limb((0.0, 0.9 * h), (bend, -0.35 * h), thick, 0.62 * thick, warm, wrist)
    tile.ellipse(bend, -0.62 * h, 0.72 * thick, 0.28 * h, warm - rng.uniform(0, 3))
    if rng.random() < 0.6:
        tile.limb((0.0, h), (0.05 * bend, rng.uniform(0.2, 0.7) * h), 1.15 * thick, 1.1 * thick,
                  ambient + rng.uniform(0.2, 0.8) * (warm - ambient))  # fmt: skip
    if rng.random() < 0.25:
        tile.box(bend - 0.75 * thick, -0.32 * h, bend + 0.75 * thick, -0.22 * h, ambient + 2)
    tile.soften(0.02)
    tile.mottle(rng.uniform(0.1, 0.8), rng.uniform(3, 8), rng)
    return tile


def legs(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """Bare or trousered legs and feet, standing or walking."""
    tile = Tile(side, rng.uniform(0.4, 0.8))
    w, h = tile.half
    warm = _skin(rng)
    bare = rng.random() < 0.5
    value = warm if bare else ambient + rng.uniform(0.2, 0.8) * (warm - ambient)
    stride = rng.uniform(0.0, 0.45) * w
    for sign in (-1, 1):
        hip, knee = (sign * 0.22 * w, -0.9 * h), (sign * (0.22 * w + 0.5 * stride), 0.0)
        foot = (sign * (0.22 * w + stride), 0.9 * h)
        tile.limb(hip, knee, 0.24 * w, 0.17 * w, value, value - rng.uniform(-0.5, 1.0))
        tile.limb(knee, foot, 0.17 * w, 0.10 * w, value, value - rng.uniform(0, 1.5))
        tile.limb(foot, (foot[0] + rng.normal(0, 0.15) * w, 0.95 * h), 0.09 * w, 0.08 * w,
                  ambient + rng.uniform(0, 6))  # fmt: skip
    tile.limb((-0.2 * w, -0.85 * h), (0.2 * w, -0.85 * h), 0.25 * w, 0.25 * w,
              ambient + rng.uniform(0.1, 0.7) * (warm - ambient))  # fmt: skip
    tile.mottle(rng.uniform(0.1, 1.0), rng.uniform(3, 10), rng)
    return tile


def torso(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A chest or a back up to the neck, bare or in a shirt; the head is out of the picture."""
    tile = Tile(side, rng.uniform(0.8, 1.2))
    w, h = tile.half
    warm = _skin(rng)
    bare = rng.random() < 0.5
    value = warm if bare else ambient + rng.uniform(0.3, 0.9) * (warm - ambient)
    tile.polygon([[-0.85 * w, -0.55 * h], [-0.25 * w, -0.75 * h], [0.25 * w, -0.75 * h],
                  [0.85 * w, -0.55 * h], [0.6 * w, h], [-0.6 * w, h]], value)  # fmt: skip
    tile.box(-0.2 * w, -h, 0.2 * w, -0.6 * h, warm)
    for sign in (-1, 1):
        tile.limb((sign * 0.75 * w, -0.45 * h), (sign * 0.85 * w, 0.9 * h), 0.16 * w, 0.13 * w,
                  value - rng.uniform(-1, 1.5))  # fmt: skip
    if bare:
        for sign in (-1, 1):
            tile.ellipse(
                sign * 0.3 * w, -0.15 * h, 0.07 * w, 0.06 * h, warm + rng.uniform(-1.5, 0.8)
            )
        tile.ellipse(0, 0.55 * h, 0.05 * w, 0.05 * h, warm + rng.uniform(0, 1.5))
    tile.soften(0.03)
    tile.mottle(rng.uniform(0.2, 1.2), rng.uniform(3, 10), rng)
    return tile


def animal(side: int, ambient: float, rng: np.random.Generator) -> Tile:
    """A bird or a four-legged one from the side, its coat between air and skin, bare parts warm."""
    coat = ambient + rng.uniform(0.1, 0.75) * (37 - ambient)
    bare = ambient + rng.uniform(0.5, 0.95) * (38 - ambient)
    tile = _bird(side, coat, bare, rng) if rng.random() < 0.4 else _quadruped(side, coat, bare, rng)
    tile.soften(0.015)
    tile.mottle(rng.uniform(0.2, 1.5), rng.uniform(5, 15), rng)
    if rng.random() < 0.5:
        tile.mirror()
    return tile


def _bird(side: int, coat: float, bare: float, rng: np.random.Generator) -> Tile:
    tile = Tile(side, rng.uniform(1.1, 1.5))
    w, h = tile.half
    for x in (-0.1, 0.15):
        tile.limb((x * w, 0.3 * h), ((x + 0.03) * w, 0.95 * h), 0.03, 0.03, bare)
    tile.ellipse(0.0, 0.15 * h, 0.62 * w, 0.42 * h, coat, rng.normal(0, 0.15))
    tile.polygon([[0.45 * w, 0.0], [0.95 * w, -0.12 * h], [0.6 * w, 0.3 * h]], coat - 1)
    neck = rng.uniform(0.3, 0.75) * h
    tile.limb((-0.42 * w, 0.05 * h), (-0.6 * w, -neck), 0.14 * w, 0.10 * w, coat)
    tile.ellipse(-0.63 * w, -neck, 0.17 * w, 0.18 * h, coat + rng.uniform(0, 4))
    tile.polygon([[-0.75 * w, -neck - 0.06], [-0.98 * w, -neck + 0.04], [-0.75 * w, -neck + 0.08]],
                 coat + rng.uniform(-3, 4))  # fmt: skip
    tile.ellipse(-0.66 * w, -neck - 0.02, 0.035, 0.035, bare)
    return tile


def _quadruped(side: int, coat: float, bare: float, rng: np.random.Generator) -> Tile:
    tile = Tile(side, rng.uniform(1.2, 1.6))
    w, h = tile.half
    for x in (-0.45, -0.32, 0.38, 0.52):
        tile.limb((x * w, 0.1 * h), ((x + rng.normal(0, 0.06)) * w, 0.93 * h), 0.07, 0.05,
                  coat, coat - rng.uniform(0, 4))  # fmt: skip
    tile.limb((-0.38 * w, -0.05 * h), (0.45 * w, -0.02 * h), 0.30 * h, 0.26 * h, coat)
    tile.limb((0.6 * w, -0.1 * h), (0.95 * w, rng.uniform(-0.7, 0.2) * h), 0.05, 0.025, coat)
    hy = rng.uniform(-0.65, -0.2) * h
    tile.limb((-0.45 * w, -0.1 * h), (-0.65 * w, hy), 0.18 * h, 0.16 * h, coat)
    tile.ellipse(-0.68 * w, hy, 0.17 * w, 0.22 * h, coat + rng.uniform(0, 3))
    tile.limb((-0.72 * w, hy + 0.05), (-0.92 * w, hy + 0.12), 0.09 * h, 0.06 * h, coat, bare - 6)
    for ear in (-0.60, -0.74):
        tip = [ear * w, hy - rng.uniform(0.2, 0.35)]
        root = [[ear * w - 0.05, hy - 0.12], [ear * w + 0.05, hy - 0.12]]
        tile.polygon([*root, tip], bare - rng.uniform(0, 6))
    tile.ellipse(-0.73 * w, hy - 0.04, 0.025, 0.025, bare)
    return tile
