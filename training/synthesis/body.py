"""Shoulders, torso and limbs: superellipsoids and capsules in clothes."""

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis.config.person import BodyConfig
from training.synthesis.dressing import (
    BARE,
    CHANNELS,
    LEGS,
    SKIN,
    SLEEVE,
    TEMPERATURE,
    TOP,
    Wearer,
    draw_shell,
)
from training.synthesis.fields import image_noise
from training.synthesis.pose import NECK_PIVOT
from training.synthesis.rasterizer import Canvas, grid_triangles


def add_body(canvas: Canvas, wearer: Wearer, rng: np.random.Generator, config: BodyConfig) -> None:
    """Torso under the head, collar, arms and legs, clothed or bare in places."""
    build, height = rng.uniform(*config.build), rng.uniform(*config.height)
    clothes, trousers = _cloth(wearer, rng, config), _cloth(wearer, rng, config)
    bare = wearer.skin + rng.normal(-0.5, 0.7) + 0.3 * image_noise(*wearer.posed.size, 8, rng)
    bare = bare.astype(np.float32)
    bare_shoulders = rng.random() < config.bare_shoulders_chance
    sleeve = bare if rng.random() < config.bare_arms_chance else clothes
    fields = {TOP: bare if bare_shoulders else clothes, SLEEVE: sleeve, BARE: bare, LEGS: trousers}

    layer = Canvas(*wearer.posed.size, CHANNELS)
    torso = _superellipsoid((0, -40 * height, -3), (20 * build, 25 * height, 12 * build), 2.6)
    shoulders = _superellipsoid((0, -19.0 * height, -3), (18.5 * build, 6.0, 8.8), 2.3)
    for mesh in (torso, shoulders):
        _draw(layer, wearer, mesh, TOP)
    for side in (-1.0, 1.0):
        elbow = (side * rng.uniform(22, 32) * build, -48 * height, rng.uniform(-6, 8))
        hand = (side * rng.uniform(8, 34), rng.uniform(-75, -30) * height, rng.uniform(4, 28))
        shoulder = (side * 18.5 * build, -22 * height, -3.0)
        _draw(layer, wearer, _capsule(shoulder, elbow, 5.2 * build), TOP)
        _draw(layer, wearer, _capsule(elbow, hand, 4.0 * build), SLEEVE)
        _draw(layer, wearer, _superellipsoid(hand, (4.5, 6.0, 4.5), 2.0), BARE)
        hip, foot = (
            (side * 9 * build, -64 * height, -3.0),
            (side * rng.uniform(8, 16), -150.0, -3.0),
        )
        _draw(layer, wearer, _capsule(hip, foot, 8.0 * build), LEGS)
    for owner, field in fields.items():
        where = layer.owner == owner
        layer.values[where, TEMPERATURE] = field[where]
        if field is bare:
            layer.owner[where] = BARE
    canvas.merge(layer, layer.owner >= 0)
    if not bare_shoulders:
        _add_collar(canvas, wearer, clothes, rng, config)


def _add_collar(
    canvas: Canvas,
    wearer: Wearer,
    clothes: FloatArray,
    rng: np.random.Generator,
    config: BodyConfig,
) -> None:
    """Cloth over the mesh's own neck base, from an open shirt to a turtleneck."""
    neutral = wearer.head.neutral
    low, high = rng.uniform(-16, -13.5), rng.uniform(-13.5, -10.0)
    top = low if rng.random() < 1 - config.turtleneck_chance else high
    opening = rng.uniform(0.0, 0.6)  # a V in front

    def inside(points: FloatArray) -> FloatArray:
        front = np.maximum(points[..., 2], 0.0) * np.exp(-((points[..., 0] / 4.0) ** 2))
        return np.asarray(top - opening * front - points[..., 1], np.float32)

    skin = wearer.head.of_region("face", "head_neck")
    grown = np.where(skin, 0.05 + rng.uniform(0.4, 1.2) * (inside(neutral) > -0.5), 0.0)
    grown = np.where(inside(neutral) > -2.0, grown, 0.0)
    cover, drawn = draw_shell(wearer, grown.astype(np.float32), TOP)
    cover.values[..., TEMPERATURE] = clothes
    canvas.merge(cover, drawn & (inside(cover.values[..., :3]) > 0))
    # The rim of the mesh pokes through its own shell: it wears the same cloth.
    rim = (canvas.owner == SKIN) & (inside(canvas.values[..., :3]) > 0)
    canvas.values[rim, TEMPERATURE] = clothes[rim]
    canvas.owner[rim] = TOP


def _cloth(wearer: Wearer, rng: np.random.Generator, config: BodyConfig) -> FloatArray:
    """Folds and pressed-on patches: between ambient and skin, sometimes sun-heated."""
    height, width = wearer.posed.size
    base = wearer.ambient + rng.uniform(*config.cloth_share) * (wearer.skin - wearer.ambient)
    if rng.random() < config.sun_chance:
        base += rng.uniform(*config.sun_k)
    folds = image_noise(height, width, rng.uniform(4, 10), rng)
    creases = np.exp(-((image_noise(height, width, rng.uniform(8, 25), rng) / 0.2) ** 2))
    spread = rng.uniform(*config.folds_k)
    return np.asarray(base + spread * (0.6 * folds + rng.normal(0, 0.6) * creases), np.float32)


Mesh = tuple[FloatArray, NDArray[np.int32]]


def _superellipsoid(
    centre: tuple[float, float, float], radii: tuple[float, float, float], power: float
) -> Mesh:
    u, v = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(-np.pi / 2, np.pi / 2, 15))
    ball = np.stack([np.cos(u) * np.cos(v), np.sin(v), np.sin(u) * np.cos(v)], axis=2)
    norm = (np.abs(ball) ** power).sum(axis=2, keepdims=True) ** (1 / power)
    points = np.asarray(centre) + ball / norm * np.asarray(radii)
    return points.reshape(-1, 3).astype(np.float32), grid_triangles(15, 25)


def _capsule(
    start: tuple[float, float, float], end: tuple[float, float, float], radius: float
) -> Mesh:
    a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
    axis = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
    side = np.cross(axis, [0.0, 0.0, 1.0])
    side /= max(float(np.linalg.norm(side)), 1e-6)
    front = np.cross(axis, side)
    angles = np.linspace(0, 2 * np.pi, 13)
    ring = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * front
    along = np.linspace(-0.06, 1.06, 8)
    width = (
        radius * np.sqrt(np.clip(1 - np.abs(2 * along - 1) ** 12, 0.05, 1)) * (1.1 - 0.3 * along)
    )
    points = (a + (b - a) * along[:, None])[:, None] + ring[None] * width[:, None, None]
    return points.reshape(-1, 3).astype(np.float32), grid_triangles(8, 13)


def _draw(layer: Canvas, wearer: Wearer, mesh: Mesh, owner: int) -> None:
    points, triangles = mesh
    posed = wearer.posed
    turned = (points - NECK_PIVOT) @ posed.body_rotation.T + NECK_PIVOT @ posed.rotation.T
    attributes = np.full((len(points), CHANNELS), 99.0, np.float32)
    layer.draw(posed.project(turned.astype(np.float32)), triangles, attributes, owner)
