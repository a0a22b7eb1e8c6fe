"""Arrays of pixels to frames: what their numbers mean, by type and by the units' names in REST."""

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.client.frames import (
    CENTIKELVIN,
    KELVIN_64,
    FrameForm,
    PixelFormat,
    PixelUnit,
    SourceError,
)
from service.entities import ByteArray, FloatArray

_ZERO_CELSIUS: Final = 273.15
# Name, as in POST /landmarks -> unit and size of a step.
UNITS: Final[dict[str, tuple[PixelUnit, float]]] = {
    "auto": (PixelUnit.AUTO, 1.0),
    "centikelvin": (PixelUnit.KELVIN, CENTIKELVIN),
    "decikelvin": (PixelUnit.KELVIN, 0.1),
    "kelvin64": (PixelUnit.KELVIN, KELVIN_64),
    "kelvin25": (PixelUnit.KELVIN, 1 / 25),
    "celsius": (PixelUnit.CELSIUS, 1.0),
    "kelvin": (PixelUnit.KELVIN, 1.0),
    "counts": (PixelUnit.COUNTS, 1.0),
}


def form_of(
    pixels: NDArray[Any], units: str, fps: float | None, *, live: bool = False
) -> FrameForm:
    """How frames like `pixels` `[H, W]` are to be read, once `to_frame` has been over them.

    SourceError for other shapes and types, for units not in `UNITS`, for 8 bits with units, and for
    floats without them.
    """
    if units not in UNITS:
        raise SourceError(f"units must be one of {', '.join(UNITS)}, not {units!r}")
    if pixels.ndim != 2:
        raise SourceError(f"a frame must be [height, width], not of shape {list(pixels.shape)}")
    height, width = pixels.shape
    form = FrameForm(PixelFormat.Y16, width, height, live=live, fps=fps)
    if pixels.dtype == np.uint8:
        if units != "auto":
            raise SourceError(f"8-bit frames have no units; leave out units={units}")
        return replace(form, pixel_format=PixelFormat.GRAY8)
    if pixels.dtype == np.uint16:
        unit, scale = UNITS[units]
        return replace(form, unit=unit, scale=scale)
    if pixels.dtype.kind != "f":
        raise SourceError(f"frames must be uint8, uint16 or float, not {pixels.dtype}")
    if units not in ("celsius", "kelvin"):
        raise SourceError("frames of floats need units=celsius or units=kelvin")
    return replace(form, unit=PixelUnit.KELVIN, scale=CENTIKELVIN)


def to_frame(pixels: NDArray[Any], units: str) -> ByteArray | NDArray[np.uint16]:
    """`[H, W]` as it is sent: uint8 and uint16 as they are, floats as uint16 centikelvin."""
    if pixels.dtype == np.uint8 or pixels.dtype == np.uint16:
        return np.ascontiguousarray(pixels)
    return centikelvin(pixels - _ZERO_CELSIUS if units == "kelvin" else pixels)


def centikelvin(celsius: FloatArray) -> NDArray[np.uint16]:
    """Degrees Celsius `[H, W]` to uint16, kelvin x 100; 0 to 655.35 K, all others at these ends.

    SourceError if some are not finite.
    """
    if not np.isfinite(celsius).all():
        raise SourceError("a frame holds temperatures that are not finite")
    steps = np.rint((celsius.astype(np.float64) + _ZERO_CELSIUS) / CENTIKELVIN)
    return steps.clip(0, 65535).astype(np.uint16)
