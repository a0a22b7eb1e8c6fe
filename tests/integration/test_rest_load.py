"""Time and room: deadlines, waiting, shedding, clients that hang up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.bootstrap import Gateway
from tests import gateways
from tests.fakes import FakeBackend
from tests.gateways import good_image
from tests.rpc_clients import until

IMAGE = good_image()


async def post(client: httpx.AsyncClient, **params: Any) -> httpx.Response:
    return await client.post("/landmarks", content=IMAGE, params=params)


@pytest.fixture
async def narrow(repository: Path, backend: FakeBackend) -> AsyncIterator[httpx.AsyncClient]:
    """Room for one at work and one waiting."""
    settings = gateways.settings(repository, max_inflight=1, max_queued=1)
    async with (
        gateways.running(settings, backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        yield client


async def test_concurrent_requests(client: httpx.AsyncClient) -> None:
    responses = await asyncio.gather(*(post(client) for _ in range(16)))
    assert [response.status_code for response in responses] == [200] * 16
    assert len({response.json()["request_id"] for response in responses}) == 16


async def test_over_the_deadline(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    backend.delay = 5
    response = await post(client, deadline_ms=50)
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")


@pytest.mark.parametrize("value", ["50", "0", "soon"])
async def test_deadline_header(client: httpx.AsyncClient, backend: FakeBackend, value: str) -> None:
    backend.delay = 5
    headers = {"x-deadline-ms": value}
    response = await client.post("/landmarks", content=IMAGE, headers=headers)
    assert response.status_code == (504 if value == "50" else 422)


async def test_option_beats_header(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    backend.delay = 0.05
    headers, params = {"x-deadline-ms": "1"}, {"deadline_ms": 5000}
    response = await client.post("/landmarks", content=IMAGE, headers=headers, params=params)
    assert response.status_code == 200


async def test_shed_and_retry_after(narrow: httpx.AsyncClient, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    working = asyncio.create_task(post(narrow, deadline_ms=60000))
    await until(lambda: backend.calls)
    waiting = asyncio.create_task(post(narrow, deadline_ms=60000))
    await asyncio.sleep(0.02)
    shed = await post(narrow, deadline_ms=60000)
    assert (shed.status_code, shed.json()["code"]) == (429, "overloaded")
    assert int(shed.headers["retry-after"]) >= 1
    backend.gate.set()
    assert [r.status_code for r in await asyncio.gather(working, waiting)] == [200, 200]


async def test_deadline_while_waiting(narrow: httpx.AsyncClient, backend: FakeBackend) -> None:
    backend.gate = asyncio.Event()
    working = asyncio.create_task(post(narrow, deadline_ms=60000))
    await until(lambda: backend.calls)
    late = await post(narrow, deadline_ms=50)
    assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
    backend.gate.set()
    assert (await working).status_code == 200
    assert (await post(narrow)).status_code == 200


async def test_probes_answer_while_all_is_busy(
    narrow: httpx.AsyncClient, backend: FakeBackend
) -> None:
    backend.gate = asyncio.Event()
    working = asyncio.create_task(post(narrow, deadline_ms=60000))
    await until(lambda: backend.calls)
    async with asyncio.timeout(30):
        for path in ("/livez", "/readyz", "/metrics"):
            assert (await narrow.get(path)).status_code == 200
    backend.gate.set()
    await working


def landmarks_scope(query: bytes) -> dict[str, Any]:
    """A POST to /landmarks in plain ASGI."""
    return {
        "type": "http", "method": "POST", "path": "/landmarks", "raw_path": b"/landmarks",
        "query_string": query, "headers": [], "http_version": "1.1",
        "scheme": "http", "server": ("service", 80), "client": ("test", 1),
    }  # fmt: skip


async def test_client_that_hangs_up(
    gateway: Gateway, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Spoken in plain ASGI: the test client cannot hang up halfway."""
    caplog.set_level("INFO", "thermal.access")
    backend.gate = asyncio.Event()
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = landmarks_scope(b"deadline_ms=60000")
    await messages.put({"type": "http.request", "body": IMAGE, "more_body": False})
    call = asyncio.create_task(gateway.rest_app()(scope, messages.get, send))
    await until(lambda: backend.calls)
    await messages.put({"type": "http.disconnect"})
    async with asyncio.timeout(30):
        await call
    assert backend.cancelled == 1
    assert sent == []
    (record,) = (r for r in caplog.records if r.name == "thermal.access")
    assert record.facts["status"] == 499  # type: ignore[attr-defined]
    assert gateway.telemetry.registry.get_sample_value("thermal_inflight_requests") == 0


async def test_client_that_hangs_up_while_sending(gateway: Gateway) -> None:
    messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = landmarks_scope(b"")
    await messages.put({"type": "http.request", "body": IMAGE[:10], "more_body": True})
    await messages.put({"type": "http.disconnect"})
    async with asyncio.timeout(30):
        await gateway.rest_app()(scope, messages.get, send)
    assert sent == []


async def test_bodies_share_the_memory(repository: Path, backend: FakeBackend) -> None:
    size = len(IMAGE)
    settings = gateways.settings(repository, max_buffered_bytes=size + 10)
    async with (
        gateways.running(settings, backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        backend.gate = asyncio.Event()
        working = asyncio.create_task(post(client, deadline_ms=60000))
        await until(lambda: backend.calls)
        shed = await post(client)
        assert (shed.status_code, shed.json()["code"]) == (429, "overloaded")
        assert shed.headers["retry-after"] == "1"
        backend.gate.set()
        assert (await working).status_code == 200
        assert (await post(client)).status_code == 200  # and its memory came back
