"""The soak itself: the service as a process, everybody who streams to it, and who watches."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.test_server import PATIENCE, Server, until
from tests.e2e.test_streaming import ROOT, address
from tests.soak.cameras import Victims, stall, stay_all
from tests.soak.plan import Plan
from tests.soak.verdict import Evidence
from tests.soak.watch import Metrics, Sample, sample, watch

_NOTHING = {"received": 0, "answered": 0, "dropped": 0}  # of a stream that was refused


async def soak(plan: Plan, **settings: str) -> Evidence:
    """Run it. settings: of the service, beside its defaults."""
    given = {"model_repository": str(ROOT / "model_repository"), **settings}
    with Server(drain_delay_s="0", **given) as server:
        await asyncio.to_thread(until, lambda: _loaded(server))
        pid, before, samples = server.process.pid, sample(server.process.pid), list[Sample]()
        victims = Victims(address(server), plan)
        every = min(1.0, plan.seconds / 200)
        async with _meanwhile(
            watch(pid, every, samples), victims.run(), stall(address(server), plan)
        ):
            seen = await stay_all(address(server), plan)
            await asyncio.wait_for(victims.struck.wait(), PATIENCE)  # on a busy machine, not yet
        streams = plan.streams + victims.killed + 1
        await asyncio.to_thread(_settle, lambda: _at_rest(server, streams, before))
        metrics, after = Metrics(server.get("/metrics").text), sample(pid)
        server.process.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(server.wait)
        log = _streams(server)
    return Evidence(
        plan.seconds, seen, victims.killed, log, metrics, samples, before, after, status
    )


@asynccontextmanager
async def _meanwhile(*work: Any) -> AsyncIterator[None]:
    """Run these beside the body, and cancel them after it. What fails in them is raised then."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _loaded(server: Server) -> bool:
    """Whether every model that can be is loaded: memory that comes later would look like a leak."""
    if not server.ready():
        return False
    states = {model["state"] for model in server.get("/models").json()["models"]}
    return "loading" not in states


def _at_rest(server: Server, streams: int, before: Sample) -> bool:
    """Whether all streams are over, logged, and their sockets closed."""
    metrics = Metrics(server.get("/metrics").text)
    over = metrics.total("open") == 0 and len(_streams(server)) >= streams
    return over and sample(server.process.pid).files <= before.files


def _settle(condition: Callable[[], bool]) -> None:
    """Give it time; if it never comes, the verdict says what is wrong."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)


def _streams(server: Server) -> list[dict[str, Any]]:
    """The log line of every stream that has ended."""
    lines = [json.loads(line) for line in server.lines[:] if line.startswith("{")]
    return [_NOTHING | line for line in lines if line.get("route") == "StreamLandmarks"]
