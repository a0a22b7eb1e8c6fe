"""The client without asyncio over a real connection, and its thread."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest

from service.bootstrap import Gateway
from service.client import (
    Answer,
    Failure,
    InvalidRequest,
    Retry,
    ThermalClient,
    Unavailable,
)
from service.entities import Prediction
from tests import gateways, rpc_clients
from tests.memory_sources import MemorySource, recording

PNG = gateways.good_image()


@pytest.fixture
async def address(gateway: Gateway) -> AsyncIterator[str]:
    async with rpc_clients.serving(gateway) as (_, where):
        yield where


async def test_without_asyncio(address: str) -> None:
    before = set(threading.enumerate())

    def use() -> list[Answer]:
        with ThermalClient(address) as client:
            assert client.detect(PNG).faces
            good, bad = client.detect([PNG, b"x"])
            assert isinstance(good, Prediction) and isinstance(bad, Failure)
            with pytest.raises(InvalidRequest):
                client.detect(b"x")
            assert client.ping() > 0
            end = time.monotonic() + 30
            while not client.ready():
                assert time.monotonic() < end
                time.sleep(0.01)
            with pytest.raises(InvalidRequest):
                next(client.stream(recording(1), variant="xxl"))
            answers = list(client.stream(recording(5)))
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.ping()
        return answers

    answers = await asyncio.to_thread(use)
    assert [answer.frame_id for answer in answers] == list(range(5))
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if "thermal" in name or "camera" in name}


async def test_leaving_early_without_asyncio(address: str) -> None:
    source = MemorySource()

    def use() -> None:
        with ThermalClient(address) as client:
            source.put()
            for answer in client.stream(source):
                assert answer.frame_id == 0
                break
            assert source.ended.wait(30)
            assert client.detect(PNG).faces

    await asyncio.to_thread(use)


async def test_the_client_s_own_thread_waits_for_nobody(address: str) -> None:
    """`on_retry` runs there, and an iterator that was left may be collected there: either would
    wait for itself."""
    source, told = MemorySource(), list[str]()

    def use() -> None:
        with ThermalClient("127.0.0.1:1", retry=Retry(attempts=2, first_s=0.001)) as client:

            def ask(*_: object) -> None:
                for call in (client.ping, client.close):
                    with pytest.raises(RuntimeError) as caught:
                        call()
                    told.append(str(caught.value))

            with pytest.raises(Unavailable):
                next(client.stream(recording(1), on_retry=ask))
            assert not client.ready()
        with ThermalClient(address) as client:
            answers = client.stream(source)
            source.put()
            assert next(answers).frame_id == 0
            client._loop.call_soon_threadsafe(answers.close)
            assert source.ended.wait(30)

    await asyncio.to_thread(use)
    assert told == 2 * ["not from the client's own thread, which would wait for itself"]


async def test_closed_from_another_thread(address: str) -> None:
    """While the iterator waits for a camera that is silent."""
    source = MemorySource()
    client = ThermalClient(address)
    answered = threading.Event()

    def use() -> int:
        count = 0
        for _ in client.stream(source):
            count += 1
            answered.set()
        return count

    source.put()
    using = asyncio.create_task(asyncio.to_thread(use))
    assert await asyncio.to_thread(answered.wait, 30)
    await asyncio.to_thread(client.close)
    assert await using == 1
    assert source.ended.is_set()
