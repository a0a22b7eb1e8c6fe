"""The real gRPC server on loopback, and clients for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc

from service.bootstrap import Gateway
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from service.rpc.server import RpcServer
from tests import gateways
from tests.fakes import FakeBackend

VALUES = gateways.good_values()
Y16 = VALUES.astype("<u2").tobytes()
HEIGHT, WIDTH = VALUES.shape
Metadata = tuple[tuple[str, str | bytes], ...]


@asynccontextmanager
async def serving(gateway: Gateway) -> AsyncIterator[tuple[RpcServer, str]]:
    """The gateway's server, and its address; stopped at the end, if it was not before."""
    server = gateway.rpc_server()
    port = await server.start()
    try:
        yield server, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def client(address: str) -> AsyncIterator["pb_grpc.LandmarksServiceAsyncStub"]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield pb_grpc.LandmarksServiceStub(channel)


@asynccontextmanager
async def served(
    repository: Path, backend: FakeBackend, **settings: Any
) -> AsyncIterator[tuple[Gateway, RpcServer, Any]]:
    """A gateway, its server, and a stub to it."""
    async with (
        gateways.running(gateways.settings(repository, **settings), backend) as gateway,
        serving(gateway) as (server, address),
        client(address) as stub,
    ):
        yield gateway, server, stub


def config(**changes: Any) -> pb.StreamConfig:
    """Of `Y16`'s frames, in centikelvin."""
    kelvin = pb.Y16Encoding(unit=pb.Y16Encoding.UNIT_KELVIN, scale=0.01)
    fields = {"pixel_format": pb.PIXEL_FORMAT_Y16, "width": WIDTH, "height": HEIGHT, "y16": kelvin}
    return pb.StreamConfig(**{**fields, **changes})


def y16(number: int) -> bytes:
    """`Y16`, but no two numbers have the same picture, as no two pictures of a camera are."""
    values = VALUES.copy()
    values[0, 0] += number % 1000
    return values.astype("<u2").tobytes()


class Stream:
    """One stream, spoken to message by message. `config`: None sends none."""

    def __init__(
        self,
        stub: "pb_grpc.LandmarksServiceAsyncStub",
        opening: pb.StreamConfig | None,
        metadata: Metadata = (),
    ) -> None:
        self.call = stub.StreamLandmarks(metadata=metadata)
        self._opening = opening

    async def open(self) -> "Stream":
        """Refused or not: `status` says how it ended."""
        if self._opening is not None:
            with suppress(grpc.aio.AioRpcError):
                await self.call.write(pb.StreamLandmarksRequest(config=self._opening))
                await self.call.initial_metadata()
        return self

    async def send(self, number: int, data: bytes | None = None) -> None:
        """data: None sends `y16(number)`."""
        data = y16(number) if data is None else data
        frame = pb.Frame(id=number, capture_time_ns=1_000_000 * number, data=data)
        await self.call.write(pb.StreamLandmarksRequest(frame=frame))

    async def end(self) -> None:
        await self.call.done_writing()

    async def message(self) -> pb.StreamLandmarksResponse | None:
        """The next one; None at the stream's good end. Raises AioRpcError at a bad one."""
        message = await self.call.read()
        return message if isinstance(message, pb.StreamLandmarksResponse) else None

    async def answer(self) -> pb.FrameAnswer:
        message = await self.message()
        assert message is not None and message.HasField("answer"), message
        return message.answer

    async def status(self) -> tuple[grpc.StatusCode, str | None]:
        """How the stream ended: its status, and the stable code."""
        return await self.call.code(), thermal_code(await self.call.trailing_metadata())


def thermal_code(metadata: Any) -> str | None:
    """The stable code in trailing metadata."""
    return dict(metadata or ()).get("thermal-code")


def metric(gateway: Gateway, name: str, **labels: str) -> float:
    """Of streams; 0 where there is no such series."""
    return gateway.telemetry.registry.get_sample_value(f"thermal_stream_{name}", labels) or 0.0


async def until(condition: Callable[[], Any]) -> None:
    """Machines that run tests are often busy."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def detect_raw(address: str, data: bytes) -> tuple[grpc.StatusCode, str | None]:
    """How a `Detect` ends whose message is `data`: its status, and the stable code."""
    async with grpc.aio.insecure_channel(address) as channel:
        method = "/thermal.v1.LandmarksService/Detect"
        detect: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        call = detect(data)
        return await call.code(), thermal_code(await call.trailing_metadata())


async def send_raw(address: str, data: bytes) -> grpc.StatusCode:
    """How a stream ends whose one message is `data`."""
    async with grpc.aio.insecure_channel(address) as channel:
        method = "/thermal.v1.LandmarksService/StreamLandmarks"
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(method)()
        await call.write(data)
        return await call.code()
