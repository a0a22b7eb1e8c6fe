"""Whole frames for the detector: nobody to a dozen persons of the pool in one scene, with boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray, ThermalFrame, Unit
from service.imaging.normalisation import normalise
from service.vision.crop import DETECTOR_INPUT, letterbox_map, sample
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.compose import anybody, paste
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.config.knobs import pick
from training.synthesis.config.scene import FrameConfig
from training.synthesis.layouts import Place, lay_out
from training.synthesis.occluders import add_occluder
from training.synthesis.pool import Layer, Pool

Owners = NDArray[np.int16]  # which person a pixel shows, -1 = none


@dataclass(frozen=True)
class Frame:
    """values float32 [H, W] as a camera's file holds them; boxes float32 [M, 4] in its pixels
    (x1, y1, x2, y2, the landmarks' box, also beyond the edge); ignore float32 [M]; landmarks
    float32 [M, 68, 2]."""

    values: FloatArray
    boxes: FloatArray
    ignore: FloatArray
    landmarks: FloatArray

    @property
    def image(self) -> ThermalFrame:
        """As the steps that serve take it."""
        return ThermalFrame(self.values, Unit.COUNTS, "synthesis")


def compose_frame(
    portraits: Pool, figures: Pool, rng: np.random.Generator,
    config: SynthesisConfig = DEFAULT, input_size: int = DETECTOR_INPUT,
) -> Frame:  # fmt: skip
    """One random scene through one random camera, as fine as a detector of `input_size` sees it."""
    width, height, pitch = _sensor(config.frame, input_size, rng)
    places = lay_out(width, height, input_size, config.frame, rng)
    layers = [_person(portraits, figures, place.size, config.frame, rng) for place in places]
    ambient = layers[0].facts.ambient if layers else float(rng.normal(22, 5))
    scene = background(height, width, ambient, rng, config.background)
    owner = np.full((height, width), -1, np.int16)
    landmarks = np.zeros((len(places), 68, 2), np.float32)
    for index in np.argsort([place.size for place in places]):  # far to near
        landmarks[index] = _draw(
            scene, owner, layers[index], places[index], int(index), config.frame, rng
        )
    if places and rng.random() < config.occluder.frame_chance:
        index = int(rng.integers(len(places)))
        box = np.concatenate([landmarks[index].min(axis=0), landmarks[index].max(axis=0)])
        owner[add_occluder(scene, box, ambient, rng, config.occluder)] = -1
    visible = np.array([_visible(owner, points, i) for i, points in enumerate(landmarks)])
    exposure = expose(scene, rng, config.camera, pitch)
    away = np.array([layer.facts.away for layer in layers], bool)
    unit = max(width, height) / input_size
    return _label(
        exposure.values, landmarks, exposure.place(landmarks), visible, away, unit, config.frame
    )


def _sensor(
    frame: FrameConfig, input_size: int, rng: np.random.Generator
) -> tuple[int, int, float]:
    """Width, height in pixels of the scene, and pixels of the scene for one of the sensor."""
    width, height = (int(side) for side in pick(frame.sensors, rng).split("x"))
    pitch = min(1.0, frame.largest_px * input_size / max(width, height))
    return round(width * pitch), round(height * pitch), pitch


def _person(
    portraits: Pool, figures: Pool, size: float, frame: FrameConfig, rng: np.random.Generator
) -> Layer:
    return anybody(portraits if size > frame.portrait_from_px else figures, rng)


def _draw(
    scene: FloatArray, owner: Owners, layer: Layer, place: Place, index: int,
    frame: FrameConfig, rng: np.random.Generator,
) -> FloatArray:  # fmt: skip
    """Draw a person with the face's middle at its place; returns the landmarks in pixels."""
    scale = place.size / layer.face_size
    box = layer.box
    origin = ((box[:2] + box[2:]) / 2 - np.array([place.x, place.y]) / scale).astype(np.float32)
    whole = place.size <= frame.portrait_from_px  # figures have legs, portraits have none
    patch = paste(scene, layer, scale, origin, rng, frame.body_uneven_k, whole)
    owner[patch.rows, patch.columns][patch.cover > 0.5] = index
    return (layer.landmarks - origin) * np.float32(scale)


def _visible(owner: Owners, points: FloatArray, index: int) -> float:
    """The part of a face's box (of the whole box, also outside the frame) that shows its person."""
    low, high = points.min(axis=0), points.max(axis=0)
    (x1, y1), (x2, y2) = np.floor(low).astype(int), np.ceil(high).astype(int)
    inside = owner[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)]
    return float((inside == index).sum()) / max(int((x2 - x1) * (y2 - y1)), 1)


def _label(
    values: FloatArray, scene_points: FloatArray, points: FloatArray, visible: FloatArray,
    away: NDArray[np.bool_], unit: float, frame: FrameConfig,
) -> Frame:  # fmt: skip
    """unit: pixels of the scene for one of the detector's input."""
    extent = scene_points.max(axis=1) - scene_points.min(axis=1)
    size = np.sqrt(np.prod(extent, axis=1)) / unit
    keep = ~away & (visible > 0.05)
    ignore = (size < frame.smallest_px) | (visible < frame.hidden)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return Frame(values, boxes[keep], ignore[keep].astype(np.float32), points[keep])


def detector_view(frame: Frame, input_size: int = DETECTOR_INPUT) -> tuple[ByteArray, FloatArray]:
    """The frame as the detector sees it: uint8 [S, S], and boxes [M, 4] in its pixels."""
    height, width = frame.values.shape
    to_network = letterbox_map(width, height, input_size)
    warped, inside = sample(frame.values, to_network, input_size)
    boxes = to_network.to_network(frame.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    return normalise(warped, inside=inside), boxes.astype(np.float32)
