"""Cameras and recordings without hardware: frames that a test puts in."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from service.client.frames import CameraFrame, FrameForm, PixelFormat, PixelUnit
from tests import gateways

VALUES = gateways.good_values()
FORM = FrameForm(
    PixelFormat.Y16, VALUES.shape[1], VALUES.shape[0], PixelUnit.KELVIN, scale=0.01, fps=10.0
)


class MemorySource:
    """Gives what was put in, and blocks in between as a camera does."""

    def __init__(self, form: FrameForm = FORM, *, live: bool = True) -> None:
        self.form = replace(form, live=live)
        self._frames: queue.SimpleQueue[CameraFrame | Exception | None] = queue.SimpleQueue()
        self._put = 0
        self.given = 0
        self.closed = False
        self.ended = threading.Event()

    def put(self, data: Any = None) -> None:
        """A tenth of a second after the one before. None: never the same picture twice in a row."""
        if data is None:
            data = VALUES + np.uint16(self._put % 5)
        self._frames.put(CameraFrame(data, self._put / 10))
        self._put += 1

    def end(self, error: Exception | None = None) -> None:
        self._frames.put(error)

    def frames(self) -> Iterator[CameraFrame]:
        try:
            while (frame := self._frames.get()) is not None:
                if isinstance(frame, Exception):
                    raise frame
                self.given += 1
                yield frame
        finally:
            self.ended.set()

    def close(self) -> None:
        self.closed = True
        self._frames.put(None)


def recording(count: int, form: FrameForm = FORM, data: Any = None) -> MemorySource:
    """`count` frames, all of which are to be answered."""
    source = MemorySource(form, live=False)
    for _ in range(count):
        source.put(data)
    source.end()
    return source
