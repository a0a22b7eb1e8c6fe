"""A source's frames, read in a thread of its own and handed to the event loop one by one."""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Final

from service.client.frames import CameraFrame, Source

_PATIENCE_S: Final = 5.0  # for a source to end once it was closed


@dataclass(frozen=True, eq=False)
class Taken:
    """A frame as it came from its source. number: from 0 on. at: `time.monotonic()`."""

    number: int
    frame: CameraFrame
    at: float


class Feed:
    """One place, where the newest frame waits; with `keep_all` the source waits for the place.

    error: what ended the source, if it was no good end. Use it from one event loop.
    """

    def __init__(self, source: Source, *, keep_all: bool) -> None:
        self._source = source
        self._keep_all = keep_all
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()  # of the place, or of `_closed`
        self._place: Taken | None = None
        self._over = self._closed = False
        self._news = asyncio.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name="camera source", daemon=True)
        self._thread.start()

    @property
    def exhausted(self) -> bool:
        """Whether no frame will come any more."""
        with self._changed:
            return self._over and self._place is None

    async def next(self) -> Taken | None:
        """The frame that waits, or the next one; None at the end."""
        while True:
            with self._changed:
                taken, self._place = self._place, None
                if taken or self._over:
                    self._changed.notify_all()
                    return taken
                self._news.clear()
            await self._news.wait()

    async def aclose(self) -> None:
        """Close the source, and wait until its thread has ended, which a source that heeds `close`
        lets it do soon."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self._source.close()
        self._thread.join(_PATIENCE_S)  # a daemon: one that hangs does not hold up the process

    def _read(self) -> None:
        try:
            for number, frame in enumerate(self._source.frames()):
                if not self._put(Taken(number, frame, time.monotonic())):
                    return
        except Exception as error:  # whatever it is, it is the reader's to know
            self.error = error
        finally:
            with self._changed:
                self._over = True
                self._tell()

    def _put(self, taken: Taken) -> bool:
        """False once the feed is closed."""
        with self._changed:
            while self._keep_all and self._place is not None and not self._closed:
                self._changed.wait()
            self._place = taken
            self._tell()
            return not self._closed

    def _tell(self) -> None:
        """With the lock held: a loop that may be gone after `aclose` is not spoken to."""
        if not self._closed:
            self._loop.call_soon_threadsafe(self._news.set)
