"""Answers as pictures: painted frames, and a video of them."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from service.client.answers import Answer
from service.client.frames import FrameForm, PixelFormat
from service.client.requests import frame_bytes
from service.entities import ByteArray
from service.errors import ServiceError
from service.imaging.drawing import paint_faces
from service.imaging.options import DecodeOptions
from service.imaging.raw import FrameFormat, decode_frame

_FPS: Final = 25.0  # of a video from a source that does not know its own
_LONGEST_GAP_S: Final = 10.0  # that a video shows as it was


class Painter:
    """Frames of one stream with their faces. polarity: as in the stream's options."""

    def __init__(self, form: FrameForm, polarity: str = "auto") -> None:
        raw = form.pixel_format in (PixelFormat.GRAY8, PixelFormat.Y16)
        size = (form.width, form.height) if raw else (0, 0)
        # Gain control makes the same picture of counts and of degrees.
        unit = "counts" if form.pixel_format is PixelFormat.Y16 else "auto"
        self._form = FrameFormat(form.pixel_format, *size, unit)
        self._options = DecodeOptions(polarity=polarity)
        self._last: tuple[Answer, ByteArray | None] | None = None

    def paint(self, answer: Answer) -> ByteArray | None:
        """uint8 `[H, W, 3]` blue, green, red; None where the frame cannot be read. The last picture
        is kept, for a second one who asks."""
        if self._last is None or self._last[0] is not answer:
            self._last = answer, self._paint(answer)
        return self._last[1]

    def _paint(self, answer: Answer) -> ByteArray | None:
        normalisation = answer.prediction.normalisation if answer.prediction else "auto"
        try:
            frame = decode_frame(frame_bytes(answer.frame), self._form, self._options)
        except ServiceError:  # which the answer says as well
            return None
        return paint_faces(frame, answer.faces, normalisation)


class Video:
    """An MP4 of the answered frames. Of a recording one after another; of a camera, each stands
    until the next was captured, so that the video keeps time."""

    def __init__(self, path: Path, painter: Painter, form: FrameForm) -> None:
        path.open("wb").close()  # OSError now, not after the first frame
        self._path = path
        self._painter = painter
        self._live = form.live
        self._fps = form.fps or _FPS
        self._writer: cv2.VideoWriter | None = None
        self._size = 0, 0
        self._began = 0.0
        self._written = 0

    def write(self, answer: Answer) -> None:
        picture = self._painter.paint(answer)
        if picture is None:
            return
        if self._writer is None:
            self._size = picture.shape[1], picture.shape[0]
            self._writer = self._open()
            self._began = answer.captured
        if picture.shape[:2] != self._size[::-1]:
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        for _ in range(self._times(answer)):
            self._writer.write(picture)
            self._written += 1

    def close(self) -> None:
        if self._writer:
            self._writer.release()

    def _open(self) -> cv2.VideoWriter:
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._path), codec, self._fps, self._size)
        if not writer.isOpened():
            raise OSError(f"{self._path}: OpenCV cannot write a video of this name")
        return writer

    def _times(self, answer: Answer) -> int:
        """How often to write this frame."""
        if not self._live:
            return 1
        due = round((answer.captured - self._began) * self._fps) + 1 - self._written
        if due > _LONGEST_GAP_S * self._fps:  # a long gap, or a clock that was set: go on from here
            self._began = answer.captured - self._written / self._fps
            return 1
        return max(due, 0)
