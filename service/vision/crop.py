"""From frame pixels to network pixels and back: the square landmark crop, the detector's letterbox.

Both are one affine map of pixel centres, so coordinates go back by the same numbers. Values stay
float: normalisation comes after the crop, from the full range. Shared by serving and training.
"""

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
class AxisMap:
    """`network = scale * frame + offset`, per axis, on continuous pixel-centre coordinates."""

    scale: float
    offset_x: float
    offset_y: float

    def to_frame(self, points: FloatArray) -> FloatArray:
        """Network pixels `[..., 2]` (x, y) to frame pixels."""
        offset = np.array([self.offset_x, self.offset_y], np.float32)
        return (points - offset) / np.float32(self.scale)

    def to_network(self, points: FloatArray) -> FloatArray:
        """Frame pixels `[..., 2]` (x, y) to network pixels."""
        offset = np.array([self.offset_x, self.offset_y], np.float32)
        return points * np.float32(self.scale) + offset


def crop_map(box: Box, size: int = LANDMARK_INPUT, crop_scale: float = CROP_SCALE) -> AxisMap:
    """The map of a square crop around `box`: its longer side times `crop_scale` fills `size`."""
    side = max(box.width, box.height, 1.0) * crop_scale
    scale = size / side
    centre_x, centre_y = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
    middle = (size - 1) / 2
    return AxisMap(scale, middle - scale * centre_x, middle - scale * centre_y)


def letterbox_map(width: int, height: int, size: int = DETECTOR_INPUT) -> AxisMap:
    """The map that fits a whole frame into a square of `size`, centred, aspect kept."""
    scale = size / max(width, height)
    middle = (size - 1) / 2
    return AxisMap(scale, middle - scale * (width - 1) / 2, middle - scale * (height - 1) / 2)


def sample(
    values: FloatArray, to_network: AxisMap, size: int
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Resample a frame `[H, W]` into the network's square.

    Returns float32 `[size, size]` and a mask, True where the frame reaches. When the map shrinks,
    the frame is averaged over areas first: plain bilinear sampling would alias.
    """
    scale, ox, oy = to_network.scale, to_network.offset_x, to_network.offset_y
    height, width = values.shape
    source = np.ascontiguousarray(values, dtype=np.float32)
    if scale < 0.67:
        shrunk = max(1, round(width * scale)), max(1, round(height * scale))
        sx, sy = shrunk[0] / width, shrunk[1] / height
        source = np.asarray(cv2.resize(source, shrunk, interpolation=cv2.INTER_AREA), np.float32)
        # Area resampling keeps corners: centre x of the source is (x + 0.5) * sx - 0.5 after it.
        kx, ky = scale / sx, scale / sy
        matrix = np.array(
            [[kx, 0, ox + kx * (0.5 - 0.5 * sx)], [0, ky, oy + ky * (0.5 - 0.5 * sy)]], np.float64
        )
    else:
        matrix = np.array([[scale, 0, ox], [0, scale, oy]], np.float64)
    if max(source.shape) > OPENCV_SIDE:
        source, matrix = _window(source, matrix, size)
    warped = cv2.warpAffine(
        source, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    steps = np.arange(size, dtype=np.float32)
    inside_x = np.abs((steps - ox) / scale - (width - 1) / 2) <= width / 2
    inside_y = np.abs((steps - oy) / scale - (height - 1) / 2) <= height / 2
    return np.asarray(warped, np.float32), inside_y[:, None] & inside_x[None, :]


def _window(
    source: FloatArray, matrix: NDArray[np.float64], size: int
) -> tuple[FloatArray, NDArray[np.float64]]:
    """The part of a very long frame that reaches the network's square, and the map from there."""
    moved, parts = matrix.copy(), []
    for axis, length in ((0, source.shape[1]), (1, source.shape[0])):
        scale, offset = matrix[axis, axis], matrix[axis, 2]
        start = int(np.clip(np.floor(-offset / scale) - 2, 0, length - 1))
        end = int(np.clip(np.ceil((size - offset) / scale) + 2, start + 1, length))
        moved[axis, 2] += scale * start
        parts.append(slice(start, end))
    return np.ascontiguousarray(source[parts[1], parts[0]]), moved


def landmark_crop(
    values: FloatArray, box: Box, normalisation: str, *, black_hot: bool = False
) -> tuple[ByteArray, AxisMap]:
    """The landmark network's view of one face: uint8 `[256, 256]`, and its map."""
    axis_map = crop_map(box)
    return _view(values, axis_map, LANDMARK_INPUT, normalisation, black_hot), axis_map


def letterbox(
    values: FloatArray, normalisation: str, *, black_hot: bool = False, size: int = DETECTOR_INPUT
) -> tuple[ByteArray, AxisMap]:
    """The detector's view of a whole frame: uint8 `[size, size]`, and its map."""
    axis_map = letterbox_map(values.shape[1], values.shape[0], size)
    return _view(values, axis_map, size, normalisation, black_hot), axis_map


def _view(
    values: FloatArray, axis_map: AxisMap, size: int, normalisation: str, black_hot: bool
) -> ByteArray:
    warped, inside = sample(values, axis_map, size)
    if not inside.any():
        return np.full((size, size), OUTSIDE, np.uint8)
    return normalise(warped, normalisation, inside=inside, black_hot=black_hot)
