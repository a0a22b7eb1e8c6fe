"""The client's streams when services stall, and readers are slow, leave or close."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service.bootstrap import Gateway
from service.client import AsyncThermalClient, Unavailable
from service.client.streaming import Streaming
from tests import rpc_clients
from tests.client_streams import Retries, gateway_of, received, streaming
from tests.fakes import FakeBackend
from tests.memory_sources import MemorySource, recording
from tests.rpc_clients import until


def has_received(gateway: Gateway, count: int) -> bool:
    return received(gateway) == count


def source_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "camera source"]


def gauge(gateway: Gateway, name: str) -> float | None:
    return gateway.telemetry.registry.get_sample_value(name)


async def closed_while_stalled(answers: Streaming, ready: Callable[[], Any]) -> None:
    """The iterator ends by `aclose`, whatever it waits for."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(anext(answers, None))
    await until(ready)
    await answers.aclose()
    assert await waiting is None
    assert source_threads() == []


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
