"""Whole frames for the detector: 0 to 6 persons of the pool in one scene, with face boxes."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from service.imaging.normalisation import normalise
from service.vision.crop import DETECTOR_INPUT, letterbox_map, sample
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.occluders import add_occluder
from training.synthesis.pool import Layer, Pool
from training.synthesis.views import mirror, over

# Width, height and share of the cameras. Larger sensors are composed at 464 pixels: the detector
# sees 320 in any case.
SENSORS = (
    (80, 60, 0.04), (160, 120, 0.14), (120, 160, 0.20), (256, 192, 0.10), (192, 256, 0.05),
    (320, 240, 0.12), (240, 320, 0.05), (320, 256, 0.12), (464, 348, 0.12), (400, 320, 0.06),
)  # fmt: skip
PERSONS = (0.12, 0.40, 0.20, 0.12, 0.08, 0.05, 0.03)  # chances of 0 to 6
Owners = NDArray[np.int16]  # which person a pixel shows, -1 = none
SMALLEST = 9.0  # pixels of the 320 input; smaller faces are neither target nor background
PORTRAIT_FROM = 72.0  # frame pixels; above, the portrait layers have the finer faces


@dataclass(frozen=True)
class Frame:
    """values float32 [H, W] as a camera's file holds them; boxes float32 [M, 4] in its pixels
    (x1, y1, x2, y2, the landmarks' box, also beyond the edge); ignore float32 [M]; landmarks
    float32 [M, 68, 2]."""

    values: FloatArray
    boxes: FloatArray
    ignore: FloatArray
    landmarks: FloatArray


def compose_frame(portraits: Pool, figures: Pool, rng: np.random.Generator) -> Frame:
    """One random scene through one random camera."""
    width, height, _ = SENSORS[rng.choice(len(SENSORS), p=[s[2] for s in SENSORS])]
    count = int(rng.choice(len(PERSONS), p=PERSONS))
    unit = max(width, height) / DETECTOR_INPUT
    largest = 330.0 if count <= 1 else 110.0
    sizes = np.exp(rng.uniform(np.log(8.0), np.log(largest), count)) * unit
    layers = [_pick(portraits, figures, size, rng) for size in sizes]
    ambient = layers[0].facts.ambient if layers else float(rng.normal(22, 5))
    scene = background(height, width, ambient, rng)
    owner = np.full((height, width), -1, np.int16)
    landmarks = np.zeros((count, 68, 2), np.float32)
    for index in np.argsort(sizes):  # far to near
        landmarks[index] = _place(scene, owner, layers[index], sizes[index], int(index), rng)
    if count and rng.random() < 0.08:
        index = int(rng.integers(count))
        box = np.concatenate([landmarks[index].min(axis=0), landmarks[index].max(axis=0)])
        owner[add_occluder(scene, box, ambient, rng)] = -1
    visible = [_visible(owner, points, i) for i, points in enumerate(landmarks)]
    values = expose(scene, rng)
    return _label(values, landmarks, visible, [layer.facts.away for layer in layers], unit)


def _pick(portraits: Pool, figures: Pool, size: float, rng: np.random.Generator) -> Layer:
    pool = portraits if size > PORTRAIT_FROM else figures
    layer = pool.layer(int(rng.integers(len(pool))))
    return mirror(layer) if rng.random() < 0.5 else layer


def _place(
    scene: FloatArray, owner: Owners, layer: Layer, size: float, index: int,
    rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    """Draw a person with the face at a random place; returns the landmarks in frame pixels."""
    height, width = scene.shape
    scale = size / layer.face_size
    box = layer.box
    spot = np.array([rng.uniform(0.04, 0.96) * width, rng.uniform(0.08, 0.85) * height])
    if rng.random() < 0.7:  # bodies reach down: faces tend to be in the upper part
        spot[1] = rng.uniform(0.08, 0.55) * height
    layer = extend_down(layer, int(height / scale) + 1)
    origin = ((box[:2] + box[2:]) / 2 - spot / scale).astype(np.float32)
    scene[:], cover = over(layer, scale, origin, scene)
    owner[cover > 0.5] = index
    return (layer.landmarks - origin) * np.float32(scale)


def extend_down(layer: Layer, rows: int) -> Layer:
    """The body goes on below the layer: its last row, repeated."""

    def grow(image: FloatArray) -> FloatArray:
        return np.asarray(cv2.copyMakeBorder(image, 0, rows, 0, 0, cv2.BORDER_REPLICATE))

    return replace(layer, temperature=grow(layer.temperature), cover=grow(layer.cover))


def _visible(owner: Owners, points: FloatArray, index: int) -> float:
    """The part of a face's box (of the whole box, also outside the frame) that shows its person."""
    low, high = points.min(axis=0), points.max(axis=0)
    area = max(float(np.prod(high - low)), 1e-6)
    x1, y1 = np.maximum(np.floor(low), 0).astype(int)
    x2, y2 = np.ceil(high).astype(int)
    inside = owner[y1 : max(y2, 0), x1 : max(x2, 0)]
    return float((inside == index).sum()) / area


def _label(
    values: FloatArray, landmarks: FloatArray, visible: list[float], away: list[bool], unit: float
) -> Frame:
    boxes = np.concatenate([landmarks.min(axis=1), landmarks.max(axis=1)], axis=1)
    size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) / unit
    keep = np.array([not a and v > 0.05 for a, v in zip(away, visible, strict=True)], bool)
    ignore = (size < SMALLEST) | (np.array(visible) < 0.45)
    return Frame(values, boxes[keep], ignore[keep].astype(np.float32), landmarks[keep])


def detector_view(frame: Frame) -> tuple[ByteArray, FloatArray]:
    """The frame as the detector sees it: uint8 [320, 320], and boxes [M, 4] in its pixels."""
    height, width = frame.values.shape
    axis_map = letterbox_map(width, height)
    warped, inside = sample(frame.values, axis_map, DETECTOR_INPUT)
    boxes = axis_map.to_network(frame.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    return normalise(warped, inside=inside), boxes.astype(np.float32)
