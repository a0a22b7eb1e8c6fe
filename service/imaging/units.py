"""What stored numbers mean: to degrees Celsius where that is known, else to counts."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.errors import BrokenImage, InvalidOption

ZERO_CELSIUS: Final = 273.15  # kelvin
_MOST_MISSING: Final = 0.1  # share of a frame's pixels that may be without a value
_NO_DATA: Final = 1e9  # numbers beyond this are a writer's mark for "no value", not a measurement

# Fractions that stay within this have been scaled or standardised: a person would be warmer.
_SCALED: Final = 10.0


@dataclass(frozen=True)
class _Scale:
    """celsius = stored * factor + offset. The rest says when `auto` believes in it, in Celsius.

    middle: the frame's median must lie in it; low and high: bounds of percentiles 5 and 95.
    """

    factor: float
    offset: float
    middle: tuple[float, float] | None
    low: float = -40.0
    high: float = 150.0
    whole: bool = True  # seen in whole-number files; otherwise in float files alone


# In the order they are tried. The ranges do not overlap, except that /25 kelvin is the very range
# and step (0.04 K) of uncalibrated 14-bit cores, and therefore never assumed. Sensor counts of
# radiometric cameras lie where /64 kelvin does: its window is narrow on purpose.
_SCALES: Final[dict[str, _Scale]] = {
    "centikelvin": _Scale(0.01, -ZERO_CELSIUS, (-20.0, 50.0)),
    "decikelvin": _Scale(0.1, -ZERO_CELSIUS, (-20.0, 50.0)),
    "kelvin64": _Scale(1 / 64, -ZERO_CELSIUS, (10.0, 45.0), low=-10.0, high=80.0),
    "kelvin25": _Scale(1 / 25, -ZERO_CELSIUS, None),
    "celsius": _Scale(1.0, 0.0, (-20.0, 50.0), whole=False),
    "kelvin": _Scale(1.0, -ZERO_CELSIUS, (-20.0, 50.0), whole=False),
}
_BELIEVABLE: Final = (-100.0, 2000.0)  # median, Celsius, of a frame whose unit the caller named


def to_celsius(pixels: NDArray[Any], units: str) -> tuple[FloatArray, str]:
    """Numbers `[H, W]` to float32 values, and the name of the unit they were taken for.

    units: one of `options.UNITS`. `counts`, or `auto` where nothing fits, leaves the numbers as
    they are; every other name means the values are degrees Celsius now. uint8 is never guessed at.

    `auto` looks at percentiles 5, 50 and 95, so that a lamp, dead pixels or a telemetry row do not
    mislead it. Whole numbers: median -20 to 50 C and most of the frame -40 to 150 C as centikelvin
    or decikelvin; median 10 to 45 C and most of the frame -10 to 80 C as kelvin x 64. Fractions:
    these, then the same -20 to 50 C as Celsius and as kelvin, unless they all lie within -10 to 10.

    Pixels that are not finite, or beyond 1e9, get the median of the others; BrokenImage if they
    are more than a tenth. InvalidOption if a named unit would put the median below -100 C or above
    2000 C.
    """
    pixels = _fill_missing(pixels)
    if units == "auto":
        units = _guess(pixels)
    if units == "counts":
        return pixels.astype(np.float32), units
    scale = _SCALES[units]
    middle = float(np.median(_sparse(pixels))) * scale.factor + scale.offset
    if not _BELIEVABLE[0] <= middle <= _BELIEVABLE[1]:
        raise InvalidOption(f"units {units!r} would make the frame's median {middle:.0f} C")
    if pixels.dtype == np.float64:  # float32 would round kelvin before the subtraction
        return (pixels * scale.factor + scale.offset).astype(np.float32), units
    values = pixels.astype(np.float32)
    values *= np.float32(scale.factor)
    values += np.float32(scale.offset)
    return values, units


def refuse_units_of_colours(units: str) -> None:
    """InvalidOption if a caller names a unit for numbers that are a palette's steps."""
    if units not in ("auto", "counts"):
        raise InvalidOption(f"units {units!r} cannot be true of a colour picture")


def _guess(pixels: NDArray[Any]) -> str:
    if pixels.dtype == np.uint8:
        return "counts"
    sample = _sparse(pixels).astype(np.float64)
    low, middle, high = np.percentile(sample, (5.0, 50.0, 95.0)).tolist()
    fractions = pixels.dtype.kind == "f" and bool((sample % 1.0).any())
    if fractions and np.abs(sample).max() <= _SCALED:
        return "counts"
    for name, scale in _SCALES.items():
        if scale.middle is None or not (fractions or scale.whole):
            continue
        lows = scale.low, scale.middle[0], scale.low
        highs = scale.high, scale.middle[1], scale.high
        celsius = [value * scale.factor + scale.offset for value in (low, middle, high)]
        if all(a <= value <= b for a, value, b in zip(lows, celsius, highs, strict=True)):
            return name
    return "counts"


def _sparse(pixels: NDArray[Any]) -> NDArray[Any]:
    """Enough pixels for percentiles, spread over the frame: at most some 20,000."""
    # An odd step does not fall on the same few columns of every row.
    step = max(1, pixels.size // 20_000) | 1
    return pixels.reshape(-1)[::step]


def _fill_missing(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype.kind != "f":
        return pixels
    with np.errstate(invalid="ignore"):
        present = np.abs(pixels) <= _NO_DATA  # False for NaN, too
    missing = pixels.size - int(present.sum())
    if missing == 0:
        return pixels
    if missing > _MOST_MISSING * pixels.size:
        raise BrokenImage(f"{missing} of the frame's {pixels.size} pixels have no value")
    return np.where(present, pixels, np.median(pixels[present]))
