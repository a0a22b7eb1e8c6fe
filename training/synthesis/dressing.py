"""What things worn on a head share: shells, sheets, materials, canonical coordinates.

Thermal pictures have no shading, so only silhouettes need geometry: hair and cloth are shells
(vertices pushed out along their normals) cut by per-pixel masks in canonical head coordinates.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.fields import image_noise
from training.synthesis.head import HeadModel
from training.synthesis.pose import PosedHead
from training.synthesis.rasterizer import Canvas, grid_triangles

CHANNELS = 4  # canonical x, y, z (cm); temperature (C)
TEMPERATURE = 3
HEAD_RADIUS = 8.0  # cm
# Owners on the canvas: what a pixel shows. Temperatures are drawn with it, colours made from it.
SKIN, BARE, TOP, SLEEVE, LEGS, MASK, HAIR, HEADWEAR, RIM, LENS = range(10)


@dataclass(frozen=True)
class Wearer:
    """What dressing needs of one person. temperatures in degrees Celsius."""

    head: HeadModel
    shaped: FloatArray  # [V, 3] vertices of this person before turning
    posed: PosedHead
    ambient: float
    skin: float  # mean skin temperature
    anchored: bool = False  # patterns are stuck to the head (clips), not to the layer


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
    thick = thickness > 0.02
    first, second, third = head.triangles.T
    triangles = head.triangles[thick[first] & thick[second] & thick[third]]
    attributes = np.column_stack([head.neutral, np.zeros(len(pushed))])
    cover.draw(pushed, triangles, attributes.astype(np.float32), owner)
    return cover, cover.owner >= 0


def material(wearer: Wearer, share: float, rng: np.random.Generator, spread: float) -> FloatArray:
    """A material's temperature field [H, W]: `share` of the way from ambient to skin, textured."""
    height, width = wearer.posed.size
    base = wearer.ambient + share * (wearer.skin - wearer.ambient)
    scale = spread * max(abs(wearer.skin - wearer.ambient), 2.0) / 10.0
    texture = 0.7 * image_noise(height, width, rng.uniform(5, 14), rng)
    texture += 0.5 * image_noise(height, width, rng.uniform(25, 70), rng)
    return np.asarray(base + scale * texture, np.float32)


def stuck(wearer: Wearer, field: FloatArray, canonical: FloatArray) -> FloatArray:
    """A pattern [H, W] of the layer where `canonical` [H, W, 3] says that the head is now.

    Wrapped about the head's axis, so that it turns with the head; unchanged for who is not
    anchored: a picture by itself does not show the difference.
    """
    if not wearer.anchored:
        return field
    height, width = field.shape
    scale = wearer.posed.scale
    around = np.arctan2(canonical[..., 0], canonical[..., 2] - 0.5) * HEAD_RADIUS
    x = (width / 2 + scale * around).astype(np.float32)
    y = (height / 2 - scale * canonical[..., 1]).astype(np.float32)
    moved = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def draw_sheet(
    canvas: Canvas, wearer: Wearer, points: FloatArray, field: FloatArray, owner: int,
    places: FloatArray | None = None,
) -> None:  # fmt: skip
    """Draw a grid of points [R, C, 3], given in head coordinates, with a temperature field.

    places [R, C, 3] stand on the canvas in place of canonical coordinates, if given; else 99.
    """
    rows, columns = points.shape[:2]
    flat = points.reshape(-1, 3).astype(np.float32) @ wearer.posed.rotation.T
    triangles = grid_triangles(rows, columns)
    sheet = Canvas(*wearer.posed.size, CHANNELS)
    attributes = np.full((len(flat), CHANNELS), 99.0, np.float32)
    if places is not None:
        attributes[:, :3] = places.reshape(-1, 3)
    sheet.draw(wearer.posed.project(flat), triangles, attributes, owner)
    if wearer.anchored:
        own = Canvas(*wearer.posed.size, CHANNELS)
        spots = np.column_stack([points.reshape(-1, 3), np.zeros(len(flat))])
        own.draw(wearer.posed.project(flat), triangles, spots.astype(np.float32), owner)
        field = stuck(wearer, field, own.values[..., :3])
    sheet.values[..., TEMPERATURE] = field
    canvas.merge(sheet, sheet.owner >= 0)
