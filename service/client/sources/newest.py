"""A camera read by a thread of its own: whoever is slow gets the newest frame, not the next."""

import threading
from collections.abc import Callable, Iterator

from service.client.frames import CameraFrame, FrameForm


class NewestFrame:
    """grab: the next frame, blocking; SourceError ends the source. release: gives the device back.

    Both are called by the reading thread alone, so that no device is closed under a read.
    """

    def __init__(
        self, form: FrameForm, grab: Callable[[], CameraFrame], release: Callable[[], None]
    ) -> None:
        self.form = form
        self._grab = grab
        self._release = release
        self._news = threading.Condition()
        self._frame: CameraFrame | None = None
        self._error: Exception | None = None
        self._closed = False
        self._reader: threading.Thread | None = None

    def frames(self) -> Iterator[CameraFrame]:
        self._start()
        while (frame := self._next()) is not None:
            yield frame

    def close(self) -> None:
        """The device is given back once a read in progress has returned."""
        with self._news:
            first, self._closed = not self._closed, True
            self._news.notify_all()
            unread = self._reader is None
        if first and unread:
            self._release()

    def _start(self) -> None:
        with self._news:
            if self._reader is None and not self._closed:
                self._reader = threading.Thread(target=self._read, name="camera", daemon=True)
                self._reader.start()

    def _next(self) -> CameraFrame | None:
        with self._news:
            self._news.wait_for(lambda: self._frame or self._error or self._closed)
            if self._closed:
                return None
            frame, self._frame = self._frame, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _read(self) -> None:
        try:
            while not self._closed:
                frame = self._grab()
                with self._news:
                    self._frame = frame
                    self._news.notify_all()
        except Exception as error:  # whatever it is, the one who waits for frames must learn it
            with self._news:
                self._error = error
                self._news.notify_all()
        finally:
            self._release()
