"""One open stream: a task reads frames, the call itself answers them; they meet in a slot."""

import asyncio
import time
from contextlib import aclosing
from typing import Final

from google.protobuf.message import DecodeError

from service.errors import InvalidInput, Overloaded, ServiceError
from service.landmarks import FrameAnswer, LandmarkService
from service.memory import Claim
from service.rpc.answers import frame_answer
from service.rpc.edge import Context
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.requests import StreamSetup
from service.stream import Frame, Slot
from service.telemetry import Telemetry
from service.workers import Workers

OK: Final = "ok"


class Camera:
    """A stream from its configuration on. `claim` holds the bytes of its frames in memory."""

    def __init__(
        self,
        context: Context,
        setup: StreamSetup,
        claim: Claim,
        *,
        service: LandmarkService,
        telemetry: Telemetry,
        workers: Workers,
    ) -> None:
        self._context = context
        self._setup = setup
        self._claim = claim
        self._service = service
        self._telemetry = telemetry
        self._workers = workers
        self._slot = Slot[Frame](keep_all=setup.keep_all, on_drop=self._forget)
        self.received = self.answered = self.dropped = 0

    async def run(self) -> None:
        """Until the sender ends the stream, or `stop`; raises what ends it otherwise."""
        reading = asyncio.create_task(self._read())
        setup = self._setup
        answers = self._service.predict_stream(
            self._slot, setup.options, setup.form, setup.following
        )
        try:
            async with aclosing(answers):
                async for answer in answers:
                    await self._send(answer)
        finally:
            reading.cancel()  # it takes in no more; counted at once, as the wait may be cut short
            self._drop("ended", self.received - self.answered - self.dropped)
            await asyncio.wait([reading])

    def stop(self) -> None:
        """Read no more frames; what was read is answered, and then `run` ends."""
        self._slot.close()

    async def _read(self) -> None:
        """Frames into the slot; whatever goes wrong ends the stream by way of the slot."""
        try:
            while await self._slot.room():
                message = await read(self._context)
                if message is None:
                    self._slot.close()
                    return
                self._take_in(_frame_of(message))
        except Exception as error:
            self._slot.close(error)

    def _take_in(self, message: pb.Frame) -> None:
        self.received += 1
        self._telemetry.frames_received.inc()
        try:
            self._claim.add(len(message.data))
        except Overloaded:
            if self._setup.keep_all:  # none may be dropped
                raise
            self._drop("memory")
            self._slot.skip()
            return
        deadline = self._service.deadline(self._setup.options)
        arrived = time.monotonic()
        self._slot.put(Frame(message.id, message.capture_time_ns, message.data, deadline, arrived))

    async def _send(self, answer: FrameAnswer) -> None:
        frame, outcome = answer.frame, answer.outcome
        self._claim.release(len(frame.data))
        with self._telemetry.stage("encode"):
            message = await self._workers.run(frame_answer, answer)
        await self._context.write(message)
        self.answered += 1
        code = outcome.code if isinstance(outcome, ServiceError) else OK
        self._telemetry.frames_answered.labels(code).inc()
        self._telemetry.frame_latency.observe(time.monotonic() - frame.arrived)

    def _forget(self, frame: Frame) -> None:
        self._claim.release(len(frame.data))
        self._drop("newer")

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped += count
        self._telemetry.frames_dropped.labels(reason).inc(count)


async def read(context: Context) -> pb.StreamLandmarksRequest | None:
    """The next message, None at the end. InvalidInput for bytes that are no message."""
    try:
        message = await context.read()
    except DecodeError:
        raise InvalidInput("a message cannot be decoded") from None
    return message if isinstance(message, pb.StreamLandmarksRequest) else None  # else: grpc's EOF


def _frame_of(message: pb.StreamLandmarksRequest) -> pb.Frame:
    if message.WhichOneof("message") != "frame":
        raise InvalidInput("after the configuration, every message must be a frame")
    return message.frame
