"""Turning frames by quarter turns, and points and boxes with them and back.

All coordinates are of pixel centres: a frame of width W has its columns at x = 0 ... W-1.
`width` and `height` are always those of the frame that was sent, before any turn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, FloatArray, ThermalFrame


def rotate_frame(frame: ThermalFrame, rotate: int) -> ThermalFrame:
    """The frame turned clockwise by `rotate` degrees (0, 90, 180, 270)."""
    raise NotImplementedError


def rotate_points(
    points: NDArray[np.floating[Any]], width: int, height: int, rotate: int
) -> FloatArray:
    """Points `[..., >=2]` of the sent frame to the turned one; columns after x, y are kept."""
    raise NotImplementedError


def unrotate_points(
    points: NDArray[np.floating[Any]], width: int, height: int, rotate: int
) -> FloatArray:
    """Points `[..., >=2]` of the turned frame back to the sent one; columns after x, y are kept."""
    raise NotImplementedError


def rotate_box(box: Box, width: int, height: int, rotate: int) -> Box:
    """A box of the sent frame in the turned one."""
    raise NotImplementedError


def unrotate_box(box: Box, width: int, height: int, rotate: int) -> Box:
    """A box of the turned frame in the sent one."""
    raise NotImplementedError
