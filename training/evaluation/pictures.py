"""The worst cases, drawn: the network's view enlarged, true points and found ones."""

from typing import Final

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from service.imaging.drawing import encode_png

_SIDE: Final = 384  # pixels of a picture
_SHIFT: Final = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_TRUE, _FOUND = (90, 220, 90), (60, 140, 255)  # blue, green, red: green and orange


def draw_errors(view: ByteArray, true: FloatArray, found: FloatArray, pairs: FloatArray) -> bytes:
    """PNG of a crop: true points as green rings, found ones as orange dots, pairs joined.

    view: uint8 `[S, S]`. true `[T, 2]`, found `[F, 2]`, pairs `[P, 2, 2]` (from a true place to
    where it was found): view pixels; those with a nan are not drawn.
    """
    factor = _SIDE / view.shape[0]
    large = cv2.resize(view, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    canvas = np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)
    for start, end in _fixed(pairs, factor):
        for colour, line in (((20, 20, 20), 2), ((230, 230, 230), 1)):  # seen on any grey
            cv2.line(canvas, start, end, colour, line, cv2.LINE_AA, _SHIFT)
    for (point,) in _fixed(true[:, None], factor):
        cv2.circle(canvas, point, 3 << _SHIFT, _TRUE, 1, cv2.LINE_AA, _SHIFT)
    for (point,) in _fixed(found[:, None], factor):
        cv2.circle(canvas, point, 2 << _SHIFT, _FOUND, -1, cv2.LINE_AA, _SHIFT)
    return encode_png(canvas)


def _fixed(points: FloatArray, factor: float) -> list[list[list[int]]]:
    """Those without a nan of `[N, K, 2]`, in sixteenths of the enlarged picture's pixels.

    A pixel's centre is the centre of the square it is enlarged to.
    """
    known = points[np.isfinite(points).all(axis=(1, 2))].astype(np.float64)
    enlarged = np.clip((known + 0.5) * factor - 0.5, -_SIDE, 2 * _SIDE)
    whole: list[list[list[int]]] = np.rint(enlarged * 2**_SHIFT).astype(np.int32).tolist()
    return whole
