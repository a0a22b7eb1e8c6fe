import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2 as pb

from service.rpc.health import NOT_SERVING, SERVICE_UNKNOWN, SERVING, Health
from tests.rpc_clients import until


class Caller:
    """The other side of a call. It takes nothing until `reads` is set."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = asyncio.Event()
        if reads:
            self.reads.set()
        self.waiting = False
        self.got: list[int] = []

    async def write(self, message: Any) -> None:
        self.waiting = True
        await self.reads.wait()
        self.waiting = False
        self.got.append(message.status)

    async def abort(self, status: StatusCode) -> None:
        raise LookupError(status)


def asked(name: str = "") -> Any:
    return pb.HealthCheckRequest(service=name)


def watching(health: Health, caller: Any, name: str = "") -> asyncio.Task[None]:
    return asyncio.create_task(health.Watch(asked(name), caller))


@pytest.fixture
def health() -> Health:
    return Health(("", "a.Service"))


@pytest.mark.parametrize("name", ["", "a.Service"])
async def test_check(health: Health, name: str) -> None:
    caller: Any = Caller()

    async def told() -> int:
        return int((await health.Check(asked(name), caller)).status)

    assert await told() == NOT_SERVING
    health.set(SERVING)
    assert await told() == SERVING
    health.leave()
    assert await told() == NOT_SERVING
    health.set(SERVING)  # too late
    assert await told() == NOT_SERVING


async def test_an_unknown_service(health: Health) -> None:
    caller: Any = Caller()
    with pytest.raises(LookupError, match="NOT_FOUND"):
        await health.Check(asked("another"), caller)
    watch = watching(health, caller, "another")
    await until(lambda: caller.got)
    health.set(SERVING)
    health.end()
    await watch
    assert caller.got == [SERVICE_UNKNOWN]


async def test_a_watcher_that_does_not_read_holds_up_nobody(health: Health) -> None:
    stalled, quick = Caller(reads=False), Caller()
    watches = [watching(health, caller) for caller in (stalled, quick)]
    await until(lambda: stalled.waiting and quick.got == [NOT_SERVING])
    health.set(SERVING)
    await until(lambda: quick.got == [NOT_SERVING, SERVING])
    health.set(SERVING)  # no news
    health.leave()
    health.end()
    await until(watches[1].done)
    assert quick.got == [NOT_SERVING, SERVING, NOT_SERVING]
    stalled.reads.set()
    await asyncio.gather(*watches)
    assert stalled.got == [NOT_SERVING]


async def test_a_late_reader_hears_the_last_status(health: Health) -> None:
    late = Caller(reads=False)
    watch = watching(health, late)
    await until(lambda: late.waiting)
    health.set(SERVING)
    health.end()
    late.reads.set()
    await watch
    assert late.got == [NOT_SERVING, SERVING]
