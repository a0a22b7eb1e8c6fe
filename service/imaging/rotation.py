"""Turning frames by quarter turns, and points and boxes with them and back.

All coordinates are of pixel centres: a frame of width W has its columns at x = 0 ... W - 1.
`width` and `height` are always those of the frame that was sent, before any turn, and `rotate` is
in degrees clockwise: 0, 90, 180 or 270; anything else is an InvalidOption.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, FloatArray, ThermalFrame, Tilt
from service.errors import InvalidOption
from service.imaging.options import ROTATIONS


def rotate_frame(frame: ThermalFrame, rotate: int) -> ThermalFrame:
    """The frame turned clockwise; the same object for 0."""
    _check(rotate)
    if rotate == 0:
        return frame
    return replace(frame, values=np.ascontiguousarray(np.rot90(frame.values, -rotate // 90)))


def rotate_points(
    points: NDArray[np.floating[Any]], width: int, height: int, rotate: int
) -> FloatArray:
    """Points `[..., 2 or more]` (x, y, ...) of the sent frame to the turned one, float32.

    Columns after x and y (score, sigma) are kept. The input is not changed.
    """
    _check(rotate)
    out = np.array(points, np.float32)
    x, y = out[..., 0].copy(), out[..., 1].copy()
    if rotate == 90:
        out[..., 0], out[..., 1] = height - 1 - y, x
    elif rotate == 180:
        out[..., 0], out[..., 1] = width - 1 - x, height - 1 - y
    elif rotate == 270:
        out[..., 0], out[..., 1] = y, width - 1 - x
    return out


def unrotate_points(
    points: NDArray[np.floating[Any]], width: int, height: int, rotate: int
) -> FloatArray:
    """The inverse of `rotate_points`: points of the turned frame back to the sent one."""
    _check(rotate)
    if rotate in (90, 270):  # turning on to a full circle is turning back
        width, height = height, width
    return rotate_points(points, width, height, (360 - rotate) % 360)


def rotate_box(box: Box, width: int, height: int, rotate: int) -> Box:
    """A box of the sent frame in the turned one; its score is kept, a known tilt turns along."""
    return _box(box, rotate_points(_corners(box), width, height, rotate), rotate)


def unrotate_box(box: Box, width: int, height: int, rotate: int) -> Box:
    """The inverse of `rotate_box`."""
    return _box(box, unrotate_points(_corners(box), width, height, rotate), -rotate)


def _corners(box: Box) -> FloatArray:
    return np.array([[box.x1, box.y1], [box.x2, box.y2]], np.float32)


def _box(box: Box, corners: FloatArray, turn: int) -> Box:
    x1, y1 = corners.min(axis=0).tolist()
    x2, y2 = corners.max(axis=0).tolist()
    return Box(x1, y1, x2, y2, box.score, tilt=box.tilt and _turned(box.tilt, turn))


def _turned(tilt: Tilt, turn: int) -> Tilt:
    x, y = {0: (tilt.x, tilt.y), 90: (-tilt.y, tilt.x), 180: (-tilt.x, -tilt.y),
            270: (tilt.y, -tilt.x)}[turn % 360]  # fmt: skip
    return replace(tilt, roll=tilt.roll + turn, x=x, y=y)


def _check(rotate: int) -> None:
    if rotate not in ROTATIONS:
        allowed = list(ROTATIONS)
        raise InvalidOption(f"rotate {rotate!r} is not one of {allowed}", allowed=allowed)
