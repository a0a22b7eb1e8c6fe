"""A person of the pool as the landmark network sees it: composed, exposed, cropped, normalised."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from service.imaging.normalisation import OUTSIDE, normalise
from service.vision.crop import LANDMARK_INPUT, SimilarityMap, crop_map, sample
from service.vision.faces import box_of, roll_of, upright_box
from training.synthesis.backgrounds import background
from training.synthesis.camera import expose
from training.synthesis.compose import anybody, mirror, paste
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.config.knobs import log_uniform
from training.synthesis.config.scene import ViewConfig
from training.synthesis.facts import ViewFacts
from training.synthesis.occluders import add_occluder
from training.synthesis.pool import Layer, Pool
from training.synthesis.rgb_scene import ColourScene

LARGEST_SCALE = 1.15  # a layer is not enlarged by more
_FARTHEST_SHIFT = 0.35  # of a crop's centre / longer side of the box: beyond, no box is of the face


@dataclass(frozen=True)
class View:
    """image uint8 [256, 256]; points float32 [68, 2] in its pixels; weight float32 [68]; frame
    float32 [H, W]: the camera's picture, to_network: from there to `image`; rgb uint8
    [3, 256, 256] R, G, B, pixel by pixel what `image` shows, if asked for."""

    image: ByteArray
    points: FloatArray
    weight: FloatArray
    facts: ViewFacts
    frame: FloatArray
    to_network: SimilarityMap
    rgb: ByteArray | None = None


def landmark_view(
    layer: Layer,
    rng: np.random.Generator,
    config: SynthesisConfig = DEFAULT,
    colour_rng: np.random.Generator | None = None,
    beside: Layer | None = None,
) -> View:
    """One random camera's picture of `layer`, cropped as serving crops.

    colour_rng: draws a colour picture of the same view as well, of a layer that has colours; the
    thermal one is the same with and without. beside: somebody else, to the left or right.
    """
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
    colours = None
    if colour_rng is not None:
        zoom = _finer(layer, scale, colour_rng, config)
        colours = ColourScene(side, zoom, colour_rng, config.rgb)
    people = [(layer, scale, origin)]
    if beside is not None:
        size, place = _place_beside(beside, longer * scale, side, rng, config.view)
        people.insert(int(size > 1), (beside, *place))  # the larger one is nearer: drawn last
    for one in people:
        paste(scene, *one, rng, config.frame.body_uneven_k)
        if colours is not None:
            colours.paste(*one)
    points = (layer.landmarks - origin) * np.float32(scale)
    low, high = points.min(axis=0), points.max(axis=0)
    occluded = rng.random() < config.occluder.view_chance
    if occluded:
        face = np.concatenate([low, high])
        add_occluder(scene, face, layer.facts.ambient, rng, config.occluder, colours=colours)
    rows, columns = _frame_edge(scene.shape, points, rng, config.view)
    start = np.array([columns.start, rows.start], np.float32)
    scene, points = scene[rows, columns], points - start
    exposure = expose(scene, rng, config.camera)
    facts = ViewFacts(
        person=layer.facts,
        size=float(np.sqrt(np.prod(high - low))),
        occluder=occluded,
        cut=_is_cut(scene, points),
        black_hot=exposure.black_hot,
    )
    crop = _crop(exposure.values, exposure.place(points), rng, config.view)
    rgb = None
    if colours is not None:
        picture, first = colours.expose(rows, columns)
        rgb = _colour_crop(picture, crop, exposure.scale, (first + 0.5) / colours.zoom - start,
                           colours.zoom)  # fmt: skip
    return View(crop.image, crop.points, crop.weight, facts, exposure.values, crop.to_network, rgb)


def neighbour(pool: Pool, rng: np.random.Generator, view: ViewConfig) -> Layer | None:
    """Now and then another person of the pool, for `landmark_view`."""
    return anybody(pool, rng) if rng.random() < view.beside_chance else None


def _place_beside(
    layer: Layer, face: float, side: int, rng: np.random.Generator, view: ViewConfig
) -> tuple[float, tuple[float, FloatArray]]:
    """The other face's size for each of the one in the middle; its scale and origin for `paste`.

    face: longer side of the face in the middle of the scene of `side` pixels.
    """
    size = log_uniform(view.beside_size, rng)
    scale = min(face * size / float(np.ptp(layer.landmarks, axis=0).max()), LARGEST_SCALE)
    away = rng.choice([-1.0, 1.0]) * rng.uniform(*view.beside_away) * (1 + size) / 2
    middle = side / 2 + face * np.array([away, rng.normal(0, view.beside_height)])
    origin = (layer.box[:2] + layer.box[2:]) / 2 - middle / scale
    return size, (scale, origin.astype(np.float32))


def _finer(layer: Layer, scale: float, rng: np.random.Generator, config: SynthesisConfig) -> float:
    """Pixels of the colour picture for one of the thermal one, 1 or more."""
    wanted = log_uniform(config.rgb.face_px, rng) / layer.face_size
    return max(min(wanted, LARGEST_SCALE) / scale, 1.0)


def _is_cut(values: FloatArray, points: FloatArray) -> bool:
    """Whether landmarks lie outside the frame."""
    limits = np.array([values.shape[1], values.shape[0]]) - 0.5
    return bool((points < -0.5).any() or (points > limits).any())


def _frame_edge(
    shape: tuple[int, ...], points: FloatArray, rng: np.random.Generator, view: ViewConfig
) -> tuple[slice, slice]:
    """Rows and columns of the scene that the frame shows: all, or up to close to the face, or
    into it."""
    rows, columns = slice(0, shape[0]), slice(0, shape[1])
    if rng.random() > view.cut_chance:
        return rows, columns
    low, high = points.min(axis=0), points.max(axis=0)
    cut = rng.uniform(*view.cut) * (high - low)
    edge = rng.integers(4)
    axis = edge % 2  # left, top, right, bottom
    if edge < 2:
        start = int(np.clip(low[axis] + cut[axis], 0, shape[1 - axis] - 8))
        return (rows, slice(start, shape[1])) if axis == 0 else (slice(start, shape[0]), columns)
    end = int(np.clip(high[axis] - cut[axis], 8, shape[1 - axis]))
    return (rows, slice(0, end)) if axis == 0 else (slice(0, end), columns)


@dataclass(frozen=True)
class _Crop:
    """Image, points and weight of a `View`; to_network: from the camera's picture to `image`;
    inside bool [256, 256]: where that picture reaches."""

    image: ByteArray
    points: FloatArray
    weight: FloatArray
    to_network: SimilarityMap
    inside: NDArray[np.bool_]


def _crop(
    values: FloatArray, points: FloatArray, rng: np.random.Generator, view: ViewConfig
) -> _Crop:
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    shift = rng.normal(0, 1, 2)
    crop_scale = rng.uniform(*view.crop_scale)
    if view.upright_chance and rng.random() < view.upright_chance:
        roll = roll_of(points) + rng.normal(0, view.upright_deg)
        box = upright_box(points + _shift(shift, view.shift) * extent, 1.0, roll)
    else:  # a detector's box, which is off by pixels, and so by more of a small face
        spread = math.hypot(view.shift, view.shift_px / extent)
        box = box_of(points + _shift(shift, spread) * extent, 1.0)
    to_network = crop_map(box, crop_scale=crop_scale)
    warped, inside = sample(values, to_network, LANDMARK_INPUT)
    placed = to_network.to_network(points)
    slack = 0.06 * extent
    limits = np.array([values.shape[1], values.shape[0]]) - 1 + slack
    seen = (points > -slack).all(axis=1) & (points < limits).all(axis=1)
    seen &= (placed >= 0).all(axis=1) & (placed <= LANDMARK_INPUT - 1).all(axis=1)
    image = normalise(warped, inside=inside)
    return _Crop(
        image, np.asarray(placed, np.float32), np.asarray(seen, np.float32), to_network, inside
    )


def _shift(normal: FloatArray, spread: float) -> FloatArray:
    return np.clip(normal * spread, -_FARTHEST_SHIFT, _FARTHEST_SHIFT)


def _colour_crop(
    picture: ByteArray, crop: _Crop, scale: tuple[float, float], corner: FloatArray, zoom: float
) -> ByteArray:
    """The colour picture [h, w, 3] pixel by pixel as `crop.image`: uint8 [3, 256, 256].

    scale: of the exposure; corner: (x, y) of the picture's first pixel, its centre, in the thermal
    frame before the exposure scaled it, counted from that frame's edge; zoom: see `ColourScene`.
    """
    matrix = crop.to_network.matrix()
    enlarged = matrix[:, :2] * scale
    offset = matrix[:, 2] + enlarged @ corner - matrix[:, :2] @ (0.5, 0.5)
    matrix = np.column_stack([enlarged / zoom, offset])
    # No area averaging: the picture is never much finer than the crop (`LARGEST_SCALE`).
    warped = cv2.warpAffine(
        picture, matrix, (LANDMARK_INPUT, LANDMARK_INPUT), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    warped[~crop.inside] = OUTSIDE
    return np.ascontiguousarray(warped.transpose(2, 0, 1), np.uint8)
