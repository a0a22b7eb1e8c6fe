"""Automatic gain control (AGC): thermal values of any unit and range to the uint8 a network sees.

Methods are versioned by name and echoed in every response, so that a result can be reproduced: a
method whose arithmetic changes gets a new name.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray
from service.errors import InvalidOption

OUTSIDE: Final = 127  # grey level where the frame does not reach: neither hot nor cold
DEFAULT_NORMALISATION: Final = "linear-v1"


def _stretch(values: FloatArray, low: float, high: float) -> FloatArray:
    return np.asarray((values - np.float32(low)) * np.float32(255.0 / max(high - low, 1e-6)))


def _linear_v1(values: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
    """Percentiles 0.5 and 99.5 of the valid pixels to 0 and 255, linear between."""
    low, high = np.percentile(values[inside][::3], (0.5, 99.5))
    return _stretch(values, float(low), float(high))


def _minmax_v1(values: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
    """Smallest and largest valid value to 0 and 255, linear between."""
    low, high = values[inside].min(), values[inside].max()
    return _stretch(values, float(low), float(high))


def _clahe_v1(values: FloatArray, inside: NDArray[np.bool_]) -> FloatArray:
    """`linear-v1`, then contrast-limited histogram equalisation on 8 x 8 tiles, clip limit 2.

    The tiles also count the pixels outside: the frame's edge, repeated.
    """
    grey = np.clip(_linear_v1(values, inside), 0, 255).astype(np.uint8)
    return cv2.createCLAHE(2.0, (8, 8)).apply(grey).astype(np.float32)


NORMALISATIONS: Final[dict[str, Callable[[FloatArray, NDArray[np.bool_]], FloatArray]]] = {
    "linear-v1": _linear_v1,
    "minmax-v1": _minmax_v1,
    "clahe-v1": _clahe_v1,
}


def resolve_normalisation(name: str) -> str:
    """The method that `name` stands for (`auto` is the default one); InvalidOption if unknown."""
    resolved = DEFAULT_NORMALISATION if name == "auto" else name
    if resolved not in NORMALISATIONS:
        allowed = ["auto", *NORMALISATIONS]
        raise InvalidOption(f"normalisation {name!r} is not one of {allowed}", allowed=allowed)
    return resolved


def normalise(
    values: FloatArray,
    method: str = "auto",
    *,
    inside: NDArray[np.bool_] | None = None,
    black_hot: bool = False,
) -> ByteArray:
    """Map `values` float32 `[H, W]` to uint8 `[H, W]`, white hot.

    inside: bool `[H, W]`, at least one True; pixels outside it do not set the range and
        become `OUTSIDE`.
    black_hot: the values are inverted first.
    """
    function = NORMALISATIONS[resolve_normalisation(method)]
    if inside is None:
        inside = np.ones(values.shape, bool)
    grey = np.clip(function(-values if black_hot else values, inside) + 0.5, 0, 255)
    out = grey.astype(np.uint8)
    out[~inside] = OUTSIDE
    return out
