"""Skin temperature by region of the face, from calibrated values and landmarks.

A region is a disc, or several. Centres are means of landmarks and radii are shares of the face's
size, which is sqrt(width * height) of the landmarks' bounding box. "left" and "right" are the
subject's own.

| region | centre: mean of landmarks | radius | value |
| --- | --- | --- | --- |
| right_inner_canthus | 39 | 0.035 | 90th percentile |
| left_inner_canthus | 42 | 0.035 | 90th percentile |
| forehead | 19 to 24, raised by 0.28 of the distance from mouth to brows | 0.09 | median |
| nose_tip | 30 | 0.04 | median |
| right_cheek | 3, 31, 41, 48 | 0.07 | median |
| left_cheek | 13, 35, 46, 54 | 0.07 | median |
| lips | 51, 62 and 57, 66: two discs | 0.03 | median |
| chin | 8, 57 | 0.06 | median |

"Up" is the direction from the mouth (landmarks 48 to 67) to the brows (17 to 26), so a tilted or
turned face is measured at the same places. The inner canthus is a spot warmer than all around it,
hence the percentile; a median would measure the nose's flank. Nothing is corrected for hair,
glasses or a mask that covers a region: the landmarks' scores tell about those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.landmark_schema import KEYPOINTS

IntArray = NDArray[np.intp]

_FAR_AWAY: Final = 1e6  # pixels: no frame is that wide


@dataclass(frozen=True)
class _Region:
    centres: tuple[tuple[int, ...], ...]  # of one disc each: landmarks whose mean it is
    radius: float  # share of the face's size
    percentile: float = 50.0
    raised: float = 0.0  # share of the distance from mouth to brows


_REGIONS: Final[dict[str, _Region]] = {
    "right_inner_canthus": _Region(((39,),), 0.035, percentile=90.0),
    "left_inner_canthus": _Region(((42,),), 0.035, percentile=90.0),
    "forehead": _Region(((19, 20, 21, 22, 23, 24),), 0.09, raised=0.28),
    "nose_tip": _Region(((30,),), 0.04),
    "right_cheek": _Region(((3, 31, 41, 48),), 0.07),
    "left_cheek": _Region(((13, 35, 46, 54),), 0.07),
    "lips": _Region(((51, 62), (57, 66)), 0.03),
    "chin": _Region(((8, 57),), 0.06),
}
REGION_NAMES: Final = tuple(_REGIONS)


def region_temperatures(values_celsius: FloatArray, landmarks: FloatArray) -> dict[str, float]:
    """Region name, one of `REGION_NAMES`, to degrees Celsius.

    values_celsius: float32 `[H, W]`. landmarks: `[68, 2 or more]` (x, y, ...) in its pixels.

    A disc holds the pixels whose centres lie in it, and at least the one nearest to its middle. A
    region is left out where less than half of its pixels lie in the frame, or a landmark of it is
    not finite; the answer is never NaN. ValueError for another number of landmarks.
    """
    if len(landmarks) != KEYPOINTS:
        raise ValueError(f"{len(landmarks)} landmarks instead of {KEYPOINTS}")
    points = np.asarray(landmarks, np.float64)[:, :2]
    points = np.where(np.isfinite(points), points, np.nan)  # sums of infinities would warn
    known = points[np.isfinite(points).all(axis=1)]
    if len(known) == 0:
        return {}
    width, height = np.ptp(known, axis=0).tolist()
    size = float(np.sqrt(width * height))
    up = points[17:27].mean(axis=0) - points[48:68].mean(axis=0)
    out: dict[str, float] = {}
    for name, region in _REGIONS.items():
        middles = [points[list(landmarks_of)].mean(axis=0) for landmarks_of in region.centres]
        if region.raised:  # not by 0 times what may be unknown
            middles = [middle + region.raised * up for middle in middles]
        values = _in_discs(values_celsius, middles, region.radius * size)
        if values is not None:
            out[name] = float(np.percentile(values, region.percentile))
    return out


def _in_discs(
    values: FloatArray, middles: Sequence[NDArray[np.float64]], radius: float
) -> FloatArray | None:
    """The frame's values in the discs, or None if half of their pixels are not in the frame."""
    collected: list[FloatArray] = []
    total = 0
    for middle in middles:
        if not np.isfinite(middle).all() or np.abs(middle).max() > _FAR_AWAY:
            return None
        columns, rows = _pixels_of_disc(float(middle[0]), float(middle[1]), radius)
        total += len(columns)
        seen = (0 <= columns) & (columns < values.shape[1]) & (0 <= rows) & (rows < values.shape[0])
        collected.append(values[rows[seen], columns[seen]])
    found = np.concatenate(collected)
    found = found[np.isfinite(found)]
    return found if 2 * len(found) >= total and len(found) > 0 else None


def _pixels_of_disc(x: float, y: float, radius: float) -> tuple[IntArray, IntArray]:
    """Columns and rows of the pixels whose centres lie in the disc; its middle's, if there is none.

    Discs larger than any frame are cut to 400 pixels of radius: a face that large is a mistake.
    """
    radius = min(radius, 400.0)
    columns = np.arange(np.ceil(x - radius), np.floor(x + radius) + 1).astype(np.intp)
    rows = np.arange(np.ceil(y - radius), np.floor(y + radius) + 1).astype(np.intp)
    in_disc = (columns[None, :] - x) ** 2 + (rows[:, None] - y) ** 2 <= radius**2
    if not in_disc.any():
        return np.array([round(x)], np.intp), np.array([round(y)], np.intp)
    row_indices, column_indices = np.nonzero(in_disc)
    return columns[column_indices], rows[row_indices]
