import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.client.feed import Feed
from service.client.frames import SourceError
from tests.memory_sources import MemorySource, recording
from tests.rpc_clients import until


@asynccontextmanager
async def feeding(source: MemorySource, *, keep_all: bool) -> AsyncIterator[Feed]:
    feed = Feed(source, keep_all=keep_all)
    async with asyncio.timeout(30):
        yield feed
    await feed.aclose()
    assert source.ended.is_set()
    assert "camera source" not in {thread.name for thread in threading.enumerate()}


async def test_all_frames_in_their_order() -> None:
    async with feeding(recording(20), keep_all=True) as feed:
        taken = [await feed.next() for _ in range(21)]
        assert [frame and frame.number for frame in taken] == [*range(20), None]
        assert feed.exhausted and feed.error is None
        assert await feed.next() is None


async def test_the_source_waits_for_its_reader() -> None:
    source = recording(20)
    async with feeding(source, keep_all=True) as feed:
        await until(lambda: source.given == 2)  # one in its place, one in hand
        first = await feed.next()
        assert first is not None and first.number == 0
        await until(lambda: source.given == 3)
        assert not feed.exhausted


async def test_the_newest_frame_takes_the_place() -> None:
    source = recording(20)
    async with feeding(source, keep_all=False) as feed:
        assert await asyncio.to_thread(source.ended.wait, 30)
        await until(lambda: not any(t.name == "camera source" for t in threading.enumerate()))
        last = await feed.next()
        assert last is not None and last.number == 19
        assert await feed.next() is None


async def test_a_reader_waits_for_its_source() -> None:
    source = MemorySource()
    async with feeding(source, keep_all=False) as feed:
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        source.put()
        taken = await waiting
        assert taken is not None and taken.number == 0


async def test_a_reader_that_is_cancelled_takes_no_frame() -> None:
    source = MemorySource()
    async with feeding(source, keep_all=True) as feed:
        waiting = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        source.put()
        taken = await feed.next()
        assert taken is not None and taken.number == 0


@pytest.mark.parametrize("error", [SourceError("unplugged"), ValueError("a driver's own")])
async def test_trouble_of_the_source(error: Exception) -> None:
    source = MemorySource()
    source.put()
    source.end(error)
    async with feeding(source, keep_all=True) as feed:
        assert await feed.next() is not None
        assert await feed.next() is None
        assert feed.error is error


@pytest.mark.parametrize("keep_all", [True, False])
async def test_closed_while_the_source_is_silent_or_held(keep_all: bool) -> None:
    source = MemorySource()
    for _ in range(5):
        source.put()
    async with feeding(source, keep_all=keep_all):
        await until(lambda: source.given >= 2)
