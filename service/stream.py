"""A camera's frames on their way in: one may wait, and the newest wins."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from service.admission import Deadline

T = TypeVar("T")

# Seconds between two frames of one camera: 2,000 a second, and a long pause.
SHORTEST: Final = 0.0005
LONGEST: Final = 10.0


@dataclass(frozen=True)
class Frame:
    """One frame of a stream. id, capture_time_ns: the sender's own. deadline: since its arrival."""

    id: int
    capture_time_ns: int
    data: bytes
    deadline: Deadline
    arrived: float  # seconds, time.monotonic()


class FrameClock:
    """Seconds of a stream's frames: the sender's clock where it says something sensible about the
    time since the last frame, else that of their arrival. It never stands still.

    Sensible are steps of `SHORTEST` to `LONGEST`, or to twice what passed between the arrivals:
    recordings come faster than they were made, and clocks are set.
    """

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._now = 0.0

    def at(self, capture_time_ns: int, arrived: float) -> float:
        """Of the next frame. arrived: seconds, time.monotonic()."""
        if self._last is not None:
            captured = (capture_time_ns - self._last[0]) / 1e9
            passed = arrived - self._last[1]
            sensible = SHORTEST <= captured <= max(LONGEST, 2 * passed)
            self._now += captured if sensible else max(passed, SHORTEST)
        self._last = capture_time_ns, arrived
        return self._now


class Slot(Generic[T]):
    """One place between one producer and one consumer on the same event loop.

    keep_all: `room` holds the producer up while the place is taken; otherwise a new item takes the
    place of the one that waits, which goes to `on_drop` and is counted.
    """

    def __init__(self, *, keep_all: bool, on_drop: Callable[[T], None]) -> None:
        self._keep_all = keep_all
        self._on_drop = on_drop
        self._item: T | None = None
        self._since = 0.0  # seconds, time.monotonic()
        self._interval = 0.0  # seconds between an item and the newer one that took its place
        self._dropped = 0
        self._error: Exception | None = None
        self._closed = False
        self._filled = asyncio.Event()  # or closed: the consumer need not wait
        self._room = asyncio.Event()  # or closed: the producer need not wait
        self._room.set()

    async def room(self) -> bool:
        """Wait until `put` may be called; False once the slot is closed."""
        await self._room.wait()
        return not self._closed

    def put(self, item: T) -> bool:
        """Fill the place. False, and nothing done, once the slot is closed."""
        if self._closed:
            return False
        now = time.monotonic()
        if self._item is not None:
            self._on_drop(self._item)
            self._dropped += 1
            self._interval = now - self._since
        self._item, self._since = item, now
        self._filled.set()
        if self._keep_all:
            self._room.clear()
        return True

    def skip(self) -> None:
        """Count an item as dropped that was never put."""
        self._dropped += 1

    async def filled(self) -> bool:
        """Wait until `take` may be called; False when no more will come.

        Raises the error that the slot was closed with, whatever still waits.
        """
        await self._filled.wait()
        if self._error is not None:
            raise self._error
        return self._item is not None

    def age(self) -> float:
        """Seconds that the item has waited, while a newer one is to be expected; 0 otherwise.

        It is, for twice the time that the last newer one took, from a producer that has shown that
        it does not wait for answers: whoever does would wait for ever if others went before.
        """
        waited = time.monotonic() - self._since
        return waited if waited < 2 * self._interval and not self._closed else 0.0

    def take(self) -> tuple[T, int]:
        """The item, and how many were dropped since the last one was taken."""
        item, dropped = self._item, self._dropped
        assert item is not None, "wait for `filled`"
        self._item, self._dropped = None, 0
        if not self._closed:
            self._filled.clear()
            self._room.set()
        return item, dropped

    def close(self, error: Exception | None = None) -> None:
        """No more will come. What waits can still be taken, unless there is an `error`."""
        if not self._closed:
            self._closed, self._error = True, error
            self._filled.set()
            self._room.set()
