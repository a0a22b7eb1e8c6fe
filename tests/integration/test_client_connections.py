"""The client's streams when connections break, services stop or stall, and readers leave."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from service.bootstrap import Gateway
from service.client import AsyncThermalClient, ClientError, Overloaded, Retry, Unavailable
from service.client.streaming import Streaming
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.memory_sources import MemorySource, recording
from tests.rpc_clients import until

QUICK = Retry(attempts=None, first_s=0.01, longest_s=0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def received(gateway: Gateway) -> float:
    value = gateway.telemetry.registry.get_sample_value("thermal_stream_frames_received_total")
    return value or 0.0


def has_received(gateway: Gateway, count: int) -> bool:
    return received(gateway) == count


def source_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "camera source"]


class Retries:
    """What `on_retry` is told."""

    def __init__(self) -> None:
        self.told: list[tuple[ClientError, float]] = []

    def __call__(self, error: ClientError, wait: float) -> None:
        self.told.append((error, wait))


@asynccontextmanager
async def gateway_of(
    repository: Path, backend: FakeBackend, **settings: Any
) -> AsyncIterator[Gateway]:
    configured = gateways.settings(repository, **settings)
    async with gateways.running(configured, backend) as gateway, asyncio.timeout(60):
        yield gateway


@asynccontextmanager
async def streaming(
    address: str, source: MemorySource, retry: Retry = QUICK, **options: Any
) -> AsyncIterator[Streaming]:
    async with AsyncThermalClient(address, retry=retry) as client:
        yield client.open_stream(source, **options)
    assert source.ended.is_set()


async def test_a_camera_goes_on_when_the_service_is_back(
    repository: Path, backend: FakeBackend
) -> None:
    """Frames of meanwhile are dropped and counted; track ids of another connection are new."""
    port, retries, source = free_port(), Retries(), MemorySource()
    async with (
        gateway_of(repository, backend, grpc_port=port) as gateway,
        streaming(f"127.0.0.1:{port}", source, on_retry=retries) as answers,
    ):
        async with rpc_clients.serving(gateway):
            source.put()
            answer = await anext(answers)
            assert (answer.frame_id, answer.faces[0].track_id) == (0, 1)
        await until(lambda: retries.told)
        for _ in range(5):
            source.put()
        await until(lambda: source.given == 6)
        async with rpc_clients.serving(gateway):
            answer = await anext(answers)
            assert (answer.frame_id, answer.dropped) == (5, 4)
            assert answer.faces[0].track_id == 2
            source.end()
            assert await anext(answers, None) is None
    assert all(isinstance(error, Unavailable) for error, _ in retries.told)


async def test_a_recording_loses_nothing_when_the_service_dies(
    repository: Path, backend: FakeBackend
) -> None:
    port, retries, source = free_port(), Retries(), recording(10)
    async with (
        gateway_of(repository, backend, grpc_port=port) as gateway,
        streaming(f"127.0.0.1:{port}", source, on_retry=retries) as answers,
    ):
        async with rpc_clients.serving(gateway):
            assert (await anext(answers)).frame_id == 0
            backend.gate = asyncio.Event()
            await until(lambda: backend.calls)
        await until(lambda: retries.told)
        backend.gate.set()
        async with rpc_clients.serving(gateway):
            rest = [answer async for answer in answers]
        assert [answer.frame_id for answer in rest] == list(range(1, 10))
        assert not any(answer.dropped or answer.error for answer in rest)


@pytest.mark.parametrize("live", [True, False])
async def test_a_service_that_stops_is_left_at_once(
    repository: Path, backend: FakeBackend, live: bool
) -> None:
    """For another one, without a failure in between."""
    ports, retries, source = (free_port(), free_port()), Retries(), MemorySource(live=live)
    where = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    async with (
        gateway_of(repository, backend, grpc_port=ports[0]) as stopping,
        gateway_of(repository, FakeBackend(), grpc_port=ports[1]) as staying,
        streaming(where, source, on_retry=retries) as answers,
        rpc_clients.serving(stopping) as (server, _),
        rpc_clients.serving(staying),
    ):
        source.put()
        assert (await anext(answers)).frame_id == 0
        assert received(stopping) == 1
        await server.stop(30)
        source.put()
        answer = await anext(answers)
        assert (answer.frame_id, answer.dropped, answer.error) == (1, 0, None)
        assert received(staying) == 1
    assert retries.told == []


async def test_a_full_service_says_when_to_come_back(
    repository: Path, backend: FakeBackend
) -> None:
    retries, first, second = Retries(), MemorySource(), MemorySource()
    async with (
        gateway_of(repository, backend, max_streams=1) as gateway,
        rpc_clients.serving(gateway) as (_, address),
    ):
        async with streaming(address, first) as served:
            first.put()
            await anext(served)
            async with streaming(address, second, on_retry=retries):
                await until(lambda: retries.told)
    error, wait = retries.told[0]
    assert isinstance(error, Overloaded) and error.code == "overloaded"
    assert error.retry_after_s == 1.0 and 1.0 <= wait <= 1.05


async def test_attempts_come_to_an_end() -> None:
    retries, source = Retries(), MemorySource()
    limited = Retry(attempts=3, first_s=0.001, longest_s=0.001)
    async with streaming("127.0.0.1:1", source, limited, on_retry=retries) as answers:
        source.put()
        with pytest.raises(Unavailable):
            await anext(answers)
        assert len(retries.told) == 2
        assert await anext(answers, None) is None  # and it stays so
    assert source.ended.is_set()


@asynccontextmanager
async def played(service: pb_grpc.LandmarksServiceServicer) -> AsyncIterator[str]:
    """The address of a server with this service alone."""
    server = grpc.aio.server()
    pb_grpc.add_LandmarksServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


class Fickle(pb_grpc.LandmarksServiceServicer):
    """A service that dies of each stream's second frame."""

    async def StreamLandmarks(  # type: ignore[override]
        self, _: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        await context.read()
        await context.send_initial_metadata(())
        number = (await context.read()).frame.id
        answer = pb.FrameAnswer(frame_id=number, error=pb.Error(code="internal"))
        await context.write(pb.StreamLandmarksResponse(answer=answer))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


async def test_an_answer_makes_good_for_failures_before() -> None:
    """Attempts are counted in a row: a camera may lose its connection any number of times."""
    retries, limited = Retries(), Retry(attempts=2, first_s=0.001, longest_s=0.001)
    async with (
        played(Fickle()) as address,  # type: ignore[abstract]
        streaming(address, recording(5), limited, on_retry=retries) as answers,
    ):
        assert [answer.frame_id async for answer in answers] == list(range(5))
    assert len(retries.told) == 4  # after the fifth there is nothing left to ask for


class LostAtTheEnd(pb_grpc.LandmarksServiceServicer):
    """A service that answers every frame, and dies before it can say that these were all."""

    async def StreamLandmarks(  # type: ignore[override]
        self, _: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        await context.read()
        await context.send_initial_metadata(())
        while isinstance(message := await context.read(), pb.StreamLandmarksRequest):
            error = pb.Error(code="broken_image")
            answer = pb.FrameAnswer(frame_id=message.frame.id, error=error)
            await context.write(pb.StreamLandmarksResponse(answer=answer))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")


async def test_a_recording_that_is_answered_is_complete() -> None:
    retries = Retries()
    async with (
        played(LostAtTheEnd()) as address,  # type: ignore[abstract]
        streaming(address, recording(3), Retry(attempts=1), on_retry=retries) as answers,
    ):
        assert [answer.frame_id async for answer in answers] == [0, 1, 2]
    assert retries.told == []


async def test_a_camera_s_frames_do_not_queue_up(repository: Path, backend: FakeBackend) -> None:
    """A service that takes long: so many frames are on their way, and of all others the newest."""
    backend.gate = asyncio.Event()
    source = MemorySource()
    async with (
        gateway_of(repository, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        streaming(address, source, tracking=False) as answers,
    ):
        for number in range(32):
            source.put()
            await until(partial(has_received, gateway, number + 1))
        for _ in range(68):
            source.put()
        await until(lambda: source.given == 100)
        assert received(gateway) == 32
        backend.gate.set()
        got = [await anext(answers) for _ in range(3)]
        assert [(answer.frame_id, answer.dropped) for answer in got] == [(0, 0), (31, 30), (99, 67)]


async def test_a_slow_reader_holds_the_source_of_a_recording(
    repository: Path, backend: FakeBackend
) -> None:
    source = recording(200)
    async with (
        gateway_of(repository, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        streaming(address, source, tracking=False) as answers,
    ):
        await anext(answers)
        # One is taken, one at hand, one in hand; 32 are sent at most, one waits in its place, and
        # one in the source's hand.
        await until(lambda: source.given >= 35)
        await asyncio.sleep(0.05)
        assert source.given <= 38
        rest = [answer.frame_id async for answer in answers]
        assert rest == list(range(1, 200))


async def test_a_reader_that_is_cancelled(repository: Path, backend: FakeBackend) -> None:
    """While its camera is silent: the source is closed, the call ends, no thread stays."""
    source, got = MemorySource(), asyncio.Event()

    async def read(client: AsyncThermalClient) -> None:
        async with aclosing(client.stream(source)) as answers:
            async for _ in answers:
                got.set()

    async with (
        gateway_of(repository, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        AsyncThermalClient(address) as client,
    ):
        source.put()
        reading = asyncio.create_task(read(client))
        await got.wait()
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled() and source.ended.is_set() and source_threads() == []
        await until(lambda: gauge(gateway, "thermal_stream_open") == 0)


def gauge(gateway: Gateway, name: str) -> float | None:
    return gateway.telemetry.registry.get_sample_value(name)


async def closed_while_stalled(answers: Streaming, ready: Callable[[], Any]) -> None:
    """The iterator ends by `aclose`, whatever it waits for."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(anext(answers, None))
    await until(ready)
    await answers.aclose()
    assert await waiting is None
    assert source_threads() == []


async def test_a_service_that_never_answers(repository: Path, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    retries, source = Retries(), MemorySource()
    async with (
        gateway_of(repository, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        streaming(address, source, on_retry=retries, stall=0.2) as answers,
    ):
        source.put()
        waiting: Awaitable[Any] = asyncio.ensure_future(anext(answers))
        await until(lambda: retries.told)
        error, _ = retries.told[0]
        assert isinstance(error, Unavailable) and "no answer for" in error.detail
        backend.gate.set()
        source.put()
        assert (await waiting).frame_id == 1  # by another connection

        backend.gate = asyncio.Event()
        source.put()
        backend.calls.clear()
        await closed_while_stalled(answers, lambda: backend.calls)


async def test_a_port_that_only_listens() -> None:
    """Nobody behind it speaks gRPC."""
    source = MemorySource()
    source.put()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with streaming(f"127.0.0.1:{port}", source) as answers:
            connection, _ = await asyncio.to_thread(server.accept)
            with connection:
                await closed_while_stalled(answers, lambda: True)


async def test_closed_before_it_began() -> None:
    source = MemorySource()
    async with streaming("127.0.0.1:1", source) as answers:
        await answers.aclose()
        assert await anext(answers, None) is None
    assert source.ended.is_set()


async def test_a_client_that_is_closed() -> None:
    client = AsyncThermalClient("127.0.0.1:1")
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        client.open_stream(MemorySource())
    with pytest.raises(RuntimeError, match="closed"):
        await client.ping()
