"""Who may work now, who waits, who is sent away; and how long each may take."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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


class Admission:
    """At most `max_inflight` at work and `max_queued` waiting, first come first served."""

    def __init__(self, max_inflight: int, max_queued: int, telemetry: Telemetry) -> None:
        self._max_inflight = max_inflight
        self._max_queued = max_queued
        self._telemetry = telemetry
        self._slots = asyncio.Semaphore(max_inflight)
        self._queued = 0
        self._streams = 0  # waiting for their turn
        self._service_time = 0.0  # seconds, running mean

    @asynccontextmanager
    async def slot(self, deadline: Deadline) -> AsyncIterator[None]:
        """Hold a slot. Overloaded when there is no room to wait; DeadlineExceeded while waiting."""
        await self._enter(deadline)
        async with self._working():
            yield

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a slot after all who came before, for callers whose number is bounded elsewhere and
        who stand in the line once each, as streams do: nobody is sent away."""
        self._streams += 1
        try:
            await self._slots.acquire()
        finally:
            self._streams -= 1
        async with self._working():
            yield

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        started = time.monotonic()
        try:
            with self._telemetry.inflight.track_inprogress():
                yield
            self._learn(time.monotonic() - started)
        finally:
            self._slots.release()

    async def _enter(self, deadline: Deadline) -> None:
        if self._slots.locked():
            self._refuse_if_hopeless(deadline)
        self._queued += 1
        try:
            with self._telemetry.queued.track_inprogress():
                async with deadline.enforced():
                    await self._slots.acquire()
        except DeadlineExceeded:
            self._telemetry.rejected.labels("deadline").inc()
            raise
        finally:
            self._queued -= 1

    def _refuse_if_hopeless(self, deadline: Deadline) -> None:
        wait = (self._queued + self._streams + 1) * self._service_time / self._max_inflight
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
