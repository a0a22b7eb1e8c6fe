"""API tokens: who is let in, and what stays open to everybody."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests import gateways
from tests.fakes import FakeBackend

FIRST, SECOND = "a" * 16, "Z0-._~+/=" * 3


@pytest.fixture
async def guarded(repository: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"# cameras\n{FIRST}\n\n  {SECOND}  \n")
    settings = gateways.settings(repository, api_tokens_file=tokens)
    async with (
        gateways.running(settings, FakeBackend()) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        yield client


@pytest.mark.parametrize("given", [f"Bearer {FIRST}", f"bearer {SECOND}", f"BEARER  {FIRST} "])
async def test_a_valid_token(guarded: httpx.AsyncClient, given: str) -> None:
    headers = {"Authorization": given}
    response = await guarded.post("/landmarks", content=gateways.good_image(), headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        None, "", "Bearer", "Bearer ", f"Basic {FIRST}", FIRST, f"Bearer {FIRST[:-1]}",
        f"Bearer {FIRST}a", f"Bearer {FIRST} {SECOND}", "Bearer # cameras", "Bearer \xff",
    ],
)  # fmt: skip
async def test_no_valid_token(guarded: httpx.AsyncClient, given: str | None) -> None:
    headers = {} if given is None else {b"Authorization": given.encode("latin-1")}
    response = await guarded.post("/landmarks", content=b"never read", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == "unauthorised"
    assert problem["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/metrics", "/docs", "/docs/start.js", "/openapi.json"]
)
async def test_open_paths(guarded: httpx.AsyncClient, path: str) -> None:
    assert (await guarded.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/models", "/schemas", "/nowhere", "/livez/", "//livez", "/docs/../models", "/Livez"]
)
async def test_every_other_path_is_closed(guarded: httpx.AsyncClient, path: str) -> None:
    response = await guarded.get(httpx.URL(path=path, scheme="http", host="service"))
    assert response.status_code in (401, 404)
    assert "card" not in response.text


async def test_refusals_are_counted(guarded: httpx.AsyncClient) -> None:
    await guarded.get("/models")
    metrics = (await guarded.get("/metrics")).text
    line = 'thermal_requests_total{code="401",route="unmatched",transport="rest"} 1.0'
    assert line in metrics.splitlines()


async def test_nobody_is_asked_by_default(client: httpx.AsyncClient) -> None:
    assert (await client.get("/models")).status_code == 200


async def test_description_says_which(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    (scheme,) = document["components"]["securitySchemes"]
    guarded = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if {scheme: []} in operation.get("security", [])
    }
    assert guarded == {"/landmarks", "/models", "/schemas"}


async def test_ready_is_a_metric(client: httpx.AsyncClient, backend: FakeBackend) -> None:
    assert "thermal_ready 1.0" in (await client.get("/metrics")).text.splitlines()
    backend.is_ready = False
    assert "thermal_ready 0.0" in (await client.get("/metrics")).text.splitlines()
