"""What a container says and held, before anything is known about what its numbers mean."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.errors import BrokenImage, InputTooLarge

MIN_SIDE: Final = 8  # pixels; nothing smaller can hold a face


@dataclass(frozen=True)
class Header:
    """container: `png`, `jpeg`, `bmp`, `tiff` or `npy`; width and height in pixels, unchecked."""

    container: str
    width: int
    height: int


@dataclass(frozen=True)
class Stored:
    """One picture as it was stored.

    pixels: `[H, W]` uint8, uint16, int16, float32 or float64, or `[H, W, 3]` uint8 or uint16 in
        the order blue, green, red. Native byte order.
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


def decode_with_opencv(data: bytes, header: Header) -> NDArray[Any]:
    """OpenCV's decoding with the bit depth kept and alpha dropped.

    BrokenImage if it fails, or gives another size than the header says.
    """
    broken = BrokenImage(f"the {header.container.upper()} data is damaged or truncated")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise broken from error
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise broken
    return drop_extra_channels(pixels)


def drop_extra_channels(pixels: NDArray[Any]) -> NDArray[Any]:
    """`[H, W, C]` without its alpha: `[H, W]` for one or two channels, else `[H, W, 3]`."""
    if pixels.ndim == 2:
        return pixels
    return pixels[:, :, :3] if pixels.shape[2] >= 3 else pixels[:, :, 0]
