"""A person's layer put into a scene: mirrored, resampled, carried on below and beside the layer."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from service.entities import FloatArray
from service.landmark_schema import FLIP
from training.synthesis.config.knobs import Range
from training.synthesis.fields import image_noise
from training.synthesis.pool import Layer, Pool
from training.synthesis.tiles import NO_PATCH, Patch


def mirror(layer: Layer) -> Layer:
    """The mirrored person: also the landmarks change places."""
    landmarks, facts = layer.landmarks[list(FLIP)], layer.facts
    landmarks[:, 0] = layer.temperature.shape[1] - 1 - landmarks[:, 0]
    return Layer(
        layer.temperature[:, ::-1],
        layer.cover[:, ::-1],
        landmarks,
        replace(facts, yaw=-facts.yaw, roll=-facts.roll),
        None if layer.rgb is None else layer.rgb[:, ::-1],
    )


def anybody(pool: Pool, rng: np.random.Generator) -> Layer:
    """A random person of the pool, one time of two mirrored."""
    layer = pool.layer(int(rng.integers(len(pool))))
    return mirror(layer) if rng.random() < 0.5 else layer


@dataclass(frozen=True)
class _Legs:
    """Where legs may be: columns first to last of a sheet, and rows below it down to the feet."""

    first: int
    last: int
    rows: int


@dataclass(frozen=True)
class _Sheet:
    """temperature times cover, and cover, float32 [H, W]; map: pixel x of the layer is
    (x + 0.5) * scale - 0.5 + shift here."""

    warm: FloatArray
    cover: FloatArray
    scale: FloatArray
    shift: FloatArray


def paste(
    scene: FloatArray, layer: Layer, scale: float, origin: FloatArray,
    rng: np.random.Generator, unevenness: Range, whole: bool = False,
) -> Patch:  # fmt: skip
    """Draw the person into `scene` [H, W]: `scene(x)` shows `layer(origin + x / scale)`.

    Bodies go on below the layer: down to the scene's end or, `whole`, to the feet.
    unevenness: kelvin, of what is below.
    """
    sheet = _shrink(layer, scale, origin, scene.shape)
    zoom = scale / sheet.scale  # pixels of the scene for one of the sheet
    # The origin, in pixels of the sheet.
    start = (np.asarray(origin) + 0.5) * sheet.scale - 0.5 + sheet.shift
    bottom = start[1] + scene.shape[0] / zoom[1]
    rows = int(np.ceil(bottom)) - sheet.cover.shape[0] + 1
    if rows > 0:
        sheet = _carry_on(sheet, rows, _legs(layer, sheet, rng) if whole else None, rng, unevenness)
        start = (np.asarray(origin) + 0.5) * sheet.scale - 0.5 + sheet.shift
    return _warp(scene, sheet, zoom, start)


def _shrink(layer: Layer, scale: float, origin: FloatArray, shape: tuple[int, ...]) -> _Sheet:
    """The part of the layer that the scene shows, area-averaged when it is going to shrink."""
    size = np.array(layer.cover.shape[::-1])
    low = np.clip(np.asarray(origin) - 2, 0, size - 2).astype(int)
    high = np.clip(origin + np.array(shape[::-1]) / scale + 3, low + 2, size).astype(int)
    part = slice(low[1], high[1]), slice(low[0], high[0])
    cover = np.ascontiguousarray(layer.cover[part])  # OpenCV takes no mirrored views
    warm: FloatArray = layer.temperature[part] * cover
    if scale >= 0.7:
        return _Sheet(warm, cover, np.ones(2, np.float32), -low.astype(np.float32))
    small = max(1, round(cover.shape[1] * scale)), max(1, round(cover.shape[0] * scale))
    factor = np.array([small[0] / cover.shape[1], small[1] / cover.shape[0]], np.float32)
    warm, cover = (
        np.asarray(cv2.resize(i, small, interpolation=cv2.INTER_AREA), np.float32)
        for i in (warm, cover)
    )
    return _Sheet(warm, cover, factor, -low * factor)


def _legs(layer: Layer, sheet: _Sheet, rng: np.random.Generator) -> _Legs:
    face = layer.face_size * sheet.scale[0]
    middle = float(layer.box[::2].mean() * sheet.scale[0] + sheet.shift[0])
    reach = 1.5 * face  # hands hang further out
    rows = int(face * rng.uniform(3.0, 4.6))
    return _Legs(max(0, int(middle - reach)), int(middle + reach), rows)


def _carry_on(
    sheet: _Sheet, rows: int, legs: _Legs | None, rng: np.random.Generator, unevenness: Range
) -> _Sheet:
    """The body below and beside its layer, down to the feet.

    The last row goes on, ever softer across and ever more uneven.
    """
    side = max(1, sheet.cover.shape[1] // 6)
    last = sheet.cover[-1:]
    usual = float(sheet.warm[-1].sum() / max(float(last.sum()), 1e-3))
    row = np.where(last > 0.5, sheet.warm[-1:] / np.maximum(last, 0.5), usual).astype(np.float32)
    soft = cv2.GaussianBlur(row, (0, 0), max(side / 4, 0.5), sigmaY=0.01)
    noise = image_noise(rows, row.shape[1], 7.0, rng) * np.float32(rng.uniform(*unevenness))
    near = np.exp(-np.arange(rows, dtype=np.float32) / side)[:, None]
    below = soft + noise + near * (row - soft - noise)
    shown = np.repeat(last, rows, axis=0)
    if legs is not None:
        shown[:, : legs.first] = shown[:, legs.last :] = 0
        shown[legs.rows :] = 0
    warm = np.concatenate([sheet.warm, below * shown])
    cover = np.concatenate([sheet.cover, shown])
    warm, cover = (cv2.copyMakeBorder(i, 0, 0, side, side, cv2.BORDER_CONSTANT)
                   for i in (warm, cover))  # fmt: skip
    if legs is None:
        _round_off(warm, cover, side, len(sheet.cover))
    beside = np.array([side, 0], np.float32)
    return _Sheet(np.asarray(warm), np.asarray(cover), sheet.scale, sheet.shift + beside)


def _round_off(warm: FloatArray, cover: FloatArray, side: int, height: int) -> None:
    """Shoulders that reach the side of their layer go on in an arc beyond it, in place.

    side: pixels of room on both sides; height: of the layer, the rest is below it.
    """
    drop = np.arange(1, side + 1, dtype=np.float32) / side
    arc = side * (1 - np.sqrt(np.maximum(1 - drop**2, 0)))
    for edge, step in ((side, -1), (cover.shape[1] - 1 - side, 1)):
        covered = np.flatnonzero(cover[:height, edge] > 0.5)
        if not len(covered) or covered[-1] < height - 2:
            continue
        columns = edge + step * np.arange(1, side + 1)
        beyond = np.arange(len(cover))[:, None] >= covered[0] + arc[None]
        cover[:, columns] = beyond
        warm[:, columns] = beyond * warm[:, edge : edge + 1]


def _warp(scene: FloatArray, sheet: _Sheet, zoom: FloatArray, start: FloatArray) -> Patch:
    height, width = scene.shape
    sheet_height, sheet_width = sheet.cover.shape
    low = np.maximum(np.floor((-1 - start) * zoom), 0).astype(int)
    high = np.ceil((np.array([sheet_width, sheet_height]) - start) * zoom).astype(int) + 1
    x1, y1, x2, y2 = low[0], low[1], min(high[0], width), min(high[1], height)
    if x2 <= x1 or y2 <= y1:
        return NO_PATCH
    first = start + np.array([x1, y1]) / zoom
    matrix = np.array([[zoom[0], 0, -first[0] * zoom[0]], [0, zoom[1], -first[1] * zoom[1]]])
    size = int(x2 - x1), int(y2 - y1)
    warm, cover = (cv2.warpAffine(i, matrix, size, flags=cv2.INTER_LINEAR)
                   for i in (sheet.warm, sheet.cover))  # fmt: skip
    rows, columns = slice(int(y1), int(y2)), slice(int(x1), int(x2))
    scene[rows, columns] = warm + (1 - cover) * scene[rows, columns]
    return Patch(rows, columns, np.asarray(cover, np.float32))
