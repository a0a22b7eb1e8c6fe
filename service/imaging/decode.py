"""Bytes to `ThermalFrame`: the one entry to image decoding."""

from service.entities import ThermalFrame
from service.imaging.options import POLARITIES, ROTATIONS, UNITS, DecodeOptions

__all__ = ["POLARITIES", "ROTATIONS", "UNITS", "DecodeOptions", "decode_image"]


def decode_image(data: bytes, options: DecodeOptions | None = None) -> ThermalFrame:
    """Decode one image, in the pixel grid that was sent (`options.rotate` is left to the caller).

    Errors: EmptyInput, InputTooLarge, UnsupportedFormat, BrokenImage; nothing else escapes.
    """
    raise NotImplementedError
