"""What befalls a sensor while it films: pictures that stand still, a closed shutter, turned
polarity, saturation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.synthesis.clip import Clip, Frames

FREEZE, BLANK, FLIP, SATURATE = "freeze", "blank", "flip", "saturate"
EVENTS = (FREEZE, BLANK, FLIP, SATURATE)
ROUNDING = 1e-6  # seconds
SATURATED_PERCENT = 70  # percentile of a frame's values from which on all are one


class PlanError(ValueError):
    """A clip cannot be filmed as it was asked for."""


@dataclass(frozen=True)
class Event:
    """kind: one of `EVENTS`, from `start` on for `seconds`.

    freeze: the last picture before it is sent again, bit by bit, as while a camera calibrates; the
    truth is that of the picture sent. blank: the shutter is closed, nobody is in the picture.
    flip: warm and cold change places. saturate: the warmer part is one value.
    """

    kind: str
    start: float
    seconds: float

    def __post_init__(self) -> None:
        if self.kind not in EVENTS:
            raise PlanError(f"event: {self.kind} is not one of {', '.join(EVENTS)}")
        if not (self.start >= 0 and self.seconds > 0):
            raise PlanError("event: its start is 0 or later, and it takes longer than 0 seconds")

    def frames(self, times: NDArray[np.float64]) -> NDArray[np.intp]:
        """Indices of the frames in which it is on."""
        since = times - self.start
        return np.flatnonzero((since > -ROUNDING) & (since < self.seconds - ROUNDING))


def parse_event(text: str) -> Event:
    """`freeze@1.5+2`: from second 1.5 on, for 2 seconds. PlanError for anything else."""
    kind, _, when = text.partition("@")
    start, _, seconds = when.partition("+")
    try:
        return Event(kind, float(start), float(seconds))
    except ValueError as error:
        raise PlanError(f"event {text!r}: give KIND@START+SECONDS ({error})") from None


def blanked(times: NDArray[np.float64], events: Sequence[Event]) -> NDArray[np.bool_]:
    """In which frames [T] the shutter is closed."""
    closed = np.zeros(len(times), bool)
    for event in events:
        if event.kind == BLANK:
            closed[event.frames(times)] = True
    return closed


def disturb(clip: Clip, events: Sequence[Event]) -> Clip:
    """The clip with its events, in their order, in pictures and truth. A blank's pictures are the
    camera's to make: here only its truth."""
    frames, landmarks, visible = clip.frames.copy(), clip.landmarks.copy(), clip.visible.copy()
    for event in events:
        during = event.frames(clip.times)
        if not len(during):
            raise PlanError(f"event {event.kind}: the clip has no frame from {event.start} s on")
        if event.kind == FREEZE:
            last = max(int(during[0]) - 1, 0)
            for array in (frames, landmarks, visible):
                array[during] = array[last]
        elif event.kind == BLANK:
            landmarks[during], visible[during] = np.nan, 0.0
        elif event.kind == FLIP:
            for index in during:
                low, high = frames[index].min(), frames[index].max()
                frames[index] = high - (frames[index] - low)
        else:
            for index in during:
                frames[index] = _saturated(frames[index])
    return replace(clip, frames=frames, landmarks=landmarks, visible=visible)


def _saturated(frame: Frames) -> Frames:
    """Everything above a percentile at the highest value: 255, or of 16 bits that percentile's."""
    limit = int(np.percentile(frame, SATURATED_PERCENT))
    top = np.iinfo(frame.dtype).max if frame.dtype == np.uint8 else limit
    return np.where(frame >= limit, top, frame).astype(frame.dtype)
