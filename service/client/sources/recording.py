"""A source with an end: the frames of a file or folder, one after another, as fast as asked."""

import threading
from collections.abc import Callable, Iterator

from service.client.frames import CameraFrame, FrameForm


class Recording:
    """read: opens what was recorded and gives its frames; called once an iteration."""

    def __init__(self, form: FrameForm, read: Callable[[], Iterator[CameraFrame]]) -> None:
        self.form = form
        self._read = read
        self._closed = threading.Event()

    def frames(self) -> Iterator[CameraFrame]:
        for frame in self._read():
            if self._closed.is_set():
                return
            yield frame

    def close(self) -> None:
        self._closed.set()
