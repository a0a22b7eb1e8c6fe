"""A person of the pool as the landmark network sees it: composed, exposed, cropped, normalised."""

from dataclasses import dataclass, replace

import numpy as np

from service.entities import Box, ByteArray, FloatArray
from service.imaging.normalisation import normalise
from service.vision.crop import LANDMARK_INPUT, crop_map, sample
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.compose import mirror, paste
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.scene import ViewConfig
from training.synthesis.facts import ViewFacts
from training.synthesis.occluders import add_occluder
from training.synthesis.pool import Layer

LARGEST_SCALE = 1.15  # a layer is not enlarged by more


@dataclass(frozen=True)
class View:
    """image uint8 [256, 256]; points float32 [68, 2] in its pixels; weight float32 [68]."""

    image: ByteArray
    points: FloatArray
    weight: FloatArray
    facts: ViewFacts


def landmark_view(
    layer: Layer, rng: np.random.Generator, config: SynthesisConfig = DEFAULT
) -> View:
    """One random camera's picture of `layer`, cropped as serving crops."""
    if rng.random() < 0.5:
        layer = mirror(layer)
    box = layer.box
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    scale = min(log_uniform(config.view.face_px, rng) / layer.face_size, LARGEST_SCALE)
    side = round(longer * config.view.margin * scale)
    origin = ((box[:2] + box[2:]) / 2 - side / scale / 2).astype(np.float32)
    behind = replace(
        config.background,
        things_chance=config.view.things_chance,
        built_chance=config.view.things_chance,
    )
    scene = background(side, side, layer.facts.ambient, rng, behind)
    paste(scene, layer, scale, origin, rng, config.frame.body_uneven_k)
    points = (layer.landmarks - origin) * np.float32(scale)
    low, high = points.min(axis=0), points.max(axis=0)
    occluded = rng.random() < config.occluder.view_chance
    if occluded:
        face = np.concatenate([low, high])
        add_occluder(scene, face, layer.facts.ambient, rng, config.occluder)
    scene, points = _frame_edge(scene, points, rng, config.view)
    exposure = expose(scene, rng, config.camera)
    facts = ViewFacts(
        person=layer.facts,
        size=float(np.sqrt(np.prod(high - low))),
        occluder=occluded,
        cut=_is_cut(scene, points),
        black_hot=exposure.black_hot,
    )
    return View(*_crop(exposure.values, exposure.place(points), rng, config.view), facts)


def _is_cut(values: FloatArray, points: FloatArray) -> bool:
    """Whether landmarks lie outside the frame."""
    limits = np.array([values.shape[1], values.shape[0]]) - 0.5
    return bool((points < -0.5).any() or (points > limits).any())


def _frame_edge(
    scene: FloatArray, points: FloatArray, rng: np.random.Generator, view: ViewConfig
) -> tuple[FloatArray, FloatArray]:
    """Sometimes the frame ends close to the face, or through it."""
    if rng.random() > view.cut_chance:
        return scene, points
    low, high = points.min(axis=0), points.max(axis=0)
    cut = rng.uniform(*view.cut) * (high - low)
    edge = rng.integers(4)
    if edge < 2:  # left, top
        start = int(np.clip(low[edge] + cut[edge], 0, scene.shape[1 - edge] - 8))
        scene = scene[:, start:] if edge == 0 else scene[start:]
        points = points - np.array([start, 0] if edge == 0 else [0, start], np.float32)
    else:  # right, bottom
        axis = edge - 2
        end = int(np.clip(high[axis] - cut[axis], 8, scene.shape[1 - axis]))
        scene = scene[:, :end] if axis == 0 else scene[:end]
    return scene, points


def _crop(
    values: FloatArray, points: FloatArray, rng: np.random.Generator, view: ViewConfig
) -> tuple[ByteArray, FloatArray, FloatArray]:
    """Image, points and weight of a `View`."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    shift = np.clip(rng.normal(0, view.shift, 2), -0.15, 0.15) * extent
    x1, y1 = low + shift
    x2, y2 = high + shift
    box = Box(float(x1), float(y1), float(x2), float(y2))
    axis_map = crop_map(box, crop_scale=rng.uniform(*view.crop_scale))
    warped, inside = sample(values, axis_map, LANDMARK_INPUT)
    placed = axis_map.to_network(points)
    slack = 0.06 * extent
    limits = np.array([values.shape[1], values.shape[0]]) - 1 + slack
    seen = (points > -slack).all(axis=1) & (points < limits).all(axis=1)
    seen &= (placed >= 0).all(axis=1) & (placed <= LANDMARK_INPUT - 1).all(axis=1)
    image = normalise(warped, inside=inside)
    return image, np.asarray(placed, np.float32), np.asarray(seen, np.float32)
