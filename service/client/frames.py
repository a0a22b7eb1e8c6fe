"""What a camera source gives: frames, and one statement of how all of them are to be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray

CENTIKELVIN: Final = 0.01  # kelvin a step: TLinear cameras, and what temperatures are sent as
KELVIN_64: Final = 1 / 64  # kelvin a step: two-part cameras


class SourceError(Exception):
    """A source cannot be opened, or gives no more frames; `str(error)` says what to do."""


class PixelFormat(StrEnum):
    GRAY8 = "gray8"
    Y16 = "y16"
    JPEG = "jpeg"
    PNG = "png"


class PixelUnit(StrEnum):
    """What the numbers of Y16 are once scaled."""

    AUTO = "auto"  # the service tells temperatures by the values
    KELVIN = "kelvin"
    CELSIUS = "celsius"
    COUNTS = "counts"  # the sensor's own numbers, no temperatures


@dataclass(frozen=True)
class FrameForm:
    """How every frame of a source is to be read.

    width, height: pixels; of JPEG and PNG those of the first file, for information.
    unit, scale, offset: of Y16 alone; stored * scale + offset, in `unit`. With `auto` and `counts`
        scale and offset are 1 and 0.
    live: a camera, whose newest frame counts; else a recording, all of whose frames do.
    fps: frames a second as far as known.
    """

    pixel_format: PixelFormat
    width: int
    height: int
    unit: PixelUnit = PixelUnit.AUTO
    scale: float = 1.0
    offset: float = 0.0
    live: bool = False
    fps: float | None = None


@dataclass(frozen=True)
class CameraFrame:
    """data: uint8 `[H, W]` (GRAY8), uint16 `[H, W]` (Y16), or a JPEG or PNG file's bytes.

    captured: seconds. Of a camera by `time.time()`; of a recording by its own clock.
    """

    data: ByteArray | NDArray[np.uint16] | bytes
    captured: float


class Source(Protocol):
    """A camera or a recording. Not for two iterations at a time."""

    @property
    def form(self) -> FrameForm:
        """Known from the opening on, the same for all frames."""
        ...

    def frames(self) -> Iterator[CameraFrame]:
        """Blocks between frames: for a thread of its own. Ends with the recording or by `close`.

        SourceError after the last whole frame where the rest cannot be had: unplugged, cut off.
        """
        ...

    def close(self) -> None:
        """Ends `frames` soon, from whatever thread; any number of times."""
        ...
