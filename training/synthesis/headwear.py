"""Caps, hoods, headscarves, masks and glasses."""

import numpy as np

from service.entities import FloatArray
from training.synthesis.config.knobs import pick
from training.synthesis.config.person import WornConfig
from training.synthesis.dressing import (
    HEADWEAR,
    LENS,
    MASK,
    RIM,
    TEMPERATURE,
    Wearer,
    azimuth,
    draw_sheet,
    draw_shell,
    material,
    stuck,
)
from training.synthesis.fields import smoothstep
from training.synthesis.rasterizer import Canvas


def add_headwear(
    canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: WornConfig
) -> bool:
    """Returns whether there is any."""
    kind = pick(config.headwear, rng)
    if kind == "none":
        return False
    head = wearer.head
    skin = head.of_region("face", "head_neck")
    inside: FloatArray
    on_brow = kind in ("cap", "beanie", "headband")
    band = rng.uniform(2.0, 5.0) if kind == "headband" else np.inf  # cm high
    if on_brow:
        brim = rng.uniform(*config.brim_cm)
        inside = np.minimum(_above_brim(head.neutral, brim), band + brim - head.neutral[:, 1])
        thick = rng.uniform(0.7, 2.0)
    else:
        opening = rng.uniform(50, 68) if kind == "headscarf" else rng.uniform(62, 85)
        inside = (_from_face(head.neutral) - opening) / 8.0
        thick = rng.uniform(0.6, 1.4) if kind == "headscarf" else rng.uniform(1.5, 3.2)
    grown = np.where(skin, 0.1 + thick * smoothstep(-0.5, 1.5, inside), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), HEADWEAR)
    canonical = cover.values[..., :3]
    if on_brow:
        where = (_above_brim(canonical, brim) > 0) & (canonical[..., 1] < brim + band)
    else:
        where = _from_face(canonical) > opening
    field = material(wearer, rng.uniform(*config.headwear_share), rng, rng.uniform(0.3, 1.2))
    cover.values[..., TEMPERATURE] = stuck(wearer, field, canonical)
    canvas.merge(cover, drawn & where)
    if kind == "cap" and rng.random() < config.visor_chance:
        _add_visor(canvas, wearer, brim, rng, config)
    return True


def _above_brim(canonical: FloatArray, brim: float) -> FloatArray:
    """Height in cm above a cap's lower edge, which is at `brim` in front and lower behind."""
    edge = np.interp(azimuth(canonical), [0, 60, 100, 180], [brim, brim - 1, 4.5, 2.5])
    return np.asarray(canonical[..., 1] - edge)


def _from_face(canonical: FloatArray) -> FloatArray:
    """Angle in degrees from straight ahead (a little down), seen from the head's origin."""
    axis = np.array([0.0, -0.05, 1.0], np.float32)
    cosine = (canonical @ axis) / np.maximum(np.linalg.norm(canonical, axis=-1), 1e-6)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))), np.float32)


def _add_visor(
    canvas: Canvas, wearer: Wearer, brim: float, rng: np.random.Generator, config: WornConfig
) -> None:
    angles = np.deg2rad(np.linspace(-62, 62, 17))
    if rng.random() < config.backwards_chance:
        angles = angles + np.pi  # worn backwards
    reach = np.linspace(0.0, rng.uniform(4.5, 7.5), 6)[:, None]
    bulge = np.cos(angles - angles.mean())[None] ** 0.5
    radius = 9.4 + reach * bulge
    drop = -np.tan(np.deg2rad(rng.uniform(-5, 35))) * reach
    points = np.stack(
        [np.sin(angles)[None] * radius * 0.85, brim + drop + np.zeros_like(radius),
         np.cos(angles)[None] * radius],
        axis=2,
    )  # fmt: skip
    draw_sheet(canvas, wearer, points, material(wearer, rng.uniform(0, 0.5), rng, 0.5), HEADWEAR)


def add_mask(canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: WornConfig) -> bool:
    """A face mask or a scarf over mouth and nose, warmed by breath; whether there is one."""
    if rng.random() > config.mask_chance:
        return False
    high, low = rng.uniform(0.8, 2.4), rng.uniform(-1.6, -1.0)
    top = high if rng.random() < 1 - config.low_mask_chance else low
    scarf = rng.random() < config.mask_scarf_chance
    bottom, side = (-19.0, 180.0) if scarf else (rng.uniform(-9.5, -8.0), rng.uniform(55, 78))
    head = wearer.head
    skin = head.of_region("face", "head_neck")
    y, around = head.neutral[:, 1], azimuth(head.neutral)
    inside = np.minimum.reduce([top + 0.5 - y, y - bottom + 0.5, (side + 5 - around) / 10])
    thick = rng.uniform(0.8, 2.0) if scarf else rng.uniform(0.3, 1.0)
    grown = np.where(skin, 0.05 + thick * smoothstep(-0.3, 1.5, inside), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), MASK)
    canonical = cover.values[..., :3]
    edge = top - 0.25 * np.abs(canonical[..., 0]) ** 1.2 * (not scarf)
    where = (canonical[..., 1] < edge) & (canonical[..., 1] > bottom)
    where &= azimuth(canonical) < side
    field = stuck(wearer, material(wearer, rng.uniform(*config.mask_share), rng, 0.6), canonical)
    breath = np.exp(-((canonical[..., 0] / 2.5) ** 2 + ((canonical[..., 1] + 2) / 2.0) ** 2))
    cover.values[..., TEMPERATURE] = field + breath * rng.normal(0, config.breath_k)
    canvas.merge(cover, drawn & where)
    return True


def _mirror_room(canvas: Canvas, rng: np.random.Generator, config: WornConfig) -> None:
    """Add to both lenses what they show of the room: small, for they are curved."""
    room = np.zeros((64, 64), np.float32)
    for _ in range(rng.poisson(config.mirrored_things)):
        high, wide = rng.integers(6, 28, 2)
        top, left = rng.integers(0, 60, 2)
        room[top : top + high, left : left + wide] += rng.uniform(*config.mirrored_k)
    lenses = canvas.owner == LENS
    places = (canvas.values[lenses][:, :2] * 0.5 + 0.5) * (len(room) - 1)
    columns, rows = np.clip(places, 0, len(room) - 1).astype(int).T
    shown = np.float32(rng.uniform(*config.mirror_share)) * room[rows, columns]
    canvas.values[lenses, TEMPERATURE] += shown


def add_glasses(
    canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: WornConfig
) -> bool:
    """Opaque in the long-wave infrared, clear or dark: about ambient, mirroring the room.

    Returns whether any are worn.
    """
    if rng.random() > config.glasses_chance:
        return False
    eyes = [
        wearer.shaped[wearer.head.landmarks[first : first + 6]].mean(axis=0) for first in (36, 42)
    ]
    raised = rng.uniform(3.5, 6.0) if rng.random() < config.raised_chance else 0.0
    half_width, half_height = (
        rng.uniform(*ends) for ends in (config.lens_width_cm, config.lens_height_cm)
    )
    power, wrap = rng.uniform(2.0, 5.0), rng.uniform(0.02, 0.07)
    slide = rng.uniform(-0.8, 0.4)
    grid = np.linspace(-1, 1, 13)
    u, v = np.meshgrid(grid, grid[::2])
    share = rng.uniform(*config.glasses_share)
    field = material(wearer, share, rng, 0.4)
    field += rng.normal(0, 1.0) * np.linspace(-1, 1, field.shape[0], dtype=np.float32)[:, None]
    for eye, outward in zip(eyes, (-1.0, 1.0), strict=True):
        # A superellipse: the grid's square rim pulled onto |u|^p + |v|^p = 1.
        norm = np.maximum((np.abs(u) ** power + np.abs(v) ** power) ** (1 / power), 1e-6)
        pull = np.maximum(np.abs(u), np.abs(v)) / norm
        x = eye[0] + outward * 0.25 + u * pull * half_width
        y = eye[1] + slide + raised + v * pull * half_height
        z = eye[2] + 1.7 - wrap * (x**2 - eye[0] ** 2) - 0.05 * raised
        within = np.stack([u, v, np.zeros_like(u)], axis=2)  # -1 to 1, the rim at the ends
        draw_sheet(canvas, wearer, np.stack([x, y, z], axis=2), field, LENS, within)
        # The arm, from the lens to above the ear.
        reach = np.linspace(0, 1, 8)[None]
        width = np.array([[-0.5], [0.5]]) * rng.uniform(0.25, 0.9)
        start_x = eye[0] + outward * (0.25 + half_width * 0.95)
        arm_x = start_x + (outward * 8.0 - start_x) * np.minimum(reach * 3, 1.0) + 0 * width
        start_z = float(z[:, -1 if outward > 0 else 0].mean())
        arm_z = start_z + (0.5 - start_z) * reach + 0 * width
        arm_y = eye[1] + slide + raised + 0.5 + width + 0 * reach
        draw_sheet(canvas, wearer, np.stack([arm_x, arm_y, arm_z], axis=2), field, RIM)
    _mirror_room(canvas, rng, config)
    bridge_x = np.linspace(eyes[0][0], eyes[1][0], 8)[None] + np.zeros((2, 1))
    bridge_y = eyes[0][1] + slide + raised + 0.6 + np.array([[-0.2], [0.2]]) + 0 * bridge_x
    bridge_z = max(eyes[0][2], eyes[1][2]) + 1.9 + 0 * bridge_x
    draw_sheet(canvas, wearer, np.stack([bridge_x, bridge_y, bridge_z], axis=2), field, RIM)
    return True
