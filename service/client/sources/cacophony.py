"""CPTV files, the Cacophony Project's recordings of Lepton cameras, by its library `cptv`."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from service.client.frames import CameraFrame, SourceError
from service.client.sources.arrays import form_of
from service.client.sources.lepton import units_by_values
from service.client.sources.optional import load
from service.client.sources.recording import Recording

_FPS: Final = 9.0  # of a Lepton; older files do not say
# What the library lets through of files that are damaged.
_DAMAGE: Final = (OSError, EOFError, ValueError, LookupError, TypeError, struct.error, zlib.error)


def open_cptv(path: str, *, units: str = "auto") -> Recording:
    """A recording's frames, without the background picture that some begin with.

    units: as in POST /landmarks; `auto` is centikelvin where the values need more than 14 bits.
    """
    library = load("cptv", "cptv", "CPTV files")
    first, fps = next(_frames(path, library), (None, _FPS))
    if first is None:
        raise SourceError(f"{path} holds no frames")
    if units == "auto":
        units = units_by_values(first.pix)
    form = form_of(first.pix, units, fps)

    def read() -> Iterator[CameraFrame]:
        for number, (frame, _) in enumerate(_frames(path, library)):
            since = number / fps if not frame.time_on else frame.time_on.total_seconds()
            yield CameraFrame(np.ascontiguousarray(frame.pix), since)

    return Recording(form, read)


def _frames(path: str, library: Any) -> Iterator[tuple[Any, float]]:
    """Every frame of the library, and the frames a second."""
    number = 0
    try:
        with open(path, "rb") as file:
            reader = library.CPTVReader(file)
            for frame in reader:
                if not frame.background_frame:
                    yield frame, float(reader.fps or _FPS)
                    number += 1
            reader.s.read(1)  # the library takes a file that was cut off for one that ends
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except _DAMAGE as error:
        raise SourceError(
            f"{path} is damaged or cut off after {number} frames, or no CPTV file ({error})"
        ) from error
