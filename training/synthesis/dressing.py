"""What sits on a head: hair, beards, caps, hoods, masks, scarves and glasses.

Thermal pictures have no shading, so only silhouettes need geometry: hair and cloth are shells
(vertices pushed out along their normals) cut by per-pixel masks in canonical head coordinates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.fields import image_noise, smoothstep
from training.synthesis.head import HeadModel
from training.synthesis.pose import PosedHead
from training.synthesis.rasterizer import Canvas

CHANNELS = 5  # canonical x, y, z (cm); temperature (C); cosine of the viewing angle
TEMPERATURE = 3
SKIN, CLOTH, HAIR, GLASSES = 0, 1, 2, 3  # owners on the canvas
HEAD_AXIS = np.array([0.0, 3.0, 0.0], np.float32)  # cm; a point inside the skull


@dataclass(frozen=True)
class Wearer:
    """What dressing needs of one person. temperatures in degrees Celsius."""

    head: HeadModel
    shaped: FloatArray  # [V, 3] vertices of this person before turning
    posed: PosedHead
    ambient: float
    skin: float  # mean skin temperature


def azimuth(canonical: FloatArray) -> FloatArray:
    """Degrees around the head's vertical axis from canonical [..., 3]: 0 in front, 180 behind."""
    angle = np.abs(np.rad2deg(np.arctan2(canonical[..., 0], canonical[..., 2] - 0.5)))
    return np.asarray(angle, np.float32)


def draw_shell(
    wearer: Wearer, thickness: FloatArray, owner: int
) -> tuple[Canvas, NDArray[np.bool_]]:
    """Rasterise the head pushed outward by `thickness` [V] cm; returns the canvas and its cover."""
    posed, head = wearer.posed, wearer.head
    cover = Canvas(*wearer.posed.size, CHANNELS)
    pushed = posed.project(posed.camera + posed.normals * thickness[:, None])
    triangles = head.triangles[(thickness[head.triangles] > 0.02).all(axis=1)]
    attributes = np.column_stack([head.neutral, np.zeros(len(pushed)), posed.cosine])
    cover.draw(pushed, triangles, attributes.astype(np.float32), owner)
    return cover, cover.owner >= 0


def _between(wearer: Wearer, share: float, rng: np.random.Generator, spread: float) -> FloatArray:
    """A material's temperature field [H, W]: `share` of the way from ambient to skin, textured."""
    height, width = wearer.posed.size
    base = wearer.ambient + share * (wearer.skin - wearer.ambient)
    scale = spread * max(abs(wearer.skin - wearer.ambient), 2.0) / 10.0
    texture = 0.7 * image_noise(height, width, rng.uniform(5, 14), rng)
    texture += 0.5 * image_noise(height, width, rng.uniform(25, 70), rng)
    return np.asarray(base + scale * texture, np.float32)


# --- hair -----------------------------------------------------------------------------------------

# Height of the hairline (cm) at azimuths 0, 35, 60, 78, 100, 140, 180 degrees.
HAIRLINES: dict[str, tuple[float, ...]] = {
    "short": (9.8, 9.2, 6.5, 1.5, 0.0, -5.0, -6.0),
    "receding": (12.6, 11.5, 9.0, 3.0, 0.5, -4.5, -5.5),
    "crown_bald": (20.0, 20.0, 20.0, 3.5, 1.0, -4.5, -5.5),
    "fringe": (6.2, 6.4, 5.5, 0.5, -3.0, -6.0, -7.0),
    "parted": (9.5, 7.0, 4.0, -2.0, -5.0, -8.0, -9.0),
    "long": (9.3, 8.3, 5.0, -4.0, -13.0, -16.0, -17.0),
    "long_fringe": (6.0, 6.0, 3.5, -5.0, -13.0, -16.0, -17.0),
}
HAIR_CHANCES = (0.34, 0.10, 0.06, 0.13, 0.10, 0.12, 0.05)  # the rest are bald or shaven
_AZIMUTHS = (0.0, 35.0, 60.0, 78.0, 100.0, 140.0, 180.0)


def add_hair(canvas: Canvas, wearer: Wearer, rng: np.random.Generator) -> None:
    style = rng.choice([*HAIRLINES, "none"], p=[*HAIR_CHANCES, 1 - sum(HAIR_CHANCES)])
    if style == "none":
        return
    head = wearer.head
    line = np.array(HAIRLINES[style]) + rng.normal(0, 0.5)
    long = style in ("parted", "long", "long_fringe")
    skin = head.of_region("face", "head_neck")
    height = head.neutral[:, 1] - np.interp(azimuth(head.neutral), _AZIMUTHS, line)
    thickness = rng.uniform(0.6, 2.4) if long else np.exp(rng.uniform(np.log(0.15), np.log(1.6)))
    if style in ("fringe", "long_fringe"):
        thickness = max(thickness, 0.5)
    grown = np.where(skin, 0.05 + thickness * smoothstep(-1.0, 2.5, height), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), HAIR)
    canonical = cover.values[..., :3]
    size = wearer.posed.size
    strands = rng.uniform(0.3, 1.0) * image_noise(*size, rng.uniform(10, 40), rng)
    above = canonical[..., 1] - np.interp(azimuth(canonical), _AZIMUTHS, line) + strands
    if not long:  # ears stay free
        above[(np.abs(canonical[..., 0]) > 7.5) & (canonical[..., 1] < 5.0)] = -1.0
    share = rng.uniform(0.25, 0.85)
    field = _between(wearer, share, rng, rng.uniform(0.4, 1.4))
    # Thin hair at the hairline lets the warm skin through.
    thin = 1 - smoothstep(0.0, rng.uniform(0.3, 2.5), above)
    field = field + thin * rng.uniform(0.1, 0.7) * (wearer.skin - field)
    cover.values[..., TEMPERATURE] = field
    canvas.merge(cover, drawn & (above > 0))
    if style in ("long", "long_fringe"):
        _add_curtain(canvas, wearer, share, rng)
    if rng.random() < 0.06:
        _add_bun(canvas, wearer, share, rng)


def _add_curtain(canvas: Canvas, wearer: Wearer, share: float, rng: np.random.Generator) -> None:
    """Long hair hanging beside and behind the face: an elliptical cylinder open in front."""
    front = rng.uniform(48, 85)
    angles = np.deg2rad(np.linspace(front, 360 - front, 40))
    heights = np.linspace(9.0, rng.uniform(-22, -9), 16)
    ragged = rng.normal(0, 0.35, (len(heights), len(angles)))
    radius_x, radius_z = rng.uniform(8.4, 9.6), rng.uniform(9.0, 10.0)
    x = np.sin(angles)[None] * radius_x + ragged
    z = np.cos(angles)[None] * radius_z - 0.5 + ragged
    taper = np.interp(heights, [-20, 2, 9], [1.05, 1.0, 0.72])[:, None]
    points = np.stack([x * taper, np.broadcast_to(heights[:, None], x.shape), z * taper], axis=2)
    _draw_sheet(canvas, wearer, points, _between(wearer, share, rng, 1.0), HAIR)


def _add_bun(canvas: Canvas, wearer: Wearer, share: float, rng: np.random.Generator) -> None:
    centre = np.array([rng.normal(0, 1), rng.uniform(13.5, 16.0), rng.uniform(-6, 2)])
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 16), np.linspace(-np.pi / 2, np.pi / 2, 10))
    ball = np.stack([np.cos(u) * np.cos(v), np.sin(v), np.sin(u) * np.cos(v)], axis=2)
    points = centre + ball * rng.uniform(1.8, 3.2)
    _draw_sheet(canvas, wearer, points, _between(wearer, share, rng, 1.0), HAIR)


def _draw_sheet(
    canvas: Canvas, wearer: Wearer, points: FloatArray, field: FloatArray, owner: int
) -> None:
    """Draw a grid of points [R, C, 3], given in head coordinates, with a temperature field."""
    rows, columns = points.shape[:2]
    flat = points.reshape(-1, 3).astype(np.float32) @ wearer.posed.rotation.T
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    triangles = np.concatenate(
        [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    )
    sheet = Canvas(*wearer.posed.size, CHANNELS)
    attributes = np.full((len(flat), CHANNELS), 99.0, np.float32)
    sheet.draw(wearer.posed.project(flat), triangles.astype(np.int32), attributes, owner)
    sheet.values[..., TEMPERATURE] = field
    canvas.merge(sheet, sheet.owner >= 0)


# --- beards ---------------------------------------------------------------------------------------


def add_beard(canvas: Canvas, wearer: Wearer, rng: np.random.Generator) -> None:
    """Full beard, goatee, moustache or stubble: cooler skin and hair, in place (no geometry)."""
    kind = rng.choice(
        ["none", "full", "goatee", "moustache", "stubble"], p=[0.66, 0.12, 0.09, 0.06, 0.07]
    )
    if kind == "none":
        return
    x, y = np.abs(canvas.values[..., 0]), canvas.values[..., 1]
    noise = 0.4 * image_noise(*wearer.posed.size, rng.uniform(15, 50), rng)
    lips = (x / 2.6) ** 2 + ((y + 3.5) / rng.uniform(0.7, 1.1)) ** 2 - 1.0
    moustache = np.minimum.reduce([y + 2.9, -1.25 - y, rng.uniform(2.4, 3.6) - x])
    if kind in ("full", "stubble"):
        cheek = np.interp(x, [0, 3.0, 7.0], [-1.6, -2.2 + rng.normal(0, 0.8), rng.uniform(0, 4)])
        cover = np.minimum(cheek - y, y + rng.uniform(9.0, 12.0))
    elif kind == "goatee":
        cover = np.minimum(rng.uniform(2.0, 3.4) - x, np.minimum(-1.6 - y, y + 9.0))
        cover = np.where((y > -2.9) & (rng.random() < 0.5), -1.0, cover)
    else:
        cover = moustache
    if kind in ("full", "goatee") and rng.random() < 0.7:
        cover = np.maximum(cover, moustache)
    cover = np.minimum(cover + noise, lips * 1.5)
    cover = np.minimum(cover, (78.0 - azimuth(canvas.values[..., :3])) / 8.0)
    amount = smoothstep(0.0, rng.uniform(0.3, 2.0), np.asarray(cover, np.float32))
    amount *= (canvas.owner == SKIN) & (canvas.values[..., 2] > 0)
    drop = rng.uniform(0.1, 0.35) if kind == "stubble" else rng.uniform(0.25, 0.75)
    temperature = canvas.values[..., TEMPERATURE]
    cool = wearer.ambient + (1 - drop) * (temperature - wearer.ambient) + 0.3 * noise
    canvas.values[..., TEMPERATURE] = temperature + amount * (cool - temperature)


# --- hats, hoods, masks ---------------------------------------------------------------------------


def add_headwear(canvas: Canvas, wearer: Wearer, rng: np.random.Generator) -> None:
    kind = rng.choice(
        ["none", "cap", "beanie", "hood", "headscarf"], p=[0.72, 0.11, 0.06, 0.06, 0.05]
    )
    if kind == "none":
        return
    head = wearer.head
    skin = head.of_region("face", "head_neck")
    inside: FloatArray
    if kind in ("cap", "beanie"):
        brim = rng.uniform(5.8, 9.0)
        line = np.interp(azimuth(head.neutral), [0, 60, 100, 180], [brim, brim - 1, 4.5, 2.5])
        inside = head.neutral[:, 1] - line
        thick = rng.uniform(0.7, 2.0)
    else:
        opening = rng.uniform(50, 68) if kind == "headscarf" else rng.uniform(62, 85)
        inside = (_from_face(head.neutral) - opening) / 8.0
        thick = rng.uniform(0.6, 1.4) if kind == "headscarf" else rng.uniform(1.5, 3.2)
    grown = np.where(skin, 0.1 + thick * smoothstep(-0.5, 1.5, inside), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), CLOTH)
    canonical = cover.values[..., :3]
    if kind in ("cap", "beanie"):
        line = np.interp(azimuth(canonical), [0, 60, 100, 180], [brim, brim - 1, 4.5, 2.5])
        where = canonical[..., 1] > line
    else:
        where = _from_face(canonical) > opening
    field = _between(wearer, rng.uniform(0.05, 0.65), rng, rng.uniform(0.3, 1.2))
    cover.values[..., TEMPERATURE] = field
    canvas.merge(cover, drawn & where)
    if kind == "cap" and rng.random() < 0.85:
        _add_visor(canvas, wearer, brim, rng)


def _from_face(canonical: FloatArray) -> FloatArray:
    """Angle in degrees from the face's axis (through the nose bridge) about the skull's middle."""
    offset = canonical - np.array([0.0, 0.0, 0.0], np.float32)
    axis = np.array([0.0, -0.05, 1.0], np.float32)
    cosine = (offset @ axis) / np.maximum(np.linalg.norm(offset, axis=-1), 1e-6)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))), np.float32)


def _add_visor(canvas: Canvas, wearer: Wearer, brim: float, rng: np.random.Generator) -> None:
    angles = np.deg2rad(np.linspace(-62, 62, 17))
    if rng.random() < 0.08:
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
    _draw_sheet(canvas, wearer, points, _between(wearer, rng.uniform(0, 0.5), rng, 0.5), CLOTH)


def add_mask(canvas: Canvas, wearer: Wearer, rng: np.random.Generator) -> None:
    """A face mask or a scarf over mouth and nose, warmed and cooled by breath."""
    if rng.random() > 0.09:
        return
    top = rng.choice([rng.uniform(0.8, 2.4), rng.uniform(-1.6, -1.0)], p=[0.8, 0.2])
    scarf = rng.random() < 0.3
    bottom, side = (-19.0, 180.0) if scarf else (rng.uniform(-9.5, -8.0), rng.uniform(55, 78))
    head = wearer.head
    skin = head.of_region("face", "head_neck")
    y, around = head.neutral[:, 1], azimuth(head.neutral)
    inside = np.minimum.reduce([top + 0.5 - y, y - bottom + 0.5, (side + 5 - around) / 10])
    thick = rng.uniform(0.8, 2.0) if scarf else rng.uniform(0.3, 1.0)
    grown = np.where(skin, 0.05 + thick * smoothstep(-0.3, 1.5, inside), 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), CLOTH)
    canonical = cover.values[..., :3]
    edge = top - 0.25 * np.abs(canonical[..., 0]) ** 1.2 * (not scarf)
    where = (canonical[..., 1] < edge) & (canonical[..., 1] > bottom)
    where &= azimuth(canonical) < side
    field = _between(wearer, rng.uniform(0.2, 0.9), rng, 0.6)
    breath = np.exp(-((canonical[..., 0] / 2.5) ** 2 + ((canonical[..., 1] + 2) / 2.0) ** 2))
    cover.values[..., TEMPERATURE] = field + breath * rng.normal(0, 1.5)
    canvas.merge(cover, drawn & where)


# --- glasses --------------------------------------------------------------------------------------


def add_glasses(canvas: Canvas, wearer: Wearer, rng: np.random.Generator) -> None:
    """Opaque in the long-wave infrared, clear or dark: about ambient, mirroring the room."""
    if rng.random() > 0.28:
        return
    eyes = [
        wearer.shaped[wearer.head.landmarks[first : first + 6]].mean(axis=0) for first in (36, 42)
    ]
    raised = rng.uniform(3.5, 6.0) if rng.random() < 0.08 else 0.0
    half_width, half_height = rng.uniform(2.1, 3.3), rng.uniform(1.3, 2.6)
    power, wrap = rng.uniform(2.0, 5.0), rng.uniform(0.02, 0.07)
    slide = rng.uniform(-0.8, 0.4)
    grid = np.linspace(-1, 1, 13)
    u, v = np.meshgrid(grid, grid[::2])
    share = rng.uniform(-0.05, 0.35)
    field = _between(wearer, share, rng, 0.4)
    field += rng.normal(0, 1.0) * np.linspace(-1, 1, field.shape[0], dtype=np.float32)[:, None]
    for eye, outward in zip(eyes, (-1.0, 1.0), strict=True):
        # A superellipse: the grid's square rim pulled onto |u|^p + |v|^p = 1.
        norm = np.maximum((np.abs(u) ** power + np.abs(v) ** power) ** (1 / power), 1e-6)
        pull = np.maximum(np.abs(u), np.abs(v)) / norm
        x = eye[0] + outward * 0.25 + u * pull * half_width
        y = eye[1] + slide + raised + v * pull * half_height
        z = eye[2] + 1.7 - wrap * (x**2 - eye[0] ** 2) - 0.05 * raised
        _draw_sheet(canvas, wearer, np.stack([x, y, z], axis=2), field, GLASSES)
        # The arm, from the lens to above the ear.
        reach = np.linspace(0, 1, 8)[None]
        width = np.array([[-0.5], [0.5]]) * rng.uniform(0.25, 0.9)
        start_x = eye[0] + outward * (0.25 + half_width * 0.95)
        arm_x = start_x + (outward * 8.0 - start_x) * np.minimum(reach * 3, 1.0) + 0 * width
        start_z = float(z[:, -1 if outward > 0 else 0].mean())
        arm_z = start_z + (0.5 - start_z) * reach + 0 * width
        arm_y = eye[1] + slide + raised + 0.5 + width + 0 * reach
        _draw_sheet(canvas, wearer, np.stack([arm_x, arm_y, arm_z], axis=2), field, GLASSES)
    bridge_x = np.linspace(eyes[0][0], eyes[1][0], 8)[None] + np.zeros((2, 1))
    bridge_y = eyes[0][1] + slide + raised + 0.6 + np.array([[-0.2], [0.2]]) + 0 * bridge_x
    bridge_z = max(eyes[0][2], eyes[1][2]) + 1.9 + 0 * bridge_x
    _draw_sheet(canvas, wearer, np.stack([bridge_x, bridge_y, bridge_z], axis=2), field, GLASSES)
