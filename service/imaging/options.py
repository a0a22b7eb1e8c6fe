"""What a caller may say about an image it sends."""

from dataclasses import dataclass
from typing import Final

from service.errors import InvalidOption

UNITS: Final = (
    "auto", "centikelvin", "decikelvin", "kelvin64", "kelvin25", "celsius", "kelvin", "counts",
)  # fmt: skip
POLARITIES: Final = ("auto", "white-hot", "black-hot")
ROTATIONS: Final = (0, 90, 180, 270)  # degrees clockwise that turn the sent picture upright
MAX_BYTES: Final = 32 * 2**20
MAX_PIXELS: Final = 16_000_000


@dataclass(frozen=True)
class DecodeOptions:
    """How to read the bytes; InvalidOption for a value that is not allowed.

    units: what the stored numbers mean, one of `UNITS`; `auto` finds out, and leaves `counts`
        where it cannot.
    emissivity: 0 < e <= 1, for radiometric JPEGs; None takes the file's own, or 0.98.
    polarity: `black-hot` marks the frame so; `auto` and `white-hot` do not.
    rotate: degrees clockwise that turn the picture upright. `decode_image` does NOT turn the frame:
        its grid stays the one that was sent. See `service.imaging.rotation`.
    max_bytes, max_pixels: larger input is refused, by its header, before it is decoded.
    """

    units: str = "auto"
    emissivity: float | None = None
    polarity: str = "auto"
    rotate: int = 0
    max_bytes: int = MAX_BYTES
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        _one_of("units", self.units, UNITS)
        _one_of("polarity", self.polarity, POLARITIES)
        _one_of("rotate", self.rotate, ROTATIONS)
        if self.emissivity is not None and not 0.0 < self.emissivity <= 1.0:
            raise InvalidOption(f"emissivity {self.emissivity} is not above 0 and at most 1")
        if self.max_bytes < 1 or self.max_pixels < 1:
            raise InvalidOption("max_bytes and max_pixels must be at least 1")


def _one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        choices = list(allowed)
        raise InvalidOption(f"{name} {value!r} is not one of {choices}", allowed=choices)
