"""Variation of labelled pictures: mirror, rotation, shift and scale of a serving crop.

Crop and gain control are the serving steps; a network learns from what it will see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import Box, ByteArray, FloatArray
from service.imaging.normalisation import OUTSIDE, normalise
from service.landmark_schema import FLIP
from service.vision.crop import CROP_SCALE, SimilarityMap, crop_map, sample
from training.config import AugmentConfig
from training.data.faces import FaceLabel

_FARTHEST_SHIFT: Final = 0.15  # of the box's longer side, as in synthetic views


@dataclass(frozen=True)
class Variation:
    """What one crop does to a picture. The default is what serving does.

    crop_scale: side of the crop / longer side of the box. shift: of its centre, in longer sides.
    angle: degrees, clockwise in the picture. black_hot: cold is bright.
    """

    crop_scale: float = CROP_SCALE
    shift: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    flip: bool = False
    black_hot: bool = False


def draw_variation(rng: np.random.Generator, config: AugmentConfig) -> Variation:
    """Always as many numbers, so that every modality draws the same geometry."""
    shift = np.clip(rng.normal(0, config.shift, 2), -_FARTHEST_SHIFT, _FARTHEST_SHIFT)
    return Variation(
        crop_scale=float(rng.uniform(*config.crop_scale)),
        shift=(float(shift[0]), float(shift[1])),
        angle=float(rng.uniform(-config.rotation, config.rotation)),
        flip=bool(rng.random() < config.flip),
        black_hot=bool(rng.random() < config.black_hot),
    )


@dataclass(frozen=True)
class Crop:
    """planes: float32 `[S, S]` each. inside: bool `[S, S]`, where the picture reaches. points
    float32 `[68, 2]` in crop pixels, nan where nobody marked them. weight float32 `[68]`: 0 there,
    and outside the crop or the picture."""

    planes: Sequence[FloatArray]
    inside: NDArray[np.bool_]
    points: FloatArray
    weight: FloatArray


def crop_face(planes: Sequence[FloatArray], label: FaceLabel, how: Variation, size: int) -> Crop:
    """One face out of float32 planes `[H, W]` that share their pixels."""
    height, width = planes[0].shape
    if how.flip:
        planes, label = [plane[:, ::-1] for plane in planes], _mirrored(label, width)
    points = label.points
    limits = np.array([width, height]) - 0.5
    seen = np.asarray(((points >= -0.5) & (points <= limits)).all(axis=1))  # nan: False
    reach = np.ones((height, width), np.float32)
    if how.angle:
        matrix = _rotation(label.box, how.angle)
        planes = [_warp(plane, matrix, cv2.BORDER_REPLICATE) for plane in planes]
        reach = _warp(reach, matrix, cv2.BORDER_CONSTANT)
        points = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    to_network = _crop_map(label.box, how, size)
    covered, inside = sample(reach, to_network, size)
    placed = to_network.to_network(points)
    seen &= (placed >= 0).all(axis=1) & (placed <= size - 1).all(axis=1)
    return Crop(
        planes=[sample(plane, to_network, size)[0] for plane in planes],
        inside=inside & (covered > 0.5),
        points=np.asarray(placed, np.float32),
        weight=np.where(seen, label.weight, 0).astype(np.float32),
    )


def thermal_crop(plane: FloatArray, inside: NDArray[np.bool_], *, black_hot: bool) -> ByteArray:
    """A plane of a crop to uint8 `[S, S]` as serving does."""
    if not inside.any():
        return np.full(plane.shape, OUTSIDE, np.uint8)
    return normalise(plane, inside=inside, black_hot=black_hot)


def colour_crop(planes: Sequence[FloatArray], inside: NDArray[np.bool_]) -> ByteArray:
    """Three planes of a crop to uint8 `[3, S, S]`: as photographed, without gain control."""
    stacked = np.clip(np.stack(planes) + 0.5, 0, 255).astype(np.uint8)
    stacked[:, ~inside] = OUTSIDE
    return stacked


def _crop_map(box: Box, how: Variation, size: int) -> SimilarityMap:
    longer = max(box.width, box.height)
    x, y = (part * longer for part in how.shift)
    moved = Box(box.x1 + x, box.y1 + y, box.x2 + x, box.y2 + y)
    return crop_map(moved, size, how.crop_scale)


def _mirrored(label: FaceLabel, width: int) -> FaceLabel:
    points, box, last = label.points[FLIP,].copy(), label.box, width - 1
    points[:, 0] = last - points[:, 0]
    mirror = Box(last - box.x2, box.y1, last - box.x1, box.y2)
    return replace(label, points=points, weight=label.weight[FLIP,], box=mirror)


def _rotation(box: Box, angle: float) -> FloatArray:
    """float64 `[2, 3]`, about the box's centre: so the box still holds the face."""
    centre = ((box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2)
    return np.asarray(cv2.getRotationMatrix2D(centre, -angle, 1.0))


def _warp(plane: FloatArray, matrix: FloatArray, border: int) -> FloatArray:
    size = (plane.shape[1], plane.shape[0])
    source = np.ascontiguousarray(plane, np.float32)
    return np.asarray(
        cv2.warpAffine(source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border), np.float32
    )
