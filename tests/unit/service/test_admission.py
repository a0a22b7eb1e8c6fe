import asyncio

import pytest

from service.admission import Admission, Deadline
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
