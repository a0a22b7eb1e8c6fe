"""UVC cameras on Linux's V4L2: raw 16-bit frames of Lepton, Boson and two-part cameras.

How a camera's bytes become a picture is its layout:

    lepton         Y16, 4:3; rows below that are telemetry (PureThermal: 160 x 122)
    lepton-header  the same, with the telemetry rows above
    boson          Y16 before gain control: counts
    two-part       YUYV as a carrier (Topdon TC001, InfiRay P2 Pro: 256 x 384): the upper half is a
                   picture for the eye, the lower half uint16 kelvin x 64, little endian
    plain          Y16 of any other camera
    grey           not raw: what OpenCV makes of the camera's picture, 8 bits
"""

import os
import platform
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.client.frames import CameraFrame, SourceError
from service.client.sources.arrays import form_of
from service.client.sources.capture import Capture, Factory, picture_form, to_picture
from service.client.sources.lepton import units_by_telemetry, units_by_values
from service.client.sources.newest import NewestFrame

LAYOUTS: Final = ("auto", "lepton", "lepton-header", "boson", "two-part", "plain", "grey")
_BY_SIZE: Final = {
    (80, 60): "lepton", (80, 63): "lepton", (160, 120): "lepton", (160, 122): "lepton",
    (320, 256): "boson", (640, 512): "boson",
}  # fmt: skip
_UNITS: Final = {"boson": "counts", "two-part": "kelvin64", "plain": "auto"}
_TWO_PART: Final = (256, 384)
_Y16: Final = cv2.VideoWriter.fourcc(*"Y16 ")
_YUYV: Final = cv2.VideoWriter.fourcc(*"YUYV")


def open_v4l2(
    device: str = "0",
    *,
    layout: str = "auto",
    units: str = "auto",
    factory: Factory = cv2.VideoCapture,
) -> NewestFrame:
    """device: a path or an index. layout: see above; `auto` goes by pixel format and size.

    units: as in POST /landmarks, instead of the layout's own. SourceError if there is no such
    device, no permission, or no frame.
    """
    if layout not in LAYOUTS:
        raise SourceError(f"layout must be one of {', '.join(LAYOUTS)}, not {layout!r}")
    device = device or "0"
    backend = cv2.CAP_V4L2 if platform.system() == "Linux" else cv2.CAP_ANY
    capture = factory(int(device) if device.isdigit() else device, backend)
    try:
        if not capture.isOpened():
            raise SourceError(_why_closed(device))
        return _start(capture, device, _configure(capture, layout), units)
    except BaseException:
        capture.release()
        raise


def _start(capture: Capture, device: str, layout: str, units: str) -> NewestFrame:
    raw = _read(capture, device)
    rate = capture.get(cv2.CAP_PROP_FPS)
    fps = rate if 0.0 < rate <= 1000.0 else None
    if layout == "grey":
        form = picture_form(raw, False, fps, live=True)
    else:
        size = _size(capture)
        words = to_words(raw, *size)
        own = units if units != "auto" else _units(words, layout)
        form = form_of(crop(words, layout), own, fps, live=True)

    def grab() -> CameraFrame:
        raw = _read(capture, device)
        captured = time.time()
        if layout == "grey":
            return CameraFrame(to_picture(raw, form), captured)
        return CameraFrame(crop(to_words(raw, *size), layout), captured)

    return NewestFrame(form, grab, capture.release)


def to_words(raw: NDArray[Any], width: int, height: int) -> NDArray[np.uint16]:
    """A raw frame as uint16 `[H, W]`, by its bytes: OpenCV's versions differ in shape and type."""
    data = raw.tobytes()
    if len(data) != 2 * width * height:
        raise SourceError(
            f"a frame of {len(data)} bytes is not {width} x {height} of 16 bits; "
            "layout=grey takes the camera's own picture"
        )
    return np.frombuffer(data, "<u2").reshape(height, width).astype(np.uint16)


def crop(words: NDArray[np.uint16], layout: str) -> NDArray[np.uint16]:
    """The picture in a raw frame."""
    height, width = words.shape
    rows = width * 3 // 4
    if layout == "lepton":
        words = words[:rows]
    elif layout == "lepton-header":
        words = words[height - rows :]
    elif layout == "two-part":
        words = words[height // 2 :]
    return np.ascontiguousarray(words)


def _units(words: NDArray[np.uint16], layout: str) -> str:
    if layout in _UNITS:
        return _UNITS[layout]
    height, width = words.shape
    extra = height - width * 3 // 4
    if extra <= 0:
        return units_by_values(words)
    return units_by_telemetry(words[:extra] if layout == "lepton-header" else words[-extra:])


def _configure(capture: Capture, layout: str) -> str:
    """Switches the camera to raw frames where the layout wants them; answers the layout."""
    if layout == "grey":
        return layout
    if layout != "two-part" and _switch(capture, _Y16):
        # In this order: a change of the format makes OpenCV forget the other.
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return layout if layout != "auto" else _BY_SIZE.get(_size(capture), "plain")
    if layout not in ("auto", "two-part"):
        raise SourceError(f"the camera gives no Y16, which layout={layout} needs; try layout=auto")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, _TWO_PART[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, _TWO_PART[1])
    if _size(capture) == _TWO_PART or layout == "two-part":
        _switch(capture, _YUYV)
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
        return "two-part"
    return "grey"


def _switch(capture: Capture, fourcc: int) -> bool:
    capture.set(cv2.CAP_PROP_FOURCC, fourcc)
    return int(capture.get(cv2.CAP_PROP_FOURCC)) == fourcc


def _size(capture: Capture) -> tuple[int, int]:
    return (
        int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
    )


def _read(capture: Capture, device: str) -> NDArray[Any]:
    done, raw = capture.read()
    if not done or raw is None:
        raise SourceError(f"camera {device} gives no frame: unplugged, or used by another program?")
    return raw


def _why_closed(device: str) -> str:
    path = Path(f"/dev/video{device}" if device.isdigit() else device)
    if not path.exists():
        return f"there is no {path}: is the camera plugged in? See `ls /dev/video*`"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission for {path}: join its group (`sudo usermod -aG video $USER`)"
    return f"{path} cannot be opened: it is no camera, or another program uses it"
