import asyncio

import pytest

from service.stream import FrameClock, Slot


def slot(*, keep_all: bool = False) -> tuple[Slot[int], list[int]]:
    dropped: list[int] = []
    return Slot[int](keep_all=keep_all, on_drop=dropped.append), dropped


async def test_the_newest_wins() -> None:
    frames, dropped = slot()
    for number in range(5):
        assert await frames.room()
        frames.put(number)
    assert await frames.filled()
    assert frames.take() == (4, 4)
    assert dropped == [0, 1, 2, 3]
    frames.put(5)
    assert frames.take() == (5, 0)  # counted since the last one taken


async def test_all_are_kept_by_holding_the_producer_up() -> None:
    frames, dropped = slot(keep_all=True)
    taken = []

    async def produce() -> None:
        for number in range(20):
            assert await frames.room()
            frames.put(number)
            assert not await asyncio.wait_for(asyncio.sleep(0, False), 1)
        frames.close()

    async def consume() -> None:
        while await frames.filled():
            await asyncio.sleep(0)
            taken.append(frames.take())

    await asyncio.gather(produce(), consume())
    assert taken == [(number, 0) for number in range(20)]
    assert dropped == []


async def test_a_full_place_has_no_room_when_all_are_kept() -> None:
    frames, _ = slot(keep_all=True)
    frames.put(1)
    waiting = asyncio.create_task(frames.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    frames.take()
    assert await waiting


async def test_the_consumer_waits() -> None:
    frames, _ = slot()
    waiting = asyncio.create_task(frames.filled())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    frames.put(1)
    assert await waiting
    frames.take()
    waiting = asyncio.create_task(frames.filled())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    frames.close()
    assert not await waiting


async def test_what_waits_at_the_end_is_still_taken() -> None:
    frames, dropped = slot()
    frames.put(1)
    frames.close()
    assert not await frames.room()
    assert not frames.put(2)
    assert await frames.filled()
    assert frames.take() == (1, 0)
    assert not await frames.filled()
    assert dropped == []


@pytest.mark.parametrize("keep_all", [False, True])
async def test_closing_frees_who_waits(keep_all: bool) -> None:
    frames, _ = slot(keep_all=keep_all)
    frames.put(1)
    waiting = asyncio.create_task(frames.room())
    frames.close()
    assert not await waiting


async def test_an_error_reaches_the_consumer_first() -> None:
    frames, _ = slot()
    frames.put(1)
    frames.close(ValueError("broken"))
    frames.close()  # changes nothing any more
    with pytest.raises(ValueError, match="broken"):
        await frames.filled()


async def test_age_is_that_of_the_newest_while_a_newer_one_is_expected() -> None:
    frames, _ = slot()
    frames.put(1)
    await asyncio.sleep(0.2)
    frames.put(2)  # so every 0.2 seconds
    await asyncio.sleep(0.05)
    assert 0.05 <= frames.age() < 0.2
    await asyncio.sleep(0.4)
    assert frames.age() == 0  # overdue: it may be the last one
    frames.put(3)
    await asyncio.sleep(0.01)
    assert frames.age() > 0
    frames.close()
    assert frames.age() == 0


@pytest.mark.parametrize("keep_all", [False, True])
async def test_who_waits_for_answers_has_nothing_newer(keep_all: bool) -> None:
    frames, _ = slot(keep_all=keep_all)
    for number in range(3):
        frames.put(number)
        await asyncio.sleep(0.01)
        assert frames.age() == 0
        frames.take()


async def test_skipped_items_are_counted() -> None:
    frames, dropped = slot()
    frames.skip()
    frames.skip()
    frames.put(1)
    assert frames.take() == (1, 2)
    assert dropped == []


MS = 1_000_000  # nanoseconds


@pytest.mark.parametrize(
    ("captured", "arrived", "expected"),
    [
        ([0, 40 * MS, 120 * MS], [5, 5.1, 5.11], [0, 0.04, 0.12]),  # the sender's clock
        ([-7 * MS, 33 * MS], [5, 5.01], [0, 0.04]),
        ([0, 0, 0], [5, 5.04, 5.08], [0, 0.04, 0.08]),  # it has none
        ([0, 33, 66], [5, 5.04, 5.08], [0, 0.04, 0.08]),  # in other units
        ([0, 40 * MS, 0, 40 * MS], [5, 5.1, 5.2, 5.3], [0, 0.04, 0.14, 0.18]),  # begun again
        ([0, 3600_000 * MS], [5, 5.04], [0, 0.04]),  # set
        ([0, 30_000 * MS], [5, 20], [0, 30]),  # a long pause, by both clocks
        ([0, 30_000 * MS], [5, 19], [0, 14]),
    ],
)
def test_frames_times(captured: list[int], arrived: list[float], expected: list[float]) -> None:
    clock = FrameClock()
    times = [clock.at(*frame) for frame in zip(captured, arrived, strict=True)]
    assert times == pytest.approx(expected)


def test_times_never_stand_still() -> None:
    clock = FrameClock()
    times = [clock.at(0, 5.0) for _ in range(3)]
    assert times == sorted(set(times))
