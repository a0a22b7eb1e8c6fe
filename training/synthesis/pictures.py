"""Pictures to look at: labels drawn on samples, and sheets of labelled rows."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from service.imaging.normalisation import normalise

LABEL_ROWS = 15  # pixels of the text above a row
GREEN, RED = (0, 255, 0), (0, 0, 255)


def grey(values: FloatArray) -> ByteArray:
    """Any values [H, W] as serving would normalise them: uint8 [H, W]."""
    return normalise(values, inside=np.ones(values.shape, bool))


def write_picture(out: Path, picture: ByteArray) -> None:
    """Write a sheet (uint8 BGR) as PNG, or as JPEG of a size to be committed."""
    out.parent.mkdir(parents=True, exist_ok=True)  # OpenCV would write nothing and say nothing
    how = [cv2.IMWRITE_JPEG_QUALITY, 72] if out.suffix == ".jpg" else []
    cv2.imwrite(str(out), picture, how)


def dotted(image: ByteArray, points: FloatArray, weight: FloatArray) -> ByteArray:
    """A landmark crop, grey or BGR, with its points: green, or red where they are not learned
    from."""
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy()
    for (x, y), w in zip(points, weight, strict=True):
        colour = GREEN if w > 0 else RED
        cv2.circle(picture, (round(float(x)), round(float(y))), 1, colour, -1)
    return np.asarray(picture, np.uint8)


def boxed(image: ByteArray, boxes: FloatArray, ignore: FloatArray) -> ByteArray:
    """A detector frame with its boxes: green to find, red to ignore."""
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    for (x1, y1, x2, y2), ignored in zip(np.round(boxes).astype(int), ignore, strict=True):
        colour = RED if ignored else GREEN
        cv2.rectangle(picture, (int(x1), int(y1)), (int(x2), int(y2)), colour, 1)
    return np.asarray(picture, np.uint8)


def sheet(rows: Sequence[tuple[str, Sequence[ByteArray]]], tile: int, columns: int) -> ByteArray:
    """Rows of pictures under their labels, in `columns` columns of rows, uint8 BGR.

    tile: pixels of a picture's side. Pictures are fitted into it.
    """
    longest = max(len(pictures) for _, pictures in rows)
    strips = [_strip(label, pictures, tile, longest * tile) for label, pictures in rows]
    height = -(-len(strips) // columns)
    strips += [np.full_like(strips[0], 255)] * (height * columns - len(strips))
    parts = [np.vstack(strips[i * height : (i + 1) * height]) for i in range(columns)]
    gap = np.full((parts[0].shape[0], 12, 3), 255, np.uint8)
    return np.hstack([piece for part in parts for piece in (part, gap)][:-1])


def _strip(label: str, pictures: Sequence[ByteArray], tile: int, width: int) -> ByteArray:
    strip = np.full((LABEL_ROWS + tile + 3, width, 3), 255, np.uint8)
    place = (1, LABEL_ROWS - 4)
    cv2.putText(strip, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    for index, picture in enumerate(pictures):
        colour = picture if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        zoom = (tile - 2) / max(colour.shape[:2])
        size = max(1, round(colour.shape[1] * zoom)), max(1, round(colour.shape[0] * zoom))
        kind = cv2.INTER_AREA if zoom < 1 else cv2.INTER_NEAREST
        fitted = cv2.resize(colour, size, interpolation=kind)
        strip[LABEL_ROWS : LABEL_ROWS + size[1], index * tile : index * tile + size[0]] = fitted
    return strip
