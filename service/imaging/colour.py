"""Three channels to one: grey pictures, colour-mapped ones, and everything else."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.imaging.palettes import best_palette, invert_palette

GREY: Final = "grey"
LUMA: Final = "rgb-luma"

_GREY_SPREAD: Final = 16  # 8-bit steps between a pixel's channels that JPEG can make out of grey
_GREY_SHARE: Final = 0.95  # of the pixels; the rest may be a coloured overlay


def one_channel(pixels: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """A picture `[H, W, 3]` (blue, green, red; uint8 or uint16) to `[H, W]`, and how.

    - `grey`: in 95 % of the pixels the channels differ by 16 of 255 at most. Their luma, in the
      type that was given, which for equal channels is their value.
    - a palette's name: the picture is colour-mapped, and its palette is turned back: float32, 0
      (cold) to 255 (hot). The palette is the one whose colours lie nearest. A palette has 256
      colours, so 16-bit pictures lose nothing by 8-bit comparison.
    - `rgb-luma`: no palette comes near: a photograph, or a palette not known here. Its luma, in
      the type that was given: monotone in temperature for ironbow-like palettes, and all that is
      left to do for others.
    """
    scale = 257 if pixels.dtype == np.uint16 else 1
    if _is_grey(pixels, _GREY_SPREAD * scale):
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), GREY
    eight_bits = (pixels >> 8).astype(np.uint8) if scale > 1 else pixels.astype(np.uint8)
    fit = best_palette(eight_bits)
    if fit.believable:
        return invert_palette(eight_bits, fit.curve), fit.name
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), LUMA


def _is_grey(pixels: NDArray[Any], spread: int) -> bool:
    flat = pixels.reshape(-1, 3)
    sample = flat[:: max(1, len(flat) // 20_000) | 1].astype(np.int32)
    spreads = sample.max(axis=1) - sample.min(axis=1)
    return float((spreads <= spread).mean()) >= _GREY_SHARE
