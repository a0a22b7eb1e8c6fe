"""One stream of answers, over as many connections as it takes."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

import grpc

from service.client.answers import Answer, events_of, failure_of, prediction_of
from service.client.connection import Connection
from service.client.errors import ClientError, ServiceFailed, Unavailable, from_rpc
from service.client.feed import Feed, Taken
from service.client.frames import Source
from service.client.requests import frame_message
from service.client.retry import Backoff, Retry
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc

log = logging.getLogger("thermal.client")

# Frames sent and not answered yet: what a connection that swallows everything can hold.
_MOST_UNANSWERED: Final = 32
_OPENING_S: Final = 10.0  # for a connection and the service's word that the stream is open
_Call = grpc.aio.StreamStreamCall[pb.StreamLandmarksRequest, pb.StreamLandmarksResponse]


def log_retry(error: ClientError, wait: float) -> None:
    """Where nobody else wants to be told."""
    log.warning("%s; again in %.1f s", error, wait)


class _End(Enum):
    """How a connection's stream came to a good end."""

    COMPLETE = "everything is answered"
    DRAINED = "the service is stopping"


@dataclass(frozen=True)
class Setup:
    """keep_all: every frame is to be answered. stall_s: without an answer, until the connection is
    given up. on_retry: told about each failure and the seconds until the next attempt."""

    config: pb.StreamConfig
    keep_all: bool
    retry: Retry
    stall_s: float
    on_retry: Callable[[ClientError, float], None]


class Streaming:
    """An iterator of answers. `aclose` ends it from any task, whatever it waits for."""

    def __init__(self, connection: Connection, source: Source, setup: Setup) -> None:
        self._connection = connection
        self._setup = setup
        self._feed = Feed(source, keep_all=setup.keep_all)
        self._backoff = Backoff(setup.retry)
        self._unanswered: deque[Taken] = deque()
        self._room = asyncio.Event()
        self._last = -1  # frame that was answered
        self._last_sign = 0.0  # of life: when the last answer came
        self._tracks = self._tracks_before = 0
        self._answers: asyncio.Queue[Answer | Exception | None] = asyncio.Queue(1)
        self._over = False
        self._task = asyncio.create_task(self._run())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        if self._over:
            raise StopAsyncIteration
        answer = await self._answers.get()
        if isinstance(answer, Answer):
            return answer
        self._over = True
        raise answer or StopAsyncIteration

    async def aclose(self) -> None:
        """Close the source, end the call, wait for both."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._feed.aclose()  # a task that had not begun could not do it
        while not self._answers.empty():
            self._answers.get_nowait()
        self._answers.put_nowait(None)

    async def _run(self) -> None:
        try:
            await self._connect_until_complete()
            end = self._feed.error
        except Exception as error:  # the iterator raises it
            end = error
        finally:
            await self._feed.aclose()
        await self._answers.put(end)

    async def _connect_until_complete(self) -> None:
        while not self._is_complete():
            try:
                if await self._connect() is _End.COMPLETE or self._is_complete():
                    return
                log.info("the service is stopping: connecting anew")
                wait = self._backoff.scatter()
            except ClientError as error:
                if error.passing and self._is_complete():
                    return  # the connection broke when there was nothing left to lose
                wait = self._backoff.wait(error)
                self._setup.on_retry(error, wait)
            if not self._setup.keep_all:
                self._unanswered.clear()  # by now there are newer ones
            self._tracks_before = self._tracks
            await asyncio.sleep(wait)

    def _is_complete(self) -> bool:
        """Whether the source has ended and all of its frames are answered."""
        return self._feed.exhausted and not self._unanswered

    async def _connect(self) -> _End:
        """One connection, to its end. ClientError if that is a bad one."""
        async with self._connection.channel() as channel:
            stub: pb_grpc.LandmarksServiceAsyncStub = pb_grpc.LandmarksServiceStub(channel)
            call = stub.StreamLandmarks(metadata=self._connection.metadata)
            sending: asyncio.Task[None] | None = None
            try:
                await self._open(call)
                sending = asyncio.create_task(self._send(call))
                return await self._receive(call, sending)
            except grpc.aio.AioRpcError as error:
                raise from_rpc(error) from None
            finally:
                call.cancel()
                if sending:
                    sending.cancel()
                    await asyncio.wait([sending])

    async def _open(self, call: _Call) -> None:
        """Frames follow only once the service has taken the configuration: gRPC hides the reason
        of a refusal from one who still writes."""
        try:
            async with asyncio.timeout(_OPENING_S):
                await call.write(pb.StreamLandmarksRequest(config=self._setup.config))
                await call.initial_metadata()
        except TimeoutError:
            raise Unavailable(f"no answer within {_OPENING_S:.0f} s", "unavailable") from None
        except asyncio.InvalidStateError:  # refused while it was written; `read` says why
            pass

    async def _send(self, call: _Call) -> None:
        try:
            for taken in tuple(self._unanswered):
                await call.write(frame_message(taken.number, taken.frame))
            while True:
                while len(self._unanswered) >= _MOST_UNANSWERED:
                    self._room.clear()
                    await self._room.wait()
                following = await self._feed.next()
                if following is None:
                    await call.done_writing()
                    return
                if not self._unanswered:
                    self._last_sign = time.monotonic()
                self._unanswered.append(following)
                await call.write(frame_message(following.number, following.frame))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return  # the call is over: who reads it learns why

    async def _receive(self, call: _Call, sending: asyncio.Task[None]) -> _End:
        self._last_sign = time.monotonic()
        while True:
            message = await self._read(call, sending)
            if not isinstance(message, pb.StreamLandmarksResponse):  # grpc's EOF, with status OK
                break
            if message.HasField("notice"):
                return _End.DRAINED
            if answer := self._answer(message.answer):
                self._backoff.succeeded()
                await self._answers.put(answer)
        if self._feed.exhausted and not (self._setup.keep_all and self._unanswered):
            return _End.COMPLETE
        raise Unavailable("the service has ended the stream", "unavailable")

    async def _read(self, call: _Call, sending: asyncio.Task[None]) -> Any:
        """The next message. Unavailable if there has been none for too long."""
        reading = asyncio.ensure_future(call.read())
        try:
            while not reading.done():
                tasks = {reading} if sending.done() else {reading, sending}
                limit = self._setup.stall_s
                await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()  # raises a mistake of the source's frames
                silent = time.monotonic() - self._last_sign
                if not reading.done() and self._unanswered and silent >= limit:
                    raise Unavailable(f"no answer for {silent:.0f} s", "unavailable")
            return reading.result()
        finally:
            reading.cancel()

    def _answer(self, message: pb.FrameAnswer) -> Answer | None:
        """None for a frame that was not sent, or whose answer came before."""
        now = self._last_sign = time.monotonic()
        while self._unanswered and self._unanswered[0].number < message.frame_id:
            self._unanswered.popleft()
        if not self._unanswered or self._unanswered[0].number != message.frame_id:
            raise ServiceFailed(f"an answer to frame {message.frame_id}, not sent", "internal")
        taken = self._unanswered.popleft()
        self._room.set()
        dropped, self._last = taken.number - self._last - 1, taken.number
        prediction = failure = None
        if message.HasField("error"):
            failure = failure_of(message.error)
        else:
            prediction = prediction_of(message.result, self._tracks_before)
            ids = (face.track_id or 0 for face in prediction.faces)
            self._tracks = max(self._tracks, *ids, 0)
        events, latency = events_of(message), now - taken.at
        return Answer(taken.number, taken.frame, prediction, failure, events, dropped, latency)
