"""What a container held, before anything is known about what its numbers mean."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.errors import BrokenImage, InputTooLarge

MIN_SIDE = 8  # pixels; nothing smaller can hold a face, and resampling it would be guesswork


@dataclass(frozen=True)
class Stored:
    """One picture as it was stored.

    pixels: `[H, W]` numbers of any integer or float type, or `[H, W, 3]` uint8 or uint16 in B, G, R.
    container: `png`, `jpeg`, `bmp`, `tiff` or `npy`.
    white_is_low: small numbers are meant to be shown bright (TIFF's MinIsWhite).
    """

    pixels: NDArray[Any]
    container: str
    white_is_low: bool = False


def check_size(width: int, height: int, max_pixels: int) -> None:
    """BrokenImage below 8 pixels a side, InputTooLarge above `max_pixels` altogether."""
    if width < MIN_SIDE or height < MIN_SIDE:
        raise BrokenImage(f"the image is {width} x {height}, less than {MIN_SIDE} pixels a side")
    if width * height > max_pixels:
        raise InputTooLarge(
            f"the image is {width} x {height}, more than {max_pixels} pixels",
            width=width,
            height=height,
            max_pixels=max_pixels,
        )
