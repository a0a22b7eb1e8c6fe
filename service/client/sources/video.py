"""RTSP cameras and video files, by OpenCV and its FFmpeg: pictures of 8 bits."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import cv2

from service.client.frames import CameraFrame, FrameForm, SourceError
from service.client.sources.capture import Capture, Factory, picture_form, to_picture
from service.client.sources.newest import NewestFrame
from service.client.sources.recording import Recording

_FPS: Final = 25.0  # of a file that does not say
_PATIENCE_MS: Final = 10_000  # for the network: to connect, and for each frame


def open_rtsp(
    url: str, *, colour: bool | None = None, factory: Factory = cv2.VideoCapture
) -> NewestFrame:
    """A network camera. colour: send PNG for a coloured palette; None: as the first frame is."""
    timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE_MS]
    timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE_MS]
    capture = factory(url, cv2.CAP_FFMPEG, timeouts)
    shown = url.rpartition("@")[2] if "@" in url else url  # no password in errors
    form = replace(
        _first_form(capture, colour, f"{shown} gives no video: check address, login and network"),
        live=True,
    )

    def grab() -> CameraFrame:
        done, picture = capture.read()
        if not done or picture is None:
            raise SourceError(f"{shown}: the camera has stopped sending; check the network")
        return CameraFrame(to_picture(picture, form), time.time())

    return NewestFrame(form, grab, capture.release)


def open_video(
    path: str,
    *,
    fps: float | None = None,
    colour: bool | None = None,
    factory: Factory = cv2.VideoCapture,
) -> Recording:
    """A video file. fps: instead of the file's own. colour: as for RTSP."""
    if not Path(path).is_file():
        raise SourceError(f"{path}: no such file")
    capture = factory(path, cv2.CAP_FFMPEG)
    try:
        form = _first_form(capture, colour, f"{path} holds no video that FFmpeg can read")
        promised = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    form = replace(form, fps=fps or form.fps or _FPS)
    return Recording(form, lambda: _read(path, form, promised, factory))


def _read(path: str, form: FrameForm, promised: int, factory: Factory) -> Iterator[CameraFrame]:
    assert form.fps is not None
    capture = factory(path, cv2.CAP_FFMPEG)
    try:
        number = 0
        while True:
            done, picture = capture.read()
            if not done or picture is None:
                break
            yield CameraFrame(to_picture(picture, form), number / form.fps)
            number += 1
    finally:
        capture.release()
    # What containers promise is an estimate in some of them.
    if number < promised - 1 - promised // 50:
        raise SourceError(f"{path} is damaged or cut off after frame {number} of {promised}")


def _first_form(capture: Capture, colour: bool | None, complaint: str) -> FrameForm:
    done, picture = capture.read() if capture.isOpened() else (False, None)
    if not done or picture is None:
        capture.release()
        raise SourceError(complaint)
    fps = capture.get(cv2.CAP_PROP_FPS)
    return picture_form(picture, colour, fps if 0.0 < fps <= 1000.0 else None)
