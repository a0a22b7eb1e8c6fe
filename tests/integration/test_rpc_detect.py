"""`Detect`, over a real connection."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc import StatusCode

from service.bootstrap import Gateway
from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import gateways, rpc_clients
from tests.fakes import FakeBackend
from tests.rpc_clients import thermal_code, until

IMAGE = gateways.good_image()


@pytest.fixture
async def stub(gateway: Gateway) -> AsyncIterator[Any]:
    async with (
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as made,
    ):
        yield made


def request(*images: bytes, **options: Any) -> pb.DetectRequest:
    return pb.DetectRequest(images=images, options=pb.PredictOptions(**options))


async def refused(stub: Any, message: pb.DetectRequest, **how: Any) -> tuple[StatusCode, Any, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Detect(message, **how)
    error = caught.value
    return error.code(), thermal_code(error.trailing_metadata()), error.details() or ""


async def test_the_same_answer_as_rest(stub: Any, client: httpx.AsyncClient) -> None:
    include = [pb.INCLUDE_TEMPERATURES, pb.INCLUDE_SIGMA, pb.INCLUDE_CROPS]
    answer = await stub.Detect(request(IMAGE, include=include))
    params = {"include": "temperatures,sigma,crops"}
    rest = (await client.post("/landmarks", content=IMAGE, params=params)).json()
    result, expected = answer.images[0].result, rest["images"][0]
    assert (result.width, result.height) == (expected["width"], expected["height"])
    assert result.unit == pb.FRAME_UNIT_CELSIUS
    assert result.normalisation == expected["normalisation"]
    assert set(result.timings_ms) == set(expected["timings_ms"])
    (face,), (same,) = result.faces, expected["faces"]
    assert [face.box.x1, face.box.y1, face.box.x2, face.box.y2] == pytest.approx(
        same["box"], abs=1e-3
    )
    assert face.score == pytest.approx(same["score"], abs=1e-4)
    points = [(point.x, point.y, point.score) for point in face.landmarks]
    assert points == [pytest.approx(point, abs=1e-3) for point in same["landmarks"]]
    assert [point.sigma for point in face.landmarks] == pytest.approx(same["sigma"], abs=1e-3)
    assert dict(face.temperatures) == pytest.approx(same["temperatures"], abs=0.01)
    assert face.crop.startswith(b"\x89PNG")
    assert face.verdict == pb.VERDICT_UNSPECIFIED and not face.reasons  # not calibrated
    for used, card in (
        (answer.models.detector, rest["models"]["detector"]),
        (answer.models.landmarks, rest["models"]["landmarks"]),
    ):
        assert (used.name, used.version) == (card["name"], card["version"])


async def test_extras_only_if_asked_for(stub: Any) -> None:
    face = (await stub.Detect(request(IMAGE))).images[0].result.faces[0]
    assert not face.temperatures and not face.crop
    assert all(point.sigma > 0 for point in face.landmarks)


async def test_options_arrive(stub: Any, backend: FakeBackend) -> None:
    box = pb.Box(x1=30, y1=30, x2=90, y2=100)
    answer = await stub.Detect(
        request(IMAGE, boxes=[box], variant="s", precision=pb.PRECISION_INT8, rotate=90)
    )
    assert answer.models.landmarks.name == "landmarks_s_int8"
    assert not answer.models.HasField("detector")
    assert answer.images[0].result.faces[0].box == box
    assert [model for model, _ in backend.calls] == ["landmarks_s_int8"]


async def test_a_bad_image_among_several(stub: Any) -> None:
    answer = await stub.Detect(request(IMAGE, IMAGE[:200], b"", IMAGE))
    outcomes = [image.WhichOneof("outcome") for image in answer.images]
    assert outcomes == ["result", "error", "error", "result"]
    assert [image.error.code for image in answer.images[1:3]] == ["broken_image", "empty_input"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (request(), "empty_input"),
        (request(b""), "empty_input"),
        (request(IMAGE[:200]), "broken_image"),
        (request(b"GIF89a"), "unsupported_format"),
        (request(*[b"x"] * 33), "invalid_input"),
        (request(IMAGE, min_score=1.5), "invalid_option"),
        (request(IMAGE, max_faces=0), "invalid_option"),
        (request(IMAGE, min_score=float("nan")), "invalid_option"),
        (request(IMAGE, rotate=45), "invalid_option"),
        (request(IMAGE, precision=99), "invalid_option"),
        (request(IMAGE, include=[0]), "invalid_option"),
        (request(IMAGE, emissivity=0), "invalid_option"),
        (request(IMAGE, normalisation="none"), "invalid_option"),
        (request(IMAGE, boxes=[pb.Box(x1=5, y1=5, x2=5, y2=9)]), "invalid_option"),
        (request(IMAGE, IMAGE, boxes=[pb.Box(x2=9, y2=9)]), "invalid_option"),
        (request(IMAGE, variant="xxl"), "variant_unavailable"),
    ],
)
async def test_bad_requests(stub: Any, message: pb.DetectRequest, code: str) -> None:
    assert (await refused(stub, message))[:2] == (StatusCode.INVALID_ARGUMENT, code)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InferenceFailed("x"), StatusCode.INTERNAL),
        (BackendUnavailable("x"), StatusCode.UNAVAILABLE),
        (ModelNotFound("x"), StatusCode.UNAVAILABLE),
        (BackendOverloaded("x"), StatusCode.RESOURCE_EXHAUSTED),
        (BackendTimeout("x"), StatusCode.DEADLINE_EXCEEDED),
    ],
)
async def test_errors_of_the_backend(
    stub: Any, backend: FakeBackend, error: Any, status: StatusCode
) -> None:
    backend.error = error
    assert (await refused(stub, request(IMAGE)))[:2] == (status, error.code)


async def test_unknown_errors_tell_nothing(
    stub: Any, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "thermal.access")
    backend.error = RuntimeError("a secret")
    status, code, details = await refused(stub, request(IMAGE))
    assert (status, code) == (StatusCode.INTERNAL, "internal")
    assert "secret" not in details and "secret" in caplog.text
    await until(lambda: "thermal.access" in (record.name for record in caplog.records))
    (line,) = (record for record in caplog.records if record.name == "thermal.access")
    assert line.facts["code"] == "internal"  # type: ignore[attr-defined]


async def test_bytes_that_are_no_request(gateway: Gateway) -> None:
    async with rpc_clients.serving(gateway) as (_, address):
        ended = await rpc_clients.detect_raw(address, b"\xff\xff\xff")
        assert ended == (StatusCode.INVALID_ARGUMENT, "invalid_input")
        ended = await rpc_clients.detect_raw(address, request().SerializeToString())
        assert ended == (StatusCode.INVALID_ARGUMENT, "empty_input")
    labels = {"transport": "grpc", "route": "Detect", "code": "INVALID_ARGUMENT"}
    value = gateway.telemetry.registry.get_sample_value
    await rpc_clients.until(
        lambda: value("thermal_requests_total", labels) == 2
    )  # after the answer


async def test_the_call_s_deadline(stub: Any, backend: FakeBackend) -> None:
    backend.delay = 5
    status, *_ = await refused(stub, request(IMAGE), timeout=0.2)
    assert status is StatusCode.DEADLINE_EXCEEDED
    backend.delay = 0
    await stub.Detect(request(IMAGE), timeout=10_000)  # further off than the service plans


async def test_the_service_s_own_deadline(repository: Path, backend: FakeBackend) -> None:
    backend.delay = 5
    settings = gateways.settings(repository, deadline_ms=50)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        expected = StatusCode.DEADLINE_EXCEEDED, "deadline_exceeded"
        assert (await refused(stub, request(IMAGE)))[:2] == expected


async def test_size_limits(repository: Path, backend: FakeBackend) -> None:
    settings = gateways.settings(repository, max_body_bytes=100_000)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        over = await refused(stub, request(bytes(60_000), bytes(60_000)))
        assert over[:2] == (StatusCode.INVALID_ARGUMENT, "input_too_large")
        # Far over the limit the transport itself refuses, before the message is whole.
        assert (await refused(stub, request(bytes(400_000))))[0] is StatusCode.RESOURCE_EXHAUSTED
        assert (await stub.Detect(request(IMAGE))).images[0].result.faces


async def test_shed(repository: Path, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    settings = gateways.settings(repository, max_inflight=1, max_queued=0)
    async with (
        gateways.running(settings, backend) as gateway,
        rpc_clients.serving(gateway) as (_, address),
        rpc_clients.client(address) as stub,
    ):
        working = asyncio.ensure_future(stub.Detect(request(IMAGE)))
        await rpc_clients.until(lambda: backend.calls)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Detect(request(IMAGE))
        trailing = dict(caught.value.trailing_metadata() or ())
        assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED
        assert trailing["thermal-code"] == "overloaded"
        assert int(trailing["grpc-retry-pushback-ms"]) >= 1000
        backend.gate.set()
        await working


async def test_a_client_that_cancels(gateway: Gateway, stub: Any, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    call = stub.Detect(request(IMAGE))
    await rpc_clients.until(lambda: backend.calls)
    call.cancel()
    await rpc_clients.until(lambda: backend.cancelled)
    labels = {"transport": "grpc", "route": "Detect", "code": "CANCELLED"}
    await rpc_clients.until(
        lambda: gateway.telemetry.registry.get_sample_value("thermal_requests_total", labels)
    )
    backend.gate.set()
    assert (await stub.Detect(request(IMAGE))).images[0].result.faces


async def test_request_id(stub: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "thermal.access")
    call = stub.Detect(request(IMAGE), metadata=(("x-request-id", "camera-7"),))
    await call
    assert dict(await call.trailing_metadata())["x-request-id"] == "camera-7"
    await until(lambda: caplog.records)
    facts = caplog.records[-1].facts  # type: ignore[attr-defined]
    assert (facts["route"], facts["status"], facts["faces"]) == ("Detect", "OK", 1)


async def test_metrics_are_primed_and_counted(gateway: Gateway, stub: Any) -> None:
    def value(code: str) -> float | None:
        labels = {"transport": "grpc", "route": "Detect", "code": code}
        return gateway.telemetry.registry.get_sample_value("thermal_requests_total", labels)

    assert (value("OK"), value("INVALID_ARGUMENT"), value("CANCELLED")) == (0, 0, 0)
    await stub.Detect(request(IMAGE))
    await refused(stub, request())
    await rpc_clients.until(lambda: value("INVALID_ARGUMENT"))
    assert (value("OK"), value("INVALID_ARGUMENT")) == (1, 1)
