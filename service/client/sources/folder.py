"""A folder of numbered pictures: PNG and JPEG files as they are, TIFF and NPY as numbers."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.client.frames import CameraFrame, FrameForm, PixelFormat, SourceError
from service.client.sources.arrays import form_of, to_frame
from service.client.sources.recording import Recording
from service.errors import ServiceError
from service.imaging.npy import decode_npy
from service.imaging.sniff import read_header
from service.imaging.stored import Stored
from service.imaging.tiff import decode_tiff

_FPS: Final = 9.0  # of a Lepton: folders do not say
_KINDS: Final = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".npy": "npy",
}  # fmt: skip
_DECODERS: Final = {"tiff": decode_tiff, "npy": decode_npy}


def open_folder(path: str, *, units: str = "auto", fps: float = _FPS) -> Recording:
    """All pictures of one folder in natural order (`9.png` before `10.png`), of one kind and size.

    units: as in POST /landmarks, of TIFF and NPY alone. Other files are passed over.
    """
    if not 0.0 < fps <= 1000.0:
        raise SourceError(f"fps must be above 0, at most 1000, not {fps}")
    files = sorted((f for f in Path(path).iterdir() if f.suffix.lower() in _KINDS), key=_natural)
    kinds = sorted({_KINDS[file.suffix.lower()] for file in files})
    if not files:
        raise SourceError(f"{path} holds no PNG, JPEG, TIFF or NPY file")
    if len(kinds) > 1:
        raise SourceError(f"{path} holds {', '.join(kinds)}; keep one kind in a folder")
    if units != "auto" and kinds[0] not in _DECODERS:
        raise SourceError("units are for TIFF and NPY; for PNG and JPEG the stream has an option")
    form = _load(files[0], units, fps)[1]

    def read() -> Iterator[CameraFrame]:
        for number, file in enumerate(files):
            frame, own = _load(file, units, fps)
            if own != form:
                raise SourceError(f"{file} is {_named(own)}, the first file {_named(form)}")
            yield CameraFrame(frame.data, number / fps)

    return Recording(form, read)


def _load(file: Path, units: str, fps: float) -> tuple[CameraFrame, FrameForm]:
    try:
        data = file.read_bytes()
        header = read_header(data)
        if header.container not in _DECODERS:
            kind = PixelFormat(header.container)
            return CameraFrame(data, 0.0), FrameForm(kind, header.width, header.height, fps=fps)
        stored: Stored = _DECODERS[header.container](data, header)
    except (OSError, ServiceError, ValueError) as error:
        raise SourceError(f"{file}: {error}") from error
    return CameraFrame(to_frame(stored.pixels, units), 0.0), form_of(stored.pixels, units, fps)


def _named(form: FrameForm) -> str:
    return f"{form.width} x {form.height} {form.pixel_format}"


def _natural(file: Path) -> list[tuple[bool, int, str]]:
    """Digits by their value, all else as text."""
    parts = re.findall(r"\d+|\D+", file.name.lower())
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
