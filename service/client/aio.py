"""The asyncio client."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, Unpack, overload
from weakref import WeakSet

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.client.answers import Answer, Failure, failure_of, prediction_of
from service.client.connection import DEFAULT_SERVER, Connection
from service.client.errors import ClientError, Overloaded, Unavailable, from_rpc
from service.client.frames import Source
from service.client.requests import Options, StreamOptions, config_message, options_message
from service.client.retry import Backoff, Retry
from service.client.streaming import Setup, Streaming, log_retry
from service.entities import Prediction
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc

_PING_S: Final = 5.0
_STALL_S: Final = 10.0  # beyond the time that the service has for a frame
_FRAME_DEADLINE_S: Final = 2.0  # the service's own


class AsyncThermalClient:
    """Landmarks by gRPC. Use it as an async context, in one event loop.

    server: `host` or `host:port` (8081). token: if the service asks for one. ca: PEM file of the
    authority behind the service's certificate; tls: encrypt, and trust what gRPC trusts.
    retry: of calls and streams; `Retry(attempts=None)` never gives up.
    OSError for a `ca` that cannot be read or holds no certificate, Unauthorised for a `token` that
    can be none; calls raise the exceptions of `service.client.errors`.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        token: str | None = None,
        tls: bool = False,
        ca: Path | None = None,
        retry: Retry = Retry(),  # noqa: B008  # frozen
    ) -> None:
        self._connection = Connection(server, token, tls, _read_pem(ca) if ca else None)
        self._retry = retry
        self._channel: grpc.aio.Channel | None = None
        self._closed = False
        self._streams: WeakSet[Streaming] = WeakSet()  # those that run hold themselves

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all streams and calls."""
        self._closed = True
        await asyncio.gather(*(stream.aclose() for stream in tuple(self._streams)))
        if self._channel:
            await self._channel.close()
            self._channel = None

    @overload
    async def detect(
        self, images: bytes, *, timeout: float | None = None, **options: Unpack[Options]
    ) -> Prediction: ...
    @overload
    async def detect(
        self, images: Sequence[bytes], *, timeout: float | None = None, **options: Unpack[Options]
    ) -> list[Prediction | Failure]: ...
    async def detect(
        self,
        images: bytes | Sequence[bytes],
        *,
        timeout: float | None = None,
        **options: Unpack[Options],
    ) -> Prediction | list[Prediction | Failure]:
        """Faces of one image, or of several: PNG, JPEG, radiometric JPEG, BMP, TIFF or NPY.

        A bad image among several is answered by its Failure; a single one is an exception.
        timeout: seconds for each attempt; None: the service's own limit (2 s of work).
        """
        several = [images] if isinstance(images, bytes) else list(images)
        request = pb.DetectRequest(images=several, options=options_message(options))
        response = await self._call_detect(request, timeout)
        outcomes = [
            failure_of(image.error) if image.HasField("error") else prediction_of(image.result)
            for image in response.images
        ]
        if not isinstance(images, bytes):
            return outcomes
        (outcome,) = outcomes
        assert isinstance(outcome, Prediction), "a single image's error ends the call"
        return outcome

    async def stream(
        self,
        source: Source,
        *,
        stall: float | None = None,
        on_retry: Callable[[ClientError, float], None] = log_retry,
        **options: Unpack[StreamOptions],
    ) -> AsyncGenerator[Answer, None]:
        """Answers to a source's frames, in their order, until it ends; it is closed then.

        A connection that breaks is made anew. A live source's frames of meanwhile are dropped, a
        recording's are all answered. Leaving the iterator early closes the source as well, at once
        with `contextlib.aclosing`. What ends the source badly is raised after the last answer.
        stall: seconds without an answer until the connection is given up; default: the deadline of
        a frame and ten seconds.
        on_retry: called with each failure, and the seconds until the next attempt.
        """
        answers = self.open_stream(source, stall=stall, on_retry=on_retry, **options)
        try:
            async for answer in answers:
                yield answer
        finally:
            await answers.aclose()

    def open_stream(
        self,
        source: Source,
        *,
        stall: float | None = None,
        on_retry: Callable[[ClientError, float], None] = log_retry,
        **options: Unpack[StreamOptions],
    ) -> Streaming:
        """As `stream`, for those who close it themselves: `aclose` works from any task."""
        self._check_open()
        try:
            config = config_message(source.form, options)
        except ClientError:
            source.close()
            raise
        if stall is None:
            stall = options.get("deadline", _FRAME_DEADLINE_S) + _STALL_S
        keep_all = config.drop_policy == pb.DROP_POLICY_NONE
        setup = Setup(config, keep_all, self._retry, stall, on_retry)
        answers = Streaming(self._connection, source, setup)
        self._streams.add(answers)
        return answers

    async def ping(self) -> float:
        """Seconds that a question and its answer take. Unavailable if nobody answers."""
        started = time.perf_counter()
        await self._health()
        return time.perf_counter() - started

    async def ready(self) -> bool:
        """Whether the service is there and has its models."""
        try:
            return (await self._health()) == int(health_pb2.HealthCheckResponse.SERVING)
        except Unavailable:
            return False

    async def _health(self) -> int:
        stub = health_pb2_grpc.HealthStub(self._open())
        request = health_pb2.HealthCheckRequest()
        try:
            answer = await stub.Check(request, timeout=_PING_S, metadata=self._connection.metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise Unavailable(f"no answer within {_PING_S:.0f} s", "unavailable") from None
            raise from_rpc(error) from None
        return int(answer.status)

    async def _call_detect(
        self, request: pb.DetectRequest, timeout: float | None
    ) -> pb.DetectResponse:
        backoff = Backoff(self._retry)
        while True:
            stub: pb_grpc.LandmarksServiceAsyncStub = pb_grpc.LandmarksServiceStub(self._open())
            try:
                return await stub.Detect(
                    request, timeout=timeout, metadata=self._connection.metadata
                )
            except grpc.aio.AioRpcError as failed:
                error = from_rpc(failed)
            if not isinstance(error, Unavailable | Overloaded):
                raise error
            await asyncio.sleep(backoff.wait(error))

    def _open(self) -> grpc.aio.Channel:
        self._check_open()
        if self._channel is None:
            self._channel = self._connection.channel()
        return self._channel

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed")


def _read_pem(path: Path) -> bytes:
    """gRPC would take any bytes, and then fail with each connection."""
    data = path.read_bytes()
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        raise OSError(f"{path} holds no certificate in PEM") from error
    return data
