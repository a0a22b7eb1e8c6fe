"""FLIR recordings (SEQ, CSQ, FFF): what a radiometric JPEG holds, a block a frame, back to back."""

import importlib
import mmap
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.client.frames import (
    CENTIKELVIN,
    CameraFrame,
    FrameForm,
    PixelFormat,
    PixelUnit,
    SourceError,
)
from service.client.sources.arrays import centikelvin
from service.client.sources.recording import Recording
from service.errors import ServiceError, UnsupportedFormat
from service.imaging.flir import RawThermal, fff_end, read_fff
from service.imaging.planck import Calibration, celsius_from_raw, make_sensible

_SIGNATURE: Final = b"FFF\x00"
_DIRECTORY: Final = 64 + 32 * 1024  # bytes that hold any block's header and directory
_MAX_PIXELS: Final = 16_000_000
_FPS: Final = 30.0  # where neither the caller nor the camera's clock says

JpegReader = Callable[[bytes], NDArray[np.uint16]]


def open_seq(path: str, *, fps: float | None = None, emissivity: float | None = None) -> Recording:
    """A recording's frames as centikelvin; as counts where it has no calibration.

    fps: instead of the camera's clock. emissivity: above 0, at most 1; None: the file's own.
    """
    if emissivity is not None and not 0.0 < emissivity <= 1.0:
        raise SourceError(f"emissivity must be above 0, at most 1, not {emissivity}")
    if fps is not None and not 0.0 < fps <= 1000.0:
        raise SourceError(f"fps must be above 0, at most 1000, not {fps}")
    read_jpeg = _jpeg_reader()
    beginning = _beginning(path, read_jpeg)
    height, width = beginning[0].raw.shape
    rate = fps or _rate(beginning)
    form = FrameForm(PixelFormat.Y16, width, height, PixelUnit.COUNTS, fps=rate or _FPS)
    if beginning[0].calibration is not None:
        form = replace(form, unit=PixelUnit.KELVIN, scale=CENTIKELVIN)

    def read() -> Iterator[CameraFrame]:
        step = 1 / (rate or _FPS)
        at = -step
        for number, content in enumerate(_contents(path, read_jpeg)):
            if content.raw.shape != (height, width):
                raise SourceError(f"{path}: frame {number} has another size than the first")
            at = _time(content, at, step) if fps is None and rate else number * step
            yield CameraFrame(_pixels(path, number, content, form, emissivity), at)

    return Recording(form, read)


def _beginning(path: str, read_jpeg: JpegReader | None) -> list[RawThermal]:
    """The first frame, and the second if there is a whole one."""
    contents = _contents(path, read_jpeg)
    first = next(contents)
    try:
        return [first, *islice(contents, 1)]
    except SourceError:  # raised again when the frames come to it
        return [first]


def _rate(frames: list[RawThermal]) -> float | None:
    """Frames a second by the camera's clock, if it runs: 0.1 to 1,000."""
    times = [frame.recorded for frame in frames if frame.recorded is not None]
    apart = times[1] - times[0] if len(times) == 2 else 0.0
    return 1 / apart if 0.001 <= apart <= 10.0 else None


def _time(content: RawThermal, last: float, step: float) -> float:
    """The camera's, as long as it moves on."""
    told = content.recorded
    return told if told is not None and told > last else last + step


def _pixels(
    path: str, number: int, content: RawThermal, form: FrameForm, emissivity: float | None
) -> NDArray[np.uint16]:
    if form.unit is PixelUnit.COUNTS:
        return content.raw
    if content.calibration is None:
        raise SourceError(f"{path}: frame {number} has no calibration, unlike the first")
    try:
        pixels: NDArray[np.uint16] = _table(content.calibration, emissivity)[content.raw]
    except ServiceError as error:
        raise SourceError(f"{path}: frame {number}: {error}") from error
    return pixels


@lru_cache(maxsize=4)
def _table(calibration: Calibration, emissivity: float | None) -> NDArray[np.uint16]:
    """Every count in centikelvin: frame after frame comes with the same calibration."""
    counts = np.arange(65536, dtype=np.uint16)
    return centikelvin(celsius_from_raw(counts, make_sensible(calibration, emissivity)))


def _contents(path: str, read_jpeg: JpegReader | None) -> Iterator[RawThermal]:
    """Every frame; SourceError at the first that is damaged or cut off, and if there is none."""
    number = 0
    for number, block in enumerate(_blocks(path)):
        try:
            content = read_fff(block, _MAX_PIXELS, read_jpeg)
        except UnsupportedFormat as error:
            raise SourceError(
                f"{path}: its frames are JPEG-LS (CSQ), which need the library imagecodecs: "
                "pip install 'thermal-landmarks[cameras]'"
            ) from error
        except ServiceError as error:
            raise SourceError(
                f"{path} is damaged or cut off after {number} frames ({error})"
            ) from error
        yield content


def _blocks(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(_SIGNATURE)
            if start < 0:
                raise SourceError(f"{path} is no FLIR recording: it holds no FFF block")
            while start >= 0:
                after = data.find(_SIGNATURE, start + _length(data[start : start + _DIRECTORY]))
                yield data[start : after if after >= 0 else len(data)]
                start = after
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise SourceError(f"{path} cannot be read ({error})") from error


def _length(head: bytes) -> int:
    """The next block is looked for after this one's records: they may hold its signature."""
    try:
        return fff_end(head)
    except ServiceError:
        return len(_SIGNATURE)  # whoever reads this block will say what is wrong with it


def _jpeg_reader() -> JpegReader | None:
    """JPEG-LS by the optional `imagecodecs`."""
    try:
        codecs = importlib.import_module("imagecodecs")
    except ImportError:
        return None

    def read(data: bytes) -> NDArray[np.uint16]:
        try:
            return np.asarray(codecs.jpegls_decode(data), np.uint16)
        except codecs.JpeglsError as error:
            raise SourceError(f"a frame's JPEG-LS data is damaged ({error})") from error

    return read
