"""From a FLIR camera's raw signal to degrees Celsius.

A raw count is linear in the radiance that reaches the sensor, which is the object's, plus what the
object reflects, plus what the air and an external window give off. All of these are expressed as
the raw count a black body of that temperature would give, and taken off. The window is taken to
stand midway, as the public decoders of these files do: temperatures agree with theirs. Without
a window, one whole path would be as good a reading of the model; at 1 to 2 m the two differ by
less than 0.05 K for scenes near room temperature.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.errors import BrokenImage
from service.imaging.units import ZERO_CELSIUS

DEFAULT_EMISSIVITY: Final = 0.98  # of human skin
_ROOM: Final = 293.15  # kelvin; what cameras assume where they were told nothing
_COLDEST: Final = 1.0  # kelvin; the answer where a signal is below what any body would give


@dataclass(frozen=True)
class Calibration:
    """A file's own constants. Temperatures in kelvin, distance in metres, the rest are ratios."""

    emissivity: float
    distance: float
    reflected: float
    atmosphere: float
    window: float
    window_transmission: float
    humidity: float
    r1: float
    b: float
    f: float
    o: float
    r2: float
    alpha1: float
    alpha2: float
    beta1: float
    beta2: float
    x: float


def make_sensible(calibration: Calibration, emissivity: float | None) -> Calibration:
    """The calibration with the caller's emissivity, if any, and nonsense put right.

    An emissivity or window transmission outside (0, 1] becomes 0.98 or 1, a temperature outside
    150 to 1000 K is taken for room temperature, a distance outside 0 to 10 km for 0, a humidity
    above 2 for per cent. BrokenImage if the sensor's own constants cannot be.
    """
    c = calibration
    sensor = (c.r1, c.b, c.f, c.o, c.r2)
    if not all(map(math.isfinite, sensor)) or min(c.r1, c.b, c.f, c.r2) <= 0.0:
        raise BrokenImage("the radiometric JPEG's calibration is missing or damaged")
    humidity = c.humidity / 100.0 if 2.0 < c.humidity <= 100.0 else c.humidity
    own = emissivity if emissivity is not None else c.emissivity
    return replace(
        c,
        emissivity=own if 0.0 < own <= 1.0 else DEFAULT_EMISSIVITY,
        distance=c.distance if 0.0 <= c.distance <= 10_000.0 else 0.0,
        reflected=_or_room(c.reflected),
        atmosphere=_or_room(c.atmosphere),
        window=_or_room(c.window),
        window_transmission=c.window_transmission if 0.0 < c.window_transmission <= 1.0 else 1.0,
        humidity=humidity if 0.0 <= humidity <= 2.0 else 0.5,
    )


def _or_room(kelvin: float) -> float:
    return kelvin if 150.0 <= kelvin <= 1000.0 else _ROOM


def air_transmission(calibration: Calibration) -> float:
    """Share of the radiance that passes HALF the distance of air: above 0, at most 1.

    FLIR's published model: two exponentials in the root of the path, with the water vapour in
    the air from its temperature and relative humidity. 1 where its coefficients make no sense.
    """
    c = calibration
    celsius = c.atmosphere - ZERO_CELSIUS
    polynomial = 1.5587 + 0.06939 * celsius - 2.7816e-4 * celsius**2 + 6.8455e-7 * celsius**3
    try:
        vapour = math.sqrt(c.humidity * math.exp(polynomial))
        root = math.sqrt(c.distance / 2)
        first = math.exp(-root * (c.alpha1 + c.beta1 * vapour))
        second = math.exp(-root * (c.alpha2 + c.beta2 * vapour))
        transmission = c.x * first + (1.0 - c.x) * second
    except OverflowError:
        return 1.0
    return transmission if 0.01 < transmission <= 1.0 else 1.0


def raw_from_kelvin(kelvin: float, calibration: Calibration) -> float:
    """The raw count that a black body of this temperature gives, with nothing in between."""
    c = calibration
    try:
        return c.r1 / (c.r2 * (math.exp(c.b / kelvin) - c.f)) - c.o
    except (OverflowError, ZeroDivisionError) as error:
        raise BrokenImage("the radiometric JPEG's calibration gives no temperatures") from error


def celsius_from_raw(raw: NDArray[np.uint16], calibration: Calibration) -> FloatArray:
    """Raw counts `[H, W]` to degrees Celsius, float32, always finite.

    calibration: as `make_sensible` gives it. BrokenImage if its constants give no temperatures.
    """
    c = calibration
    air = air_transmission(c)
    window = c.window_transmission
    through = c.emissivity * air * window * air
    atmosphere = (1.0 - air) * raw_from_kelvin(c.atmosphere, c)
    reflected = (1.0 - c.emissivity) * raw_from_kelvin(c.reflected, c)
    before_window = air * reflected + atmosphere
    after_window = window * before_window + (1.0 - window) * raw_from_kelvin(c.window, c)
    stray = air * after_window + atmosphere
    # A table of all 65,536 counts costs less than a logarithm for each pixel of most frames.
    counts = np.arange(65536, dtype=np.float64)
    with np.errstate(all="ignore"):
        signal = np.maximum(c.r2 * ((counts - stray) / through + c.o), 1e-12)
        logarithm = np.log(c.r1 / signal + c.f)
        kelvin = np.where(logarithm > 0.0, c.b / logarithm, np.nan)
    if not math.isfinite(stray) or not np.isfinite(kelvin).all():
        raise BrokenImage("the radiometric JPEG's calibration gives no temperatures")
    table = (np.maximum(kelvin, _COLDEST) - ZERO_CELSIUS).astype(np.float32)
    celsius: FloatArray = table[raw]
    return celsius
