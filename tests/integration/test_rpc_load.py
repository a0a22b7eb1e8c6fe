"""Streams under load: what is dropped, who comes next, what is held."""

import asyncio
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

from service.bootstrap import Gateway
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from service.telemetry import DROPS
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.rpc_clients import Y16, Stream, config, metric, served, until

ALL = config(drop_policy=pb.DROP_POLICY_NONE)


def metric_of(gateway: Gateway, name: str) -> float:
    return gateway.telemetry.registry.get_sample_value(name) or 0.0


async def test_newest_frame_wins(repository: Path, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    async with served(repository, backend) as (gateway, _, stub):
        stream = await Stream(stub, config()).open()
        await stream.send(0)
        await until(lambda: backend.calls)  # at work; all that follow wait
        for number in range(1, 10):
            await stream.send(number)
        await until(lambda: metric(gateway, "frames_received_total") == 10)
        backend.gate.set()
        answers = [await stream.answer() for _ in range(2)]
        assert [(answer.frame_id, answer.dropped) for answer in answers] == [(0, 0), (9, 8)]
        await stream.end()
        assert await stream.message() is None
        assert metric(gateway, "frames_answered_total", code="ok") == 2
        assert metric(gateway, "frames_dropped_total", reason="newer") == 8
        assert metric(gateway, "frame_latency_seconds_count") == 2
        await until(lambda: metric(gateway, "open") == 0)


async def test_the_frame_is_chosen_when_its_turn_comes(
    repository: Path, backend: FakeBackend
) -> None:
    """While the stream stands in the line, its frame stays the newest."""
    backend.gate = asyncio.Event()
    async with served(repository, backend, max_inflight=1) as (gateway, _, stub):
        first = await Stream(stub, config()).open()
        await first.send(0)
        await until(lambda: backend.calls)
        second = await Stream(stub, config()).open()
        for number in range(5):
            await second.send(number)
        await until(lambda: metric(gateway, "frames_received_total") == 6)
        backend.gate.set()
        answer = await second.answer()
        assert (answer.frame_id, answer.dropped) == (4, 4)


async def test_without_drops_flow_control_holds_the_sender(
    repository: Path, backend: FakeBackend
) -> None:
    backend.gate = asyncio.Event()
    large = gateways.good_values(480, 640).astype("<u2").tobytes()
    count = 30  # 18 MB: more than the transport holds on its way
    opening = config(drop_policy=pb.DROP_POLICY_NONE, width=640, height=480)
    async with served(repository, backend) as (gateway, _, stub):
        stream = await Stream(stub, opening).open()

        async def send() -> None:
            for number in range(count):
                await stream.send(number, large)
            await stream.end()

        sending = asyncio.create_task(send())
        await until(lambda: backend.calls)
        await asyncio.sleep(0.1)
        assert metric(gateway, "frames_received_total") <= 3  # at work, waiting, read
        assert not sending.done()
        backend.gate.set()
        answers = [await stream.answer() for _ in range(count)]
        assert [answer.frame_id for answer in answers] == list(range(count))
        assert not any(answer.dropped for answer in answers)
        assert await stream.message() is None
        await sending


async def test_fifty_streams_take_turns(repository: Path, backend: FakeBackend) -> None:
    """Each asks for more than its share; none is sent away, none gets more than others."""
    backend.delay = 0.002
    async with served(repository, backend, max_inflight=2, max_queued=1) as (_, _, stub):
        answered = [0] * 50
        enough = asyncio.Event()

        async def run(index: int) -> None:
            stream = await Stream(stub, config()).open()

            async def send() -> None:
                number = 0
                while True:
                    number += 1
                    await stream.send(number)
                    await asyncio.sleep(0.02)

            sending = asyncio.create_task(send())
            try:
                while not enough.is_set():
                    assert (await stream.answer()).HasField("result")
                    answered[index] += 1
                    if sum(answered) >= 300:
                        enough.set()
            finally:
                sending.cancel()
                await asyncio.wait([sending])
                stream.call.cancel()

        await asyncio.gather(*(run(index) for index in range(50)))
        assert min(answered) >= 2 and max(answered) <= 12, answered  # a fair share is six


async def test_rest_and_streams_share_the_line(repository: Path, backend: FakeBackend) -> None:
    """Waiting streams do not fill the queue of requests."""
    backend.gate = asyncio.Event()
    async with served(repository, backend, max_inflight=1, max_queued=1) as (gateway, _, stub):
        streams = [await Stream(stub, config()).open() for _ in range(5)]
        for stream in streams:
            await stream.send(1)
        await until(lambda: backend.calls)
        request = pb.DetectRequest(images=[gateways.good_image()])
        asked = asyncio.ensure_future(stub.Detect(request, timeout=60))
        await until(lambda: metric_of(gateway, "thermal_queued_requests") == 1)
        backend.gate.set()
        assert (await asked).images[0].result.faces
        for stream in streams:
            assert (await stream.answer()).HasField("result")


@pytest.mark.parametrize("opening", [config(), ALL])
async def test_a_slow_reader_costs_two_frames(
    repository: Path, backend: FakeBackend, opening: pb.StreamConfig
) -> None:
    """It sends and never reads: what the service holds for it stays bounded."""
    crops = pb.PredictOptions(include=[pb.INCLUDE_CROPS])
    opening.options.CopyFrom(crops)  # larger answers fill the way back sooner
    backend.faces = [(30, 30, 90, 90)] * 1
    async with served(repository, backend) as (gateway, _, stub):
        stream = await Stream(stub, opening).open()
        most = 0

        async def send() -> None:
            number = 0
            while True:
                number += 1
                await stream.send(number)

        sending = asyncio.create_task(send())
        for _ in range(150):
            await asyncio.sleep(0.01)
            most = max(most, gateway.memory.claimed)
        assert 0 < most <= 2 * len(Y16)
        sending.cancel()
        await asyncio.wait([sending])
        stream.call.cancel()
        await until(lambda: metric(gateway, "open") == 0)
        assert gateway.memory.claimed == 0


async def test_every_frame_is_counted_when_an_answer_cannot_be_written(
    repository: Path, backend: FakeBackend
) -> None:
    """The write fails, and then the call is cancelled: two ends of one stream."""
    opening = config(options=pb.PredictOptions(include=[pb.INCLUDE_CROPS]))
    backend.faces = [(30, 30, 90, 90)]
    small = ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 2**16)
    async with (
        gateways.running(gateways.settings(repository), backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        grpc.aio.insecure_channel(address, small) as channel,
    ):
        stream = await Stream(pb_grpc.LandmarksServiceStub(channel), opening).open()
        number = 0
        while metric(gateway, "frames_dropped_total", reason="newer") < 50:
            number += 1
            await stream.send(number)
            await asyncio.sleep(0.005)
        stream.call.cancel()
        await until(lambda: metric(gateway, "open") == 0)
        dropped = sum(metric(gateway, "frames_dropped_total", reason=why) for why in DROPS)
        answered = metric(gateway, "frames_answered_total", code="ok")
        assert metric(gateway, "frames_received_total") == answered + dropped


async def test_memory_is_shared_by_all(repository: Path, backend: FakeBackend) -> None:
    """Room for one frame: newest-wins drops what does not fit, the other ends with its status."""
    backend.gate = asyncio.Event()
    async with served(repository, backend, max_buffered_bytes=len(Y16)) as (gateway, _, stub):
        stream = await Stream(stub, config()).open()
        await stream.send(0)
        await until(lambda: backend.calls)
        for number in range(1, 4):
            await stream.send(number)
        await until(lambda: metric(gateway, "frames_dropped_total", reason="memory") == 3)
        keeping = await Stream(stub, ALL).open()
        await keeping.send(0)
        assert await keeping.status() == (StatusCode.RESOURCE_EXHAUSTED, "overloaded")
        backend.gate.set()
        assert (await stream.answer()).frame_id == 0
        await stream.send(4)
        answer = await stream.answer()
        assert (answer.frame_id, answer.dropped) == (4, 3)
