import asyncio

import pytest

from service.admission import Admission, Deadline, Line
from service.errors import DeadlineExceeded, Overloaded
from service.telemetry import Telemetry


def value(telemetry: Telemetry, name: str, **labels: str) -> float:
    return telemetry.registry.get_sample_value(name, labels) or 0.0


async def hold(admission: Admission, deadline: Deadline, release: asyncio.Event) -> None:
    async with admission.slot(deadline):
        await release.wait()


async def test_waits_then_sheds() -> None:
    telemetry, release = Telemetry(), asyncio.Event()
    admission = Admission(1, 1, telemetry)
    working = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    assert value(telemetry, "thermal_inflight_requests") == 1
    assert value(telemetry, "thermal_queued_requests") == 1
    with pytest.raises(Overloaded) as caught:
        async with admission.slot(Deadline(5)):
            pytest.fail("there was no room")
    assert caught.value.extra["retry_after_s"] >= 1
    release.set()
    await asyncio.gather(working, waiting)
    assert value(telemetry, "thermal_rejected_total", reason="queue_full") == 1
    assert value(telemetry, "thermal_inflight_requests") == 0
    assert value(telemetry, "thermal_queued_requests") == 0


async def test_deadline_while_waiting() -> None:
    telemetry, release = Telemetry(), asyncio.Event()
    admission = Admission(1, 8, telemetry)
    working = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded):
        await hold(admission, Deadline(0.02), release)
    assert value(telemetry, "thermal_rejected_total", reason="deadline") == 1
    release.set()
    await working
    await hold(admission, Deadline(1), release)  # the slot came back


async def test_hopeless_wait_is_refused_at_once() -> None:
    telemetry, release = Telemetry(), asyncio.Event()
    admission = Admission(1, 8, telemetry)
    async with admission.slot(Deadline(5)):
        await asyncio.sleep(0.05)  # what one image takes, as far as is known
    working = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="deadline"):
        await hold(admission, Deadline(0.01), release)
    release.set()
    await working


async def test_cancelled_waiter_leaves_no_trace() -> None:
    telemetry, release = Telemetry(), asyncio.Event()
    admission = Admission(1, 8, telemetry)
    working = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    waiting.cancel()
    release.set()
    await asyncio.gather(working, waiting, return_exceptions=True)
    assert value(telemetry, "thermal_queued_requests") == 0
    await hold(admission, Deadline(1), release)


async def test_failed_work_gives_its_slot_back() -> None:
    admission = Admission(1, 0, Telemetry())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.slot(Deadline(1)):
                _ = 1 / 0


async def test_enforced_deadline() -> None:
    with pytest.raises(DeadlineExceeded):
        async with Deadline(0.01).enforced():
            await asyncio.sleep(1)
    with pytest.raises(TimeoutError):  # one that is not ours stays what it is
        async with Deadline(1).enforced():
            raise TimeoutError


async def test_an_expired_deadline_begins_nothing() -> None:
    deadline = Deadline(0)
    with pytest.raises(DeadlineExceeded):
        async with deadline.enforced():
            pytest.fail("there was no time")


async def test_turns_are_never_refused_and_leave_room_for_requests() -> None:
    telemetry, release = Telemetry(), asyncio.Event()
    admission = Admission(1, 1, telemetry)

    async def turn() -> None:
        async with admission.turn(lambda: 0.0):
            await release.wait()

    turns = [asyncio.create_task(turn()) for _ in range(20)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    assert value(telemetry, "thermal_queued_requests") == 1
    with pytest.raises(Overloaded):
        await hold(admission, Deadline(5), release)
    release.set()
    await asyncio.gather(waiting, *turns)


async def served(line: Line, ages: dict[str, float]) -> str:
    """In which order those who wait get the one place."""
    order: list[str] = []

    async def wait(name: str) -> None:
        await line.acquire(lambda: ages[name])
        order.append(name)
        line.release()

    await line.acquire()
    tasks = [asyncio.create_task(wait(name)) for name in ages]
    await asyncio.sleep(0)
    assert line.waiting == len(ages)
    line.release()
    await asyncio.gather(*tasks)
    return "".join(order)


async def test_first_come_first_served_among_the_fresh() -> None:
    line = Line(1)
    line.fresh_for = 1.0
    assert await served(line, {"a": 0.9, "b": 0.0, "c": 0.5}) == "abc"
    assert await served(line, {"a": 3.0, "b": 1.0, "c": 2.0, "d": 0.0}) == "bdac"
    assert await served(line, {"a": 2.0, "b": 2.0}) == "ab"
    assert not line.full


async def test_what_is_fresh_follows_the_work() -> None:
    """A frame older than what the work takes lets a newer one go before."""
    admission, order = Admission(1, 1, Telemetry()), list[str]()

    async def turn(name: str, age: float) -> None:
        async with admission.turn(lambda: age):
            order.append(name)

    async with admission.slot(Deadline(5)):
        await asyncio.sleep(0.1)
    async with admission.turn(lambda: 0.0):
        ages = {"old": 9.0, "a": 0.01, "b": 0.0}
        turns = [asyncio.create_task(turn(*it)) for it in ages.items()]
        await asyncio.sleep(0)
    await asyncio.gather(*turns)
    assert order == ["a", "b", "old"]


async def test_streams_leave_places_to_requests() -> None:
    """Two at work, one of them a stream's frame at most."""
    telemetry = Telemetry()
    admission, release = Admission(2, 0, telemetry, max_streaming=1), asyncio.Event()

    async def turn() -> None:
        async with admission.turn(lambda: 0.0):
            await release.wait()

    turns = [asyncio.create_task(turn()) for _ in range(3)]
    await asyncio.sleep(0)
    assert value(telemetry, "thermal_inflight_requests") == 1
    async with admission.slot(Deadline(5)):
        assert value(telemetry, "thermal_inflight_requests") == 2
    turns[1].cancel()
    turns[0].cancel()
    await asyncio.wait(turns[:2])
    assert value(telemetry, "thermal_inflight_requests") == 1  # the third one's
    release.set()
    await turns[2]
    assert value(telemetry, "thermal_inflight_requests") == 0


async def test_a_stream_that_waits_behind_requests_gives_its_place_back() -> None:
    admission, release = Admission(1, 1, Telemetry(), max_streaming=1), asyncio.Event()

    async def turn() -> None:
        async with admission.turn(lambda: 0.0):
            pass

    working = asyncio.create_task(hold(admission, Deadline(5), release))
    await asyncio.sleep(0)
    first, second = (asyncio.create_task(turn()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    release.set()
    await asyncio.wait([first, second, working])
    assert first.cancelled() and not second.cancelled()


async def test_a_place_that_comes_with_a_cancellation_goes_on() -> None:
    line = Line(1)
    await line.acquire()
    first, second = (asyncio.create_task(line.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    line.release()  # to the first, which is cancelled before it hears of it
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled() and not second.cancelled()
    third = asyncio.create_task(line.acquire())
    await asyncio.sleep(0)
    third.cancel()
    await asyncio.wait([third])
    line.release()
    assert (line.full, line.waiting) == (False, 0)


async def test_who_gave_up_is_passed_over() -> None:
    line = Line(1)
    await line.acquire()
    first, second = (asyncio.create_task(line.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    line.release()  # before the first has left the line
    await asyncio.wait([first, second])
    assert first.cancelled() and not second.cancelled()
