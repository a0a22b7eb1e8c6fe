"""What the numbers of a Lepton mean: centikelvin, decikelvin or the sensor's own counts."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

# Lepton Engineering Datasheet, Rev 203, telemetry: row C (the third of 80 words) says at its words
# 48 and 49 whether T-Linear is on, and its resolution (0 is 0.1 K, 1 is 0.01 K).
_TLINEAR: Final = 2 * 80 + 48
_RESOLUTION: Final = 2 * 80 + 49
_RAW_BITS: Final = 14  # without T-Linear; with it, all 16 are used


def units_by_telemetry(telemetry: NDArray[np.uint16]) -> str:
    """The units' name in REST by the telemetry rows, `[2, 160]` or `[3, 80]`."""
    words = telemetry.ravel()
    if not words.any():  # not there yet: in a first frame, or behind a shutter
        return "auto"
    if not words[_TLINEAR]:
        return "counts"
    return "centikelvin" if words[_RESOLUTION] else "decikelvin"


def units_by_values(picture: NDArray[Any]) -> str:
    """By one frame `[H, W]`: raw counts and coarse T-Linear stay in 14 bits; the service tells."""
    return "centikelvin" if int(picture.max()) >= 1 << _RAW_BITS else "auto"
