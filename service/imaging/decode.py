"""Bytes to `ThermalFrame`: the one entry to image decoding."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entities import ThermalFrame, Unit
from service.errors import BrokenImage, EmptyInput, InputTooLarge, ServiceError
from service.imaging.colour import GREY, one_channel
from service.imaging.flir import find_flir, read_fff
from service.imaging.npy import decode_npy
from service.imaging.options import POLARITIES, ROTATIONS, UNITS, DecodeOptions
from service.imaging.planck import celsius_from_raw, make_sensible
from service.imaging.raster import check_jpeg, decode_raster
from service.imaging.sniff import read_header
from service.imaging.stored import Stored, check_size
from service.imaging.tiff import decode_tiff
from service.imaging.units import refuse_units_of_colours, to_celsius

__all__ = ["POLARITIES", "ROTATIONS", "UNITS", "DecodeOptions", "decode_image"]

_DEPTHS: Final = {"uint8": "8", "uint16": "16"}  # in `source`; other types by their name
_DECODERS: Final = {"tiff": decode_tiff, "npy": decode_npy}  # all others are raster files
_DEFAULTS: Final = DecodeOptions()


def decode_image(data: bytes, options: DecodeOptions = _DEFAULTS) -> ThermalFrame:
    """Decode one image: PNG, JPEG, FLIR radiometric JPEG, BMP, TIFF (first page) or NPY.

    The frame is in the pixel grid that was sent: `options.rotate` is left to the caller, EXIF and
    TIFF orientation are not applied, and a radiometric JPEG's grid is its raw thermal one. Its unit
    is Celsius where the numbers' meaning is known or named, `grey8` for 8-bit pictures and all
    colour ones, else counts.

    Errors: EmptyInput, InputTooLarge, UnsupportedFormat, BrokenImage, and InvalidOption for
    `units` that cannot be true of the numbers; no other exception escapes, whatever the bytes.
    """
    if not data:
        raise EmptyInput("the image has no bytes")
    if len(data) > options.max_bytes:
        raise InputTooLarge(
            f"the image has {len(data)} bytes, more than {options.max_bytes}",
            max_bytes=options.max_bytes,
        )
    try:
        return decode_checked(data, options)
    except ServiceError:
        raise
    except Exception as error:  # a decoder's own failure on damage nobody has thought of
        raise BrokenImage("the image is damaged") from error


def decode_checked(data: bytes, options: DecodeOptions) -> ThermalFrame:
    """`decode_image` after its checks and without its safety net."""
    header = read_header(data)
    if header.container == "jpeg":
        thermal = find_flir(data)
        if thermal is not None:
            return _radiometric(data, thermal, options)
    check_size(header.width, header.height, options.max_pixels)
    stored = _DECODERS.get(header.container, decode_raster)(data, header)
    return _interpret(stored, options)


def _radiometric(data: bytes, thermal: bytes, options: DecodeOptions) -> ThermalFrame:
    check_jpeg(data)
    content = read_fff(thermal, options.max_pixels)
    black_hot = options.polarity == "black-hot"
    if options.units not in ("auto", "celsius"):
        values, units = to_celsius(content.raw, options.units)
        unit = Unit.COUNTS if units == "counts" else Unit.CELSIUS
        return ThermalFrame(values, unit, f"flir-rjpeg/{units}", black_hot)
    if content.calibration is None:
        raise BrokenImage("the radiometric JPEG holds no calibration; units=counts reads it raw")
    calibration = make_sensible(content.calibration, options.emissivity)
    celsius = celsius_from_raw(content.raw, calibration)
    return ThermalFrame(celsius, Unit.CELSIUS, "flir-rjpeg", black_hot)


def _interpret(stored: Stored, options: DecodeOptions) -> ThermalFrame:
    """From stored numbers to values with a unit."""
    pixels, meaning = stored.pixels, GREY
    name = stored.pixels.dtype.name
    kind = stored.container + _DEPTHS.get(name, f"-{name}")
    if pixels.ndim == 3:
        pixels, meaning = one_channel(pixels)
    black_hot = options.polarity == "black-hot"
    if meaning != GREY:
        refuse_units_of_colours(options.units)
        values = pixels.astype(np.float32)
        return ThermalFrame(values, Unit.GREY8, f"{kind}/{meaning}", black_hot)
    values, units = to_celsius(pixels, options.units)
    if units != "counts":
        return ThermalFrame(values, Unit.CELSIUS, f"{kind}/{units}", black_hot)
    if stored.white_is_low:
        values = _top(pixels) - values
    if pixels.dtype == np.uint8 and options.units == "auto":
        return ThermalFrame(values, Unit.GREY8, f"{kind}/{GREY}", black_hot)
    return ThermalFrame(values, Unit.COUNTS, f"{kind}/counts", black_hot)


def _top(pixels: NDArray[Any]) -> np.float32:
    """The number that stands for black where small ones are bright: 0 for signed ones."""
    return np.float32(np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 0)
