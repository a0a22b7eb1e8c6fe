"""What a camera does instead of showing the scene, told from the frames of its stream alone.

| event | when |
| --- | --- |
| `frozen` | the same picture, to the last bit, for `FROZEN_AFTER` or longer |
| `blank` | no contrast: the small version of the frame spans less than `BLANK_SPAN` |
| `saturated` | more than `SATURATED_SHARE` of the pixels are at one end of the scale |
| `polarity_flipped` | the small version is the negative of the last one, its details as well |

A shorter repeat is no event: some cameras (FLIR Lepton: 9 pictures a second in a video of 27)
deliver each picture several times. `measure` is the work on a frame's pixels and knows no other
frame; `SensorWatch` compares. numpy and OpenCV.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from service.entities import FloatArray, SensorEvent, ThermalFrame, Unit

# Seconds. Slow cameras repeat a picture for a ninth of a second; shutters take 0.4 and more.
FROZEN_AFTER: Final = 0.3
# A face spans more in any scene; a closed shutter's own warmth, less. Cameras give 20 to 100 counts
# a degree, and 8 bits hold what their gain control leaves.
BLANK_SPAN: Final = {Unit.CELSIUS: 0.5, Unit.COUNTS: 16.0, Unit.GREY8: 4.0}
# Bars beside a 4:3 picture in 16:9 are a quarter of the pixels, and no event.
SATURATED_SHARE: Final = 0.25
# Pixels, longer side of the small version: noise and single bad pixels average out.
SMALL: Final = 32
# Correlation with the last small version, below which it is a negative, and of the details alone.
# Two scenes may be dark where the other is bright, but not in their details.
# Of 12,720 cuts between synthetic scenes one was told as a flip; of flips, all that moved up to a
# hundredth of the width, 99 % at a fortieth, a third at a twentieth.
NEGATIVE: Final = -0.7
NEGATIVE_DETAILS: Final = -0.2


@dataclass(frozen=True)
class Measured:
    """One frame, as far as events go: `digest` of its pixels (64 bits, of this process alone),
    `small` float32 with at most `SMALL` pixels a side, and whether it is blank or saturated."""

    digest: int
    small: FloatArray
    blank: bool
    saturated: bool


@dataclass(frozen=True)
class Finding:
    """repeats: whether the frame is the last one again, pixel by pixel."""

    events: frozenset[SensorEvent]
    repeats: bool


def measure(frame: ThermalFrame) -> Measured:
    """What of `frame` a `SensorWatch` compares."""
    values = np.ascontiguousarray(frame.values)
    digest = hash((frame.unit, values.shape, values.tobytes()))
    scale = min(1.0, SMALL / max(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    small = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
    blank = float(np.ptp(small)) < BLANK_SPAN[frame.unit]
    return Measured(digest, small, blank, _is_saturated(frame, blank))


class SensorWatch:
    """The frames of one stream, in their order."""

    def __init__(self) -> None:
        self._digest: int | None = None
        self._since = 0.0  # seconds, when the picture came first
        self._scene: FloatArray | None = None  # the last that was not blank

    def look(self, measured: Measured, now: float) -> Finding:
        """now: seconds, of a clock that does not run backwards."""
        events = set[SensorEvent]()
        repeats = measured.digest == self._digest
        if not repeats:
            self._digest, self._since = measured.digest, now
        elif now - self._since >= FROZEN_AFTER:
            events.add(SensorEvent.FROZEN)
        if measured.saturated:
            events.add(SensorEvent.SATURATED)
        if measured.blank:
            events.add(SensorEvent.BLANK)
        else:
            if self._scene is not None and _is_negative(measured.small, self._scene):
                events.add(SensorEvent.POLARITY_FLIPPED)
            self._scene = measured.small
        return Finding(frozenset(events), repeats)


def _is_saturated(frame: ThermalFrame, blank: bool) -> bool:
    """The ends of 8 bits are known. Of other frames the upper one is where values pile up, and only
    counts have a lower one: an even wall is often the coldest thing there is."""
    values = frame.values
    if frame.unit is Unit.GREY8:
        ends = [0.0, 255.0]
    elif blank:  # one value everywhere is the end of nothing
        ends = []
    else:
        ends = [float(values.max())] + [0.0] * (frame.unit is Unit.COUNTS)
    return any(np.count_nonzero(values == end) > SATURATED_SHARE * values.size for end in ends)


def _is_negative(small: FloatArray, last: FloatArray) -> bool:
    if small.shape != last.shape or _correlation(small, last) > NEGATIVE:
        return False
    return _correlation(_details(small), _details(last)) < NEGATIVE_DETAILS


def _details(small: FloatArray) -> FloatArray:
    """What differs from the neighbourhood."""
    return np.asarray(small - cv2.blur(small, (5, 5)), np.float32)


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Pearson's; 0 where one of them is flat."""
    a, b = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norm if norm > 0 else 0.0
