"""The nouns of the service: plain frozen dataclasses that every room understands."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of any float width for the type checker, which cannot follow numpy through promotion and OpenCV;
# docstrings say which: float32 wherever an array leaves a module.
FloatArray = NDArray[np.floating[Any]]
ByteArray = NDArray[np.uint8]


class Unit(StrEnum):
    """What the values of a frame mean once decoded."""

    CELSIUS = "celsius"
    COUNTS = "counts"  # linear or monotone in radiance, scale unknown
    GREY8 = "grey8"  # 8-bit, after some camera's own gain control


@dataclass(frozen=True)
class ThermalFrame:
    """One decoded thermal image.

    values: float32 `[H, W]`, finite, in `unit`; hotter is larger unless `black_hot`.
    source: how it was stored, e.g. `png16/centikelvin`, `flir-rjpeg`, `jpeg8/ironbow`.
    """

    values: FloatArray
    unit: Unit
    source: str
    black_hot: bool = False

    @property
    def height(self) -> int:
        return int(self.values.shape[0])

    @property
    def width(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True)
class Tilt:
    """How a tilted face stands in its box.

    roll: degrees by which it is turned clockwise. x, y: from the middle of the box to that of the
    box that the face would have if the picture were turned back; extent: that one's longer side.
    All three in shares of the box's longer side, so that they hold wherever it moves.
    """

    roll: float
    x: float
    y: float
    extent: float


@dataclass(frozen=True)
class Box:
    """Box in pixels of the frame: brow top to chin, jaw to jaw, as the 68 landmarks' own box.

    tilt: of the face in it, as far as that is known beforehand.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    score: float = 1.0
    tilt: Tilt | None = field(default=None, kw_only=True)

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def size(self) -> float:
        """Side of the square of equal area, in pixels: sqrt(w * h)."""
        return math.sqrt(max(self.width, 0.0) * max(self.height, 0.0))


class Reason(StrEnum):
    """Why a face's landmarks are uncertain."""

    TOO_SMALL = "too_small"
    CUT = "cut"  # by the frame's edge
    OCCLUDED = "occluded"  # by something before it, or by itself in a side view
    NOT_THERMAL_LIKE = "not_thermal_like"  # to the network this is no thermal face


@dataclass(frozen=True)
class Verdict:
    """Whether a face's landmarks can be relied on; if not, why."""

    reasons: tuple[Reason, ...] = ()

    @property
    def reliable(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Face:
    """One face: its box, and landmarks `[68, 4]` float32 as x, y, score (0-1), sigma (pixels).

    sigma: the expected error if the network is calibrated, else its distribution's own deviation.
    verdict: None if the network is not calibrated.
    """

    box: Box
    landmarks: FloatArray
    verdict: Verdict | None = None
    temperatures: Mapping[str, float] | None = None  # region name -> degrees Celsius
    crop: ByteArray | None = None  # `[256, 256]`, what the network saw
    track_id: int | None = None  # the same face has the same number, from 1 on, in all of a stream
    velocities: FloatArray | None = None  # float32 `[68, 2]`, pixels a second; of a tracked face


class SensorEvent(StrEnum):
    """What a camera does instead of showing the scene."""

    FROZEN = "frozen"  # the same picture for a while, as during a shutter calibration (NUC, FFC)
    BLANK = "blank"  # no contrast at all
    SATURATED = "saturated"  # a large part of the pixels at an end of the scale
    POLARITY_FLIPPED = "polarity_flipped"  # hot and cold have changed places


@dataclass(frozen=True)
class Prediction:
    """What one image gave."""

    width: int
    height: int
    unit: Unit
    normalisation: str
    faces: tuple[Face, ...]
    timings_ms: Mapping[str, float] = field(default_factory=dict)
