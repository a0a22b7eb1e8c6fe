"""Health, reflection, tokens, the port."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from service.bootstrap import Gateway
from service.errors import BackendUnavailable
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.server import SERVICE, PortTaken
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.rpc_clients import Stream, config, thermal_code

TOKEN = "a" * 16
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health_of(address: str, name: str = "") -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        return int(answer.status)


async def until_health(address: str, status: int) -> None:
    async with asyncio.timeout(30):
        while await health_of(address) != status:
            await asyncio.sleep(0.01)


def watch(channel: grpc.aio.Channel) -> Any:
    """Read it for the status now, and for each change of it."""
    return health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())


@pytest.mark.parametrize(
    "trouble", [None, BackendUnavailable("away"), ValueError("nobody thought of it")]
)
async def test_health_follows_readiness(
    repository: Path, backend: FakeBackend, trouble: Exception | None
) -> None:
    settings = gateways.settings(repository, check_models_s=0.01)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (server, address),
    ):
        await until_health(address, SERVING)
        assert await health_of(address, SERVICE) == SERVING
        if trouble:
            backend.ready_error = trouble
        else:
            backend.is_ready = False
        await until_health(address, NOT_SERVING)
        backend.ready_error, backend.is_ready = None, True
        await until_health(address, SERVING)
        server.leave()
        await asyncio.sleep(0.05)
        assert await health_of(address) == NOT_SERVING  # and stays so, ready or not


async def test_one_of_two_watchers_leaves(repository: Path, backend: FakeBackend) -> None:
    settings = gateways.settings(repository, check_models_s=0.01)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        grpc.aio.insecure_channel(address) as channel,
        asyncio.timeout(30),
    ):
        await until_health(address, SERVING)
        leaving, staying = watch(channel), watch(channel)
        for watcher in (leaving, staying):
            assert (await watcher.read()).status == SERVING
        leaving.cancel()
        backend.is_ready = False
        assert (await staying.read()).status == NOT_SERVING
        backend.is_ready = True
        assert (await staying.read()).status == SERVING


async def test_a_stop_does_not_wait_for_watchers(gateway: Gateway) -> None:
    async with (
        rpc_clients.serving(gateway) as (server, address),
        grpc.aio.insecure_channel(address) as channel,
        asyncio.timeout(30),
    ):
        await until_health(address, SERVING)
        watcher = watch(channel)
        assert (await watcher.read()).status == SERVING
        await server.stop(600)
        assert (await watcher.read()).status == NOT_SERVING
        assert not await watcher.read()  # grpc's EOF
        assert await watcher.code() is StatusCode.OK


async def test_reflection(gateway: Gateway) -> None:
    async with (
        rpc_clients.serving(gateway) as (_, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            names = {service.name for service in answer.list_services_response.service}
            assert {SERVICE, "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize("given", [None, "", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}a"])
async def test_tokens(
    repository: Path, backend: FakeBackend, tmp_path: Path, given: str | None
) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    settings = gateways.settings(repository, api_tokens_file=tmp_path / "tokens")
    metadata = () if given is None else (("authorization", given),)
    good = (("authorization", f"bearer {TOKEN}"),)
    request: Any = pb.DetectRequest(images=[gateways.good_image()])
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Detect(request, metadata=metadata)
        assert caught.value.code() is StatusCode.UNAUTHENTICATED
        assert thermal_code(caught.value.trailing_metadata()) == "unauthorised"
        stream = await Stream(stub, config(), metadata).open()
        assert await stream.status() == (StatusCode.UNAUTHENTICATED, "unauthorised")
        assert backend.calls == []
        assert (await stub.Detect(request, metadata=good)).images[0].result.faces
        stream = await Stream(stub, config(), good).open()
        await stream.send(1)
        assert (await stream.answer()).HasField("result")
        await health_of(address)  # asks for none


async def test_a_port_that_is_taken(gateway: Gateway, repository: Path) -> None:
    async with rpc_clients.serving(gateway) as (_, address):
        port = int(address.rpartition(":")[2])
        settings = gateways.settings(repository, grpc_port=port)
        async with gateways.running(settings, FakeBackend()) as second:
            with pytest.raises(PortTaken, match=str(port)):
                await second.rpc_server().start()


async def test_metrics_are_primed(gateway: Gateway) -> None:
    async with rpc_clients.serving(gateway):
        text = gateway.telemetry.render().decode().splitlines()
    for line in (
        'thermal_requests_total{code="OK",route="StreamLandmarks",transport="grpc"} 0.0',
        'thermal_stream_frames_answered_total{code="ok"} 0.0',
        'thermal_stream_frames_answered_total{code="broken_image"} 0.0',
        'thermal_stream_frames_dropped_total{reason="newer"} 0.0',
        "thermal_stream_open 0.0",
        "thermal_stream_frame_latency_seconds_count 0.0",
    ):
        assert line in text
