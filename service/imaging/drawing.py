"""The picture for `Accept: image/png`: normalised grey with boxes, landmarks and scores.

Small frames are enlarged by a whole factor, so that points half a pixel apart can be told apart:
the largest of 1 to 12 that keeps the longer side within 1280 pixels. 80 x 60 comes out 960 x 720,
160 x 120 as 1280 x 960, 640 x 512 as 1280 x 1024, 1024 x 768 as it is.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, Face, FloatArray, ThermalFrame
from service.imaging.normalisation import normalise
from service.landmark_schema import REGIONS

_LONGEST: Final = 1280  # pixels, of an enlarged picture's longer side
_MOST: Final = 12  # enlarging factor
_SHIFT: Final = 4  # OpenCV's fixed-point coordinates: sixteenths of a pixel
_CLOSED: Final = frozenset({"right_eye", "left_eye", "outer_lips", "inner_lips"})
# Blue, green, red; the subject's right and left differ, so that a mirrored answer is seen.
_COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "jaw": (235, 206, 60),
    "right_brow": (80, 160, 255),
    "left_brow": (90, 220, 90),
    "nose_bridge": (255, 140, 200),
    "nostrils": (255, 140, 200),
    "right_eye": (60, 120, 255),
    "left_eye": (60, 200, 60),
    "outer_lips": (90, 90, 255),
    "inner_lips": (200, 170, 255),
}
_BOX_COLOUR: Final = (0, 230, 255)
_UNCERTAIN_COLOUR: Final = (60, 60, 255)
_DASHES: Final = 10  # on each side of an uncertain face's box
_INK: Final = (20, 20, 20)


def scale_factor(width: int, height: int) -> int:
    """By how much `draw_faces` enlarges a frame of this size."""
    return max(1, min(_MOST, _LONGEST // max(width, height, 1)))


def draw_faces(frame: ThermalFrame, faces: Sequence[Face], normalisation: str = "auto") -> bytes:
    """PNG bytes of `paint_faces`."""
    return encode_png(paint_faces(frame, faces, normalisation))


def paint_faces(
    frame: ThermalFrame, faces: Sequence[Face], normalisation: str = "auto"
) -> ByteArray:
    """The frame with its faces drawn, uint8 `[H, W, 3]` blue, green, red: box, track id if there is
    one, score, landmarks joined by region.

    An uncertain face has a dashed red box, any other a whole yellow one.
    faces: boxes and landmarks in the frame's pixels; what lies outside the frame, or is not
    finite, is not drawn. InvalidOption for an unknown normalisation.
    """
    factor = scale_factor(frame.width, frame.height)
    grey = normalise(frame.values, normalisation, black_hot=frame.black_hot)
    size = frame.width * factor, frame.height * factor
    large = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    canvas = np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)
    for face in faces:
        _draw_box(canvas, face, factor)
        _draw_landmarks(canvas, face, factor)
    return canvas


def encode_png(image: ByteArray) -> bytes:
    """PNG bytes of a uint8 picture, `[H, W]` grey or `[H, W, 3]` blue, green, red."""
    # Speed before size: level 1 takes a third of the default's time for a few per cent more bytes.
    encoded, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not encoded:
        raise ValueError(f"cannot encode an array of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


def _fixed(points: FloatArray, factor: int) -> NDArray[np.int32]:
    """Frame pixels `[N, 2]` to the enlarged picture's, in sixteenths, cut to a margin around it.

    A frame pixel's centre is the centre of the square it is enlarged to.
    """
    enlarged = (points.astype(np.float64) + 0.5) * factor - 0.5
    return np.clip(np.rint(enlarged * 2**_SHIFT), -(2**20), 2**20).astype(np.int32)


def _draw_box(canvas: ByteArray, face: Face, factor: int) -> None:
    box = face.box
    corners = np.array([[box.x1, box.y1], [box.x2, box.y2]], np.float32)
    if not np.isfinite(corners).all():
        return
    (left, top), (right, bottom) = _fixed(corners, factor).tolist()
    line = max(1, round(max(canvas.shape) / 800))
    uncertain = face.verdict is not None and not face.verdict.reliable
    colour = _UNCERTAIN_COLOUR if uncertain else _BOX_COLOUR
    if uncertain:
        _dash(canvas, np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), line)
    else:
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, line, cv2.LINE_AA, _SHIFT)
    track = "" if face.track_id is None else f"#{face.track_id} "
    _write(canvas, f"{track}{box.score:.2f}", left >> _SHIFT, top >> _SHIFT, colour)


def _dash(canvas: ByteArray, corners: NDArray[np.int_], line: int) -> None:
    """The closed outline through `corners` `[4, 2]` (sixteenths of a pixel), dashed."""
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        ends = np.linspace(start, end, 2 * _DASHES).astype(np.int32)  # dash, gap, dash ...
        for first, second in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
            cv2.line(canvas, first, second, _UNCERTAIN_COLOUR, line, cv2.LINE_AA, _SHIFT)


def _write(canvas: ByteArray, text: str, x: int, y: int, paint: tuple[int, int, int]) -> None:
    """Small text just above (x, y), moved into the picture where it would leave it."""
    scale = max(canvas.shape) / 2400 + 0.1
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    x = min(max(x, 1), max(canvas.shape[1] - width - 1, 1))
    y = min(max(y - below, height + 1), canvas.shape[0] - below)
    for colour, line in ((_INK, 3), (paint, 1)):  # an outline, readable on any grey
        cv2.putText(
            canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, line, cv2.LINE_AA
        )


def _draw_landmarks(canvas: ByteArray, face: Face, factor: int) -> None:
    xy = np.asarray(face.landmarks, np.float32)[:, :2]
    known: NDArray[np.bool_] = np.asarray(np.isfinite(xy).all(axis=1))
    points = _fixed(np.where(known[:, None], xy, 0), factor)
    # Dots of small faces must not run into each other, nor become too small to be seen.
    size = face.box.size if np.isfinite(face.box.size) else 0.0
    radius = min(max(size * factor / 50, 1.0), 4.0)
    for region, (first, last) in REGIONS.items():
        colour = _COLOURS[region]
        chosen = np.arange(first, last + 1)
        if known[chosen].all():
            cv2.polylines(canvas, [points[chosen]], region in _CLOSED, colour, 1, cv2.LINE_AA,
                          _SHIFT)  # fmt: skip
        for x, y in points[chosen[known[chosen]]].tolist():
            cv2.circle(canvas, (x, y), round(radius * 2**_SHIFT), colour, -1, cv2.LINE_AA, _SHIFT)
