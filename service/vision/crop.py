"""From frame pixels to network pixels and back: the square landmark crop, the detector's letterbox.

Both are one similarity map of pixel centres, so coordinates go back by the same numbers. Values
stay float: normalisation comes after the crop, from the full range. Shared by serving and training.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import Box, ByteArray, FloatArray
from service.imaging.normalisation import OUTSIDE, normalise

LANDMARK_INPUT = 256  # pixels, both sides of the landmark networks' input
DETECTOR_INPUT = 320  # pixels, both sides of the detector's usual input
OPENCV_SIDE = 32_766  # pixels a side that cv2.warpAffine takes
CROP_SCALE = 1.25  # side of the square landmark crop / longer side of the box


@dataclass(frozen=True)
class SimilarityMap:
    """`network = scale * rotation * frame + offset`, on continuous pixel-centre coordinates.

    roll: degrees by which a face is turned clockwise in the frame and that the rotation takes back.
    """

    scale: float
    offset_x: float
    offset_y: float
    roll: float = 0.0

    def to_frame(self, points: FloatArray) -> FloatArray:
        """Network pixels `[..., 2]` (x, y) to frame pixels."""
        turned = (points - self._offset) / np.float32(self.scale)
        return turned @ rotation(self.roll) if self.roll else turned

    def to_network(self, points: FloatArray) -> FloatArray:
        """Frame pixels `[..., 2]` (x, y) to network pixels."""
        turned = points @ rotation(self.roll).T if self.roll else points
        return turned * np.float32(self.scale) + self._offset

    def matrix(self) -> NDArray[np.float64]:
        """`[2, 3]`, as OpenCV takes it."""
        linear = self.scale * rotation(self.roll).astype(np.float64)
        return np.column_stack([linear, (self.offset_x, self.offset_y)])

    @property
    def _offset(self) -> FloatArray:
        return np.array([self.offset_x, self.offset_y], np.float32)


def rotation(roll: float) -> FloatArray:
    """The matrix `[2, 2]` that turns points (x, y) back by `roll` degrees clockwise."""
    cosine, sine = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    return np.array([[cosine, sine], [-sine, cosine]], np.float32)


def crop_map(box: Box, size: int = LANDMARK_INPUT, crop_scale: float = CROP_SCALE) -> SimilarityMap:
    """The map of a square crop around `box`: its longer side times `crop_scale` fills `size`.

    A face whose tilt the box knows stands upright in it, and its upright box counts.
    """
    longer, roll = max(box.width, box.height), 0.0
    centre = np.array([box.x1 + box.x2, box.y1 + box.y2]) / 2
    if box.tilt is not None:
        roll = box.tilt.roll
        centre = rotation(roll) @ (centre + np.array([box.tilt.x, box.tilt.y]) * longer)
        longer *= box.tilt.extent
    scale = size / (max(longer, 1.0) * crop_scale)
    x, y = centre.tolist()
    middle = (size - 1) / 2
    return SimilarityMap(scale, middle - scale * x, middle - scale * y, roll)


def letterbox_map(width: int, height: int, size: int = DETECTOR_INPUT) -> SimilarityMap:
    """The map that fits a whole frame into a square of `size`, centred, aspect kept."""
    scale = size / max(width, height)
    middle = (size - 1) / 2
    return SimilarityMap(scale, middle - scale * (width - 1) / 2, middle - scale * (height - 1) / 2)


def sample(
    values: FloatArray, to_network: SimilarityMap, size: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Resample a frame `[H, W]` into the network's square.

    Returns float32 `[size, size]` and a mask, True where the frame reaches. When the map shrinks,
    the frame is averaged over areas first: plain bilinear sampling would alias.
    """
    height, width = values.shape
    source = np.ascontiguousarray(values, dtype=np.float32)
    matrix = to_network.matrix()
    if to_network.scale < 0.67:
        shrunk = max(1, round(width * to_network.scale)), max(1, round(height * to_network.scale))
        source = np.asarray(cv2.resize(source, shrunk, interpolation=cv2.INTER_AREA), np.float32)
        matrix = _after_area(matrix, shrunk[0] / width, shrunk[1] / height)
    if max(source.shape) > OPENCV_SIDE:
        source, matrix = _window(source, matrix, size)
    warped = cv2.warpAffine(
        source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.float32), _reached(to_network, size, width, height)


def _after_area(matrix: NDArray[np.float64], sx: float, sy: float) -> NDArray[np.float64]:
    """The map from a frame that was area-resampled by `sx` and `sy`.

    Area resampling keeps corners: centre x of the frame is `(x + 0.5) * sx - 0.5` after it.
    """
    linear = matrix[:, :2] / (sx, sy)
    return np.column_stack([linear, matrix[:, 2] + linear @ (0.5 - 0.5 * sx, 0.5 - 0.5 * sy)])


def _reached(to_network: SimilarityMap, size: int, width: int, height: int) -> NDArray[np.bool_]:
    """Which of the network's pixels `[size, size]` lie in the frame."""
    steps = np.arange(size, dtype=np.float32)
    x = (steps[None, :] - to_network.offset_x) / to_network.scale
    y = (steps[:, None] - to_network.offset_y) / to_network.scale
    if to_network.roll:  # else a row and a column tell all
        (cosine, sine), _ = rotation(to_network.roll)
        x, y = cosine * x - sine * y, sine * x + cosine * y
    inside_x = np.abs(x - (width - 1) / 2) <= width / 2
    return np.asarray(inside_x & (np.abs(y - (height - 1) / 2) <= height / 2))


def _window(
    source: FloatArray, matrix: NDArray[np.float64], size: int
) -> tuple[FloatArray, NDArray[np.float64]]:
    """The part of a very long frame that reaches the network's square, and the map from there."""
    square = np.array([[x, y] for x in (0, size) for y in (0, size)]) - matrix[:, 2]
    corners = square @ np.linalg.inv(matrix[:, :2]).T
    parts, starts = [], []
    for axis, length in ((0, source.shape[1]), (1, source.shape[0])):
        start = int(np.clip(np.floor(corners[:, axis].min()) - 2, 0, length - 1))
        end = int(np.clip(np.ceil(corners[:, axis].max()) + 2, start + 1, length))
        parts.append(slice(start, end))
        starts.append(start)
    moved = np.column_stack([matrix[:, :2], matrix[:, 2] + matrix[:, :2] @ starts])
    return np.ascontiguousarray(source[parts[1], parts[0]]), moved


def landmark_crop(
    values: FloatArray, box: Box, normalisation: str, *, black_hot: bool = False
) -> tuple[ByteArray, SimilarityMap]:
    """The landmark network's view of one face: uint8 `[256, 256]`, and its map."""
    to_network = crop_map(box)
    return _view(values, to_network, LANDMARK_INPUT, normalisation, black_hot), to_network


def letterbox(
    values: FloatArray, normalisation: str, *, black_hot: bool = False, size: int = DETECTOR_INPUT
) -> tuple[ByteArray, SimilarityMap]:
    """The detector's view of a whole frame: uint8 `[size, size]`, and its map."""
    to_network = letterbox_map(values.shape[1], values.shape[0], size)
    return _view(values, to_network, size, normalisation, black_hot), to_network


def _view(
    values: FloatArray, to_network: SimilarityMap, size: int, normalisation: str, black_hot: bool
) -> ByteArray:
    warped, inside = sample(values, to_network, size)
    if not inside.any():
        return np.full((size, size), OUTSIDE, np.uint8)
    return normalise(warped, normalisation, inside=inside, black_hot=black_hot)
