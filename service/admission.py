"""Who may work now, who waits, who is sent away; and how long each may take."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.errors import DeadlineExceeded, Overloaded
from service.telemetry import Telemetry

_SMOOTHING = 0.2  # weight of the newest service time in its running mean


class Deadline:
    """A point in time that an answer is worth waiting for."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, 0 when past."""
        return max(0.0, self._end - time.monotonic())

    @asynccontextmanager
    async def enforced(self) -> AsyncIterator[None]:
        """Cancel the body when time is up: DeadlineExceeded; at once if it is up already."""
        if self.remaining() == 0:
            raise DeadlineExceeded("the deadline passed before the work began")
        try:
            async with asyncio.timeout(self.remaining()) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded("the deadline passed before the answer was ready") from None


@dataclass(eq=False)
class _Waiting:
    turn: asyncio.Future[None]
    age: Callable[[], float]


class Line:
    """A semaphore of `places`: first come first served, first among those with something fresh.

    fresh_for: seconds. Whoever waits with something older keeps the place in the line, but lets the
    others go before until something newer has come.
    """

    def __init__(self, places: int) -> None:
        self.fresh_for = 0.0
        self._free = places
        self._waiting: list[_Waiting] = []

    @property
    def full(self) -> bool:
        """Whether one would have to wait."""
        return self._free == 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def acquire(self, age: Callable[[], float] = lambda: 0.0) -> None:
        """Wait for a place. age: seconds, of what would be worked on, asked when one is free."""
        if self._free:
            self._free -= 1
            return
        waiter = _Waiting(asyncio.get_running_loop().create_future(), age)
        self._waiting.append(waiter)
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if not waiter.turn.cancelled():  # the place came together with the cancellation
                self.release()
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def release(self) -> None:
        """Give a place back, or on."""
        there = [waiter for waiter in self._waiting if not waiter.turn.done()]
        if not there:
            self._free += 1
            return
        # Nobody fresh: still first come first served, and no place is empty while somebody waits.
        fresh = (waiter for waiter in there if waiter.age() <= self.fresh_for)
        chosen = next(fresh, there[0])
        self._waiting.remove(chosen)
        chosen.turn.set_result(None)


class Admission:
    """At most `max_inflight` at work and `max_queued` waiting, first come first served.

    max_streaming: of those at work, how many streams' frames at most; None: no limit of their own.
    """

    def __init__(
        self,
        max_inflight: int,
        max_queued: int,
        telemetry: Telemetry,
        max_streaming: int | None = None,
    ) -> None:
        self._max_inflight = max_inflight
        self._max_queued = max_queued
        self._telemetry = telemetry
        self._line = Line(max_inflight)
        self._streams = Line(max_streaming or max_inflight)  # before they stand in the line
        self._queued = 0
        self._service_time = 0.0  # seconds, running mean

    @asynccontextmanager
    async def slot(self, deadline: Deadline) -> AsyncIterator[None]:
        """Hold a slot. Overloaded when there is no room to wait; DeadlineExceeded while waiting."""
        await self._enter(deadline)
        async with self._working():
            yield

    @asynccontextmanager
    async def turn(self, age: Callable[[], float]) -> AsyncIterator[None]:
        """Hold a slot when the turn comes, for callers whose number is bounded elsewhere and who
        stand in the line once each, as streams do: nobody is sent away.

        age: seconds that what would be worked on has waited, asked when a place is free. If that is
        longer than the work takes, others go before until something newer has come: with hundreds
        of streams, overload costs frames and not delay.
        """
        await self._streams.acquire(age)
        try:
            await self._line.acquire(age)
            async with self._working():
                yield
        finally:
            self._streams.release()

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        started = time.monotonic()
        try:
            with self._telemetry.inflight.track_inprogress():
                yield
            self._learn(time.monotonic() - started)
        finally:
            self._line.release()

    async def _enter(self, deadline: Deadline) -> None:
        if self._line.full:
            self._refuse_if_hopeless(deadline)
        self._queued += 1
        try:
            with self._telemetry.queued.track_inprogress():
                async with deadline.enforced():
                    await self._line.acquire()
        except DeadlineExceeded:
            self._telemetry.rejected.labels("deadline").inc()
            raise
        finally:
            self._queued -= 1

    def _refuse_if_hopeless(self, deadline: Deadline) -> None:
        wait = (self._line.waiting + 1) * self._service_time / self._max_inflight
        retry_after = max(1, math.ceil(wait))
        if self._queued >= self._max_queued:
            self._telemetry.rejected.labels("queue_full").inc()
            raise Overloaded("too many requests are waiting", retry_after_s=retry_after)
        if wait > deadline.remaining():
            self._telemetry.rejected.labels("predicted_wait").inc()
            raise Overloaded("the wait would outlast the deadline", retry_after_s=retry_after)

    def _learn(self, seconds: float) -> None:
        before = self._service_time or seconds
        self._service_time = before + _SMOOTHING * (seconds - before)
        self._line.fresh_for = self._streams.fresh_for = self._service_time
