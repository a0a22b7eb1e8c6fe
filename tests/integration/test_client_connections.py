"""The client's streams when connections break and services stop: what is tried again, or lost."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from service.client import Overloaded, Retry, Unavailable
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from tests import rpc_clients
from tests.client_streams import Retries, gateway_of, received, streaming
from tests.fakes import FakeBackend
from tests.memory_sources import MemorySource, recording
from tests.rpc_clients import until


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


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
