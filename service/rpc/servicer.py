"""The methods of thermal.v1.LandmarksService: parse, call, map."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from service.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    EmptyInput,
    InputTooLarge,
    InvalidInput,
    InvalidOption,
    Overloaded,
)
from service.landmarks import LandmarkService
from service.memory import Memory
from service.options import MAX_DEADLINE_MS, PredictOptions
from service.outcomes import predict_each
from service.readiness import Readiness
from service.rpc.answers import detect_response
from service.rpc.camera import OK, Camera, read
from service.rpc.edge import Context, Edge
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from service.rpc.requests import StreamSetup, to_options, to_setup
from service.rpc.statuses import STATUS
from service.telemetry import Telemetry
from service.tokens import Tokens
from service.workers import Workers

DETECT: Final = "Detect"
STREAM: Final = "StreamLandmarks"
_DRAINING: Final = pb.StreamLandmarksResponse(
    notice=pb.Notice(reason=pb.Notice.Reason.REASON_DRAINING)
)


@dataclass(frozen=True)
class RpcLimits:
    """max_bytes: of one call's images, or of one frame. max_pixels: of one frame.

    opening: seconds for a stream's configuration to arrive.
    """

    max_bytes: int
    max_pixels: int
    max_images: int
    max_streams: int
    opening: float


@dataclass(frozen=True)
class Deps:
    """What the methods work with; made by the composition root."""

    service: LandmarkService
    readiness: Readiness
    telemetry: Telemetry
    workers: Workers
    memory: Memory
    tokens: Tokens
    limits: RpcLimits


class LandmarksServicer(pb_grpc.LandmarksServiceServicer):
    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._edge = Edge(deps.telemetry, deps.tokens)
        self._edge.prime(DETECT, STREAM)
        for code in (OK, *sorted({error.code for error in STATUS})):
            deps.telemetry.frames_answered.labels(code)
        self._cameras: set[Camera] = set()
        self._stopping = asyncio.Event()

    def drain(self) -> None:
        """No new streams; those that are open answer what they have read, say so, and end."""
        self._stopping.set()
        for camera in self._cameras:
            camera.stop()

    async def Detect(self, request: pb.DetectRequest | None, context: Context) -> pb.DetectResponse:
        """Landmarks of every face in one or several images. None: bytes that are no request."""
        deps = self._deps
        async with self._edge.call(context, DETECT) as facts:
            self._edge.admit(context)
            if request is None:
                raise InvalidInput("the message cannot be decoded")
            with deps.memory.claim() as claim:
                facts.update(images=len(request.images), bytes=sum(map(len, request.images)))
                claim.add(facts["bytes"])
                options = self._checked(request, context)
                deadline = deps.service.deadline(options)
                outcomes = await predict_each(deps.service, request.images, options, deadline)
                async with deadline.enforced():
                    with deps.telemetry.stage("encode"):
                        response = await deps.workers.run(detect_response, outcomes)
                facts["faces"] = sum(len(image.result.faces) for image in response.images)
        return response

    async def StreamLandmarks(  # type: ignore[override]  # a coroutine that reads and writes
        self, _: object, context: Context
    ) -> None:
        """A camera's frames in, an answer a frame out."""
        deps = self._deps
        async with self._edge.call(context, STREAM, timed=False) as facts:
            with deps.memory.claim() as claim:
                setup = await self._opening(context)
                camera = Camera(
                    context,
                    setup,
                    claim,
                    service=deps.service,
                    telemetry=deps.telemetry,
                    workers=deps.workers,
                )
                await self._run(camera, context, facts)

    async def _run(self, camera: Camera, context: Context, facts: dict[str, Any]) -> None:
        most = self._deps.limits.max_streams
        if len(self._cameras) >= most:  # nothing is awaited from here to the place's taking
            raise Overloaded(f"{most} streams are open, and no more are taken")
        self._cameras.add(camera)
        try:
            with self._deps.telemetry.streams.track_inprogress():
                await context.send_initial_metadata(())  # tells the sender that its stream is open
                await camera.run()
                if self._stopping.is_set():
                    await context.write(_DRAINING)
        finally:
            self._cameras.discard(camera)
            facts.update(received=camera.received, answered=camera.answered, dropped=camera.dropped)

    def _checked(self, request: pb.DetectRequest, context: Context) -> PredictOptions:
        limits, images = self._deps.limits, request.images
        if not any(images):
            raise EmptyInput("the request holds no image")
        if len(images) > limits.max_images:
            raise InvalidInput(f"more than {limits.max_images} images")
        if sum(map(len, images)) > limits.max_bytes:
            raise InputTooLarge(f"the images are over {limits.max_bytes} bytes")
        options = to_options(request.options, _deadline_ms(context))
        if options.boxes is not None and len(images) > 1:
            raise InvalidOption("boxes: only with one image")
        return options

    async def _opening(self, context: Context) -> StreamSetup:
        """The configuration, which must be the first message.

        Whoever is refused for other reasons is refused after it, too: a Python client that is still
        writing when its stream ends reports a status of its own instead of ours.
        """
        message = await self._first(context)
        self._edge.admit(context)
        if self._stopping.is_set() or self._deps.readiness.draining:
            raise BackendUnavailable("the service is stopping")
        if message is None or message.WhichOneof("message") != "config":
            raise InvalidInput("the first message must be the configuration")
        setup = to_setup(message.config, self._deps.limits.max_pixels)
        self._deps.service.check(setup.options)
        return setup

    async def _first(self, context: Context) -> pb.StreamLandmarksRequest | None:
        """A stream's first message, if it comes in time and before the service stops."""
        reading = asyncio.create_task(read(context))
        stopping = asyncio.create_task(self._stopping.wait())
        tasks, patience = (reading, stopping), self._deps.limits.opening
        try:
            await asyncio.wait(tasks, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._stopping.is_set():
            raise BackendUnavailable("the service is stopping")
        raise DeadlineExceeded("the configuration did not arrive in time")


def _deadline_ms(context: Context) -> int | None:
    """The call's own deadline, as far as the service takes one so far away."""
    left = context.time_remaining()
    return None if left is None else max(1, min(int(1000 * left), MAX_DEADLINE_MS))
