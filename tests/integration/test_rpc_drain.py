"""How streams end: half-closed, cancelled, refused, drained."""

import asyncio
from pathlib import Path

from grpc import StatusCode

from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import gateways
from tests.fakes import FakeBackend
from tests.rpc_clients import Stream, config, metric, served, until


async def test_half_close_answers_what_was_sent(repository: Path, backend: FakeBackend) -> None:
    backend.delay = 0.05
    async with served(repository, backend) as (_, _, stub):
        stream = await Stream(stub, config()).open()
        await stream.send(1)
        await stream.end()
        assert (await stream.answer()).frame_id == 1
        assert await stream.message() is None
        assert await stream.status() == (StatusCode.OK, None)


async def test_cancelled_midway(repository: Path, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    async with served(repository, backend, max_inflight=1) as (gateway, _, stub):
        stream = await Stream(stub, config()).open()
        await stream.send(1)
        await until(lambda: backend.calls)
        await stream.send(2)
        await until(lambda: metric(gateway, "frames_received_total") == 2)
        stream.call.cancel()
        await until(lambda: backend.cancelled == 1)
        await until(lambda: metric(gateway, "open") == 0)
        assert metric(gateway, "frames_dropped_total", reason="ended") == 2
        assert gateway.memory.claimed == 0
        backend.gate.set()
        again = await Stream(stub, config()).open()  # the place at work is free again
        await again.send(3)
        assert (await again.answer()).frame_id == 3


async def test_too_many_streams(repository: Path, backend: FakeBackend) -> None:
    """Only those with a configuration have a place."""
    async with served(repository, backend, max_streams=1) as (gateway, _, stub):
        silent = Stream(stub, None)
        stream = await Stream(stub, config()).open()
        await stream.send(1)
        assert (await stream.answer()).HasField("result")
        refused = await Stream(stub, config()).open()
        assert await refused.status() == (StatusCode.RESOURCE_EXHAUSTED, "overloaded")
        assert metric(gateway, "open") == 1
        await stream.end()
        assert await stream.message() is None
        await until(lambda: metric(gateway, "open") == 0)
        await silent.call.write(pb.StreamLandmarksRequest(config=config()))
        await silent.send(2)
        assert (await silent.answer()).HasField("result")


async def test_a_configuration_that_never_comes(repository: Path, backend: FakeBackend) -> None:
    async with served(repository, backend, body_timeout_s=0.05) as (_, _, stub):
        silent = Stream(stub, None)
        assert await silent.status() == (StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded")


async def test_drain(repository: Path, backend: FakeBackend) -> None:
    """What was read is answered, then a notice, then the good end; idle streams end at once."""
    backend.gate = asyncio.Event()
    async with served(repository, backend) as (gateway, server, stub):
        busy, idle = [await Stream(stub, config()).open() for _ in range(2)]
        await busy.send(1)
        await until(lambda: backend.calls)
        await busy.send(2)
        await until(lambda: metric(gateway, "frames_received_total") == 2)
        asked = asyncio.ensure_future(stub.Detect(pb.DetectRequest(images=[b"x"])))
        await asyncio.wait([asked])
        stopping = asyncio.create_task(server.stop(30))
        notice = await idle.message()
        assert notice is not None and notice.notice.reason == pb.Notice.REASON_DRAINING
        assert await idle.message() is None
        backend.gate.set()
        assert [(await busy.answer()).frame_id for _ in range(2)] == [1, 2]
        notice = await busy.message()
        assert notice is not None and notice.notice.reason == pb.Notice.REASON_DRAINING
        assert await busy.message() is None
        await stopping
        late = Stream(stub, None)
        assert (await late.status())[0] is StatusCode.UNAVAILABLE
        assert asked.exception() is not None  # a bad image, answered as such before


async def test_a_drain_does_not_wait_for_configurations(
    repository: Path, backend: FakeBackend
) -> None:
    async with served(repository, backend) as (_, server, stub):
        silent = Stream(stub, None)
        await Stream(stub, config()).open()  # came later over the same connection
        async with asyncio.timeout(30):
            await server.stop(600)
        assert await silent.status() == (StatusCode.UNAVAILABLE, "backend_unavailable")


async def test_no_new_streams_while_stopping(repository: Path, backend: FakeBackend) -> None:
    """Between the signal and the closed port requests are still answered, streams refused."""
    async with served(repository, backend) as (gateway, _, stub):
        gateway.readiness.draining = True
        refused = await Stream(stub, config()).open()
        assert await refused.status() == (StatusCode.UNAVAILABLE, "backend_unavailable")
        request = pb.DetectRequest(images=[gateways.good_image()])
        assert (await stub.Detect(request)).images[0].result.faces


async def test_grace_ends(repository: Path, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    async with served(repository, backend) as (gateway, server, stub):
        stream = await Stream(stub, config()).open()
        await stream.send(1)
        await until(lambda: backend.calls)
        await server.stop(0.05)
        assert (await stream.status())[0] in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
        await until(lambda: backend.cancelled == 1)
