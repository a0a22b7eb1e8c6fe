"""A camera's frames: pixels in a format that was agreed on beforehand."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from service.entities import ThermalFrame, Unit
from service.errors import BrokenImage, EmptyInput, InvalidOption, UnsupportedFormat
from service.imaging.decode import decode_image
from service.imaging.options import DecodeOptions
from service.imaging.sniff import read_header
from service.imaging.stored import MIN_SIDE, check_size
from service.imaging.units import to_celsius

_PIXEL_BYTES: Final = {"gray8": 1, "y16": 2}
_FILES: Final = ("jpeg", "png")
PIXEL_FORMATS: Final = (*_PIXEL_BYTES, *_FILES)
Y16_UNITS: Final = ("auto", "celsius", "kelvin", "counts")


@dataclass(frozen=True)
class FrameFormat:
    """How every frame is stored; InvalidOption for what contradicts itself.

    pixels: one of `PIXEL_FORMATS`; the raw ones are rows without padding.
    width, height: pixels, of raw formats; 0 for files, which say it themselves.
    unit, scale, offset, big_endian: of `y16`, unsigned 16-bit numbers: number * scale + offset is
        in `unit`, one of `Y16_UNITS`. `auto` and `counts` take no scale and no offset.
    """

    pixels: str
    width: int = 0
    height: int = 0
    unit: str = "auto"
    scale: float = 1.0
    offset: float = 0.0
    big_endian: bool = False

    def __post_init__(self) -> None:
        if self.pixels not in PIXEL_FORMATS:
            raise InvalidOption(f"pixel_format: must be one of {list(PIXEL_FORMATS)}")
        if self.pixels in _FILES and (self.width or self.height):
            raise InvalidOption(f"width, height: a {self.pixels.upper()} says them itself")
        if self.pixels in _PIXEL_BYTES and min(self.width, self.height) < MIN_SIDE:
            raise InvalidOption(f"width, height: {MIN_SIDE} pixels or more are needed")
        if self.unit not in Y16_UNITS:
            raise InvalidOption(f"y16.unit: must be one of {list(Y16_UNITS)}")
        if not (math.isfinite(self.scale) and self.scale > 0 and math.isfinite(self.offset)):
            raise InvalidOption("y16: scale must be above 0, and offset a number")
        if self.unit in ("auto", "counts") and (self.scale, self.offset) != (1.0, 0.0):
            raise InvalidOption("y16: scale and offset need unit celsius or kelvin")

    @property
    def raw(self) -> bool:
        """Whether frames are bare pixels, not files."""
        return self.pixels in _PIXEL_BYTES

    def frame_bytes(self) -> int:
        """Bytes of one raw frame."""
        return self.width * self.height * _PIXEL_BYTES[self.pixels]

    def check_size(self, max_pixels: int) -> None:
        """InputTooLarge if raw frames have more pixels than that."""
        if self.raw:
            check_size(self.width, self.height, max_pixels)


def decode_frame(data: bytes, form: FrameFormat, options: DecodeOptions) -> ThermalFrame:
    """One frame of a stream.

    Errors: EmptyInput; BrokenImage if a raw frame has not exactly its bytes; UnsupportedFormat if
    a file is of another format than the stream; and those of `decode_image` for files.
    """
    if not data:
        raise EmptyInput("the frame has no bytes")
    if form.raw:
        return _decode_raw(data, form, options)
    container = read_header(data).container
    if container != form.pixels:
        raise UnsupportedFormat(f"the frame is {container.upper()}, not {form.pixels.upper()}")
    return decode_image(data, options)


def _decode_raw(data: bytes, form: FrameFormat, options: DecodeOptions) -> ThermalFrame:
    if len(data) != form.frame_bytes():
        raise BrokenImage(
            f"the frame has {len(data)} bytes; {form.width} x {form.height} pixels of"
            f" {form.pixels} are {form.frame_bytes()}"
        )
    black_hot = options.polarity == "black-hot"
    shape = form.height, form.width
    if form.pixels == "gray8":
        values = np.frombuffer(data, np.uint8).reshape(shape).astype(np.float32)
        return ThermalFrame(values, Unit.GREY8, "gray8", black_hot)
    numbers = np.frombuffer(data, ">u2" if form.big_endian else "<u2").reshape(shape)
    if form.unit in ("auto", "counts"):
        values, units = to_celsius(numbers.astype(np.uint16), form.unit)
    else:
        scaled = numbers.astype(np.float32) * np.float32(form.scale) + np.float32(form.offset)
        values, units = to_celsius(scaled, form.unit)
    unit = Unit.COUNTS if units == "counts" else Unit.CELSIUS
    return ThermalFrame(values, unit, f"y16/{units}", black_hot)
