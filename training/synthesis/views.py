"""A person of the pool as the landmark network sees it: composed, exposed, cropped, normalised."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from service.entities import Box, ByteArray, FloatArray
from service.imaging.normalisation import normalise
from service.landmark_schema import FLIP
from service.vision.crop import LANDMARK_INPUT, crop_map, sample
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.occluders import add_occluder
from training.synthesis.pool import Layer

SENSOR_FACE = (20.0, 200.0)  # face size on the sensor, pixels, log-uniform up to what a layer gives
MARGIN = 2.0  # side of the composed square / longer side of the box
CROP_SCALES = (1.05, 1.65)  # side of the crop / longer side of the box; serving uses 1.25
SHIFT = 0.07  # of the box, spread of the crop's centre


@dataclass(frozen=True)
class View:
    """image uint8 [256, 256]; points float32 [68, 2] in its pixels; weight float32 [68]."""

    image: ByteArray
    points: FloatArray
    weight: FloatArray


def mirror(layer: Layer) -> Layer:
    """The mirrored person: also the landmarks change places."""
    landmarks, facts = layer.landmarks[list(FLIP)], layer.facts
    landmarks[:, 0] = layer.temperature.shape[1] - 1 - landmarks[:, 0]
    return Layer(
        np.ascontiguousarray(layer.temperature[:, ::-1]),
        np.ascontiguousarray(layer.cover[:, ::-1]),
        landmarks,
        replace(facts, yaw=-facts.yaw, roll=-facts.roll),
    )


def resample(
    image: FloatArray, scale: float, origin: FloatArray, height: int, width: int
) -> FloatArray:
    """`out(x) = image(origin + x / scale)`, area-averaged when shrinking; 0 outside."""
    if scale < 0.7:
        small = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        shrink = np.array([small[0] / image.shape[1], small[1] / image.shape[0]])
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.float32)
        origin = (origin + 0.5) * shrink - 0.5
        zoom = scale / shrink
    else:
        zoom = np.array([scale, scale])
    matrix = np.array([[zoom[0], 0, -origin[0] * zoom[0]], [0, zoom[1], -origin[1] * zoom[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR))


def over(
    layer: Layer, scale: float, origin: FloatArray, behind: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The person at `scale` in front of `behind` [H, W], and the resampled cover, 0 to 1."""
    height, width = behind.shape
    cover = resample(layer.cover, scale, origin, height, width)
    warm = resample(layer.temperature * layer.cover, scale, origin, height, width)
    return warm + (1 - cover) * behind, cover


def landmark_view(layer: Layer, rng: np.random.Generator) -> View:
    """One random camera's picture of `layer`, cropped as serving crops."""
    if rng.random() < 0.5:
        layer = mirror(layer)
    box = layer.box
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    size = float(np.exp(rng.uniform(*np.log(SENSOR_FACE))))
    scale = min(size / layer.face_size, 1.15)
    centre = (box[:2] + box[2:]) / 2
    side = round(longer * MARGIN * scale)
    origin = centre - side / scale / 2
    scene = background(side, side, layer.facts.ambient, rng)
    scene, _ = over(layer, scale, origin.astype(np.float32), scene)
    points = (layer.landmarks - origin.astype(np.float32)) * np.float32(scale)
    if rng.random() < 0.12:
        low, high = points.min(axis=0), points.max(axis=0)
        add_occluder(scene, np.concatenate([low, high]), layer.facts.ambient, rng)
    values = expose(scene, rng)
    values, points = _frame_edge(values, points, rng)
    if rng.random() < 0.12:
        values, points = _upscale(values, points, rng)
    return _crop(values, points, rng)


def _frame_edge(
    values: FloatArray, points: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Sometimes the frame ends close to the face, or through it."""
    if rng.random() > 0.15:
        return values, points
    low, high = points.min(axis=0), points.max(axis=0)
    cut = rng.uniform(-0.25, 0.25) * (high - low)
    edge = rng.integers(4)
    if edge < 2:  # left, top
        start = int(np.clip(low[edge] + cut[edge], 0, values.shape[1 - edge] - 8))
        values = values[:, start:] if edge == 0 else values[start:]
        points = points - np.array([start, 0] if edge == 0 else [0, start], np.float32)
    else:  # right, bottom
        axis = edge - 2
        end = int(np.clip(high[axis] - cut[axis], 8, values.shape[1 - axis]))
        values = values[:, :end] if axis == 0 else values[:end]
    return values, points


def _upscale(
    values: FloatArray, points: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Cameras that enlarge their picture before they hand it out."""
    zoom = rng.uniform(1.5, 4.0)
    width, height = round(values.shape[1] * zoom), round(values.shape[0] * zoom)
    kinds = [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST]
    kind = int(rng.choice(kinds, p=[0.5, 0.4, 0.1]))
    factor = np.array([width / values.shape[1], height / values.shape[0]], np.float32)
    larger = cv2.resize(values, (width, height), interpolation=kind)
    return np.asarray(larger, np.float32), (points + 0.5) * factor - 0.5


def _crop(values: FloatArray, points: FloatArray, rng: np.random.Generator) -> View:
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    shift = np.clip(rng.normal(0, SHIFT, 2), -0.15, 0.15) * extent
    x1, y1 = low + shift
    x2, y2 = high + shift
    box = Box(float(x1), float(y1), float(x2), float(y2))
    axis_map = crop_map(box, crop_scale=rng.uniform(*CROP_SCALES))
    warped, inside = sample(values, axis_map, LANDMARK_INPUT)
    placed = axis_map.to_network(points)
    slack = 0.06 * extent
    limits = np.array([values.shape[1], values.shape[0]]) - 1 + slack
    seen = (points > -slack).all(axis=1) & (points < limits).all(axis=1)
    seen &= (placed >= 0).all(axis=1) & (placed <= LANDMARK_INPUT - 1).all(axis=1)
    image = normalise(warped, inside=inside)
    return View(image, np.asarray(placed, np.float32), np.asarray(seen, np.float32))
