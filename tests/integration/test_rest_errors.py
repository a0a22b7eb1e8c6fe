"""Every row of the error table, through the real wiring."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from tests import gateways
from tests.fakes import FakeBackend
from tests.gateways import good_image

IMAGE = good_image()


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert {"type", "title", "detail"} <= set(body)
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def giant_png(width: int, height: int) -> bytes:
    """A header that promises a giant; hardly any data behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data).to_bytes(4)
        return len(data).to_bytes(4) + kind + data + crc

    size = width.to_bytes(4) + height.to_bytes(4)
    header = chunk(b"IHDR", size + bytes((16, 0, 0, 0, 0)))
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_input"),
        (IMAGE[: len(IMAGE) // 2], 400, "broken_image"),
        (IMAGE[:20], 400, "broken_image"),
        (b"GIF89a" + bytes(100), 415, "unsupported_format"),
        (b"<html>hello</html>", 415, "unsupported_format"),
        (giant_png(20000, 20000), 413, "input_too_large"),
    ],
)
@pytest.mark.parametrize("multipart", [False, True])
async def test_bad_images(
    client: httpx.AsyncClient, content: bytes, status: int, code: str, multipart: bool
) -> None:
    if multipart:
        response = await client.post("/landmarks", files={"image": ("a.png", content)})
    else:
        response = await client.post("/landmarks", content=content)
    check_problem(response, status, code)


@pytest.mark.parametrize(
    ("option", "value"),
    [("min_score", "2"), ("rotate", "45"), ("boxes", "[[1,2]]"), ("colour", "red"), ("units", "")],
)
@pytest.mark.parametrize("where", ["params", "data"])
async def test_bad_options(client: httpx.AsyncClient, option: str, value: str, where: str) -> None:
    given: dict[str, Any] = {where: {option: value}}
    response = await client.post("/landmarks", files={"image": ("a.png", IMAGE)}, **given)
    body = check_problem(response, 422, "invalid_option")
    assert option in body["detail"]


async def test_option_given_twice(client: httpx.AsyncClient) -> None:
    files = {"image": ("a.png", IMAGE)}
    url = "/landmarks?rotate=90"
    response = await client.post(url, files=files, data={"rotate": "90"})
    check_problem(response, 422, "invalid_option")
    response = await client.post(url + "&rotate=90", content=IMAGE)
    check_problem(response, 422, "invalid_option")


async def test_boxes_with_several_images(client: httpx.AsyncClient) -> None:
    files = [("image", ("a.png", IMAGE)), ("image", ("b.png", IMAGE))]
    response = await client.post("/landmarks", files=files, data={"boxes": "[[1,1,9,9]]"})
    check_problem(response, 422, "invalid_option")


async def test_box_outside_the_image(client: httpx.AsyncClient) -> None:
    params = {"boxes": "[[500, 500, 600, 600]]"}
    response = await client.post("/landmarks", content=IMAGE, params=params)
    check_problem(response, 422, "invalid_option")


async def test_drawing_several_images(client: httpx.AsyncClient) -> None:
    files = [("image", ("a.png", IMAGE)), ("image", ("b.png", IMAGE))]
    response = await client.post("/landmarks", files=files, headers={"accept": "image/png"})
    check_problem(response, 422, "invalid_option")


@pytest.mark.parametrize("params", [{"variant": "x"}, {"variant": "t", "precision": "int8"}])
async def test_unpublished_variant_lists_the_others(
    client: httpx.AsyncClient, params: dict[str, str]
) -> None:
    response = await client.post("/landmarks", content=IMAGE, params=params)
    body = check_problem(response, 422, "variant_unavailable")
    assert {"variant": "s", "precision": "int8"} in body["available"]


@pytest.mark.parametrize(
    ("files", "data", "code"),
    [
        ({"picture": ("a.png", IMAGE)}, {}, 422),
        ({"image": ("a.png", IMAGE)}, {"image": "text"}, 422),
        ({"image": ("a.png", IMAGE)}, {"boxes": "1" * 70_000}, 400),
    ],
)
async def test_bad_forms(
    client: httpx.AsyncClient, files: dict[str, Any], data: dict[str, str], code: int
) -> None:
    response = await client.post("/landmarks", files=files, data=data)
    assert response.status_code == code, response.text


async def test_form_without_image(client: httpx.AsyncClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="rotate"\r\n\r\n90\r\n--x--\r\n'
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = await client.post("/landmarks", content=body, headers=headers)
    check_problem(response, 400, "empty_input")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x\r\ngarbage", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data; boundary=x"),
        (b"garbage", "multipart/form-data"),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
            "multipart/form-data; boundary=x",
        ),
    ],
)
async def test_broken_multipart(client: httpx.AsyncClient, body: bytes, content_type: str) -> None:
    response = await client.post("/landmarks", content=body, headers={"content-type": content_type})
    check_problem(response, 400, "invalid_input")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InferenceFailed("failed"), 502),
        (BackendUnavailable("away"), 503),
        (ModelNotFound("gone"), 503),
        (BackendTimeout("slow"), 504),
        (BackendOverloaded("full"), 429),
    ],
)
async def test_backend_errors(
    client: httpx.AsyncClient, backend: FakeBackend, error: Exception, status: int
) -> None:
    backend.error = error
    response = await client.post("/landmarks", content=IMAGE)
    body = check_problem(response, status, error.code)  # type: ignore[attr-defined]
    assert ("retry-after" in response.headers) == (status == 429)
    assert body["detail"] == str(error)
    # With several images, trouble of ours is the answer too: no image has been answered.
    files = [("image", ("a.png", IMAGE)), ("image", ("b.png", IMAGE))]
    response = await client.post("/landmarks", files=files)
    assert response.status_code == status


async def test_unknown_errors_tell_nothing(
    client: httpx.AsyncClient, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.error = RuntimeError("secret detail")
    response = await client.post("/landmarks", content=IMAGE)
    check_problem(response, 500, "internal")
    assert "secret" not in response.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("GET", "/landmarks", 405, "method_not_allowed")],
)
async def test_protocol_errors(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    check_problem(await client.request(method, path), status, code)


async def chunks(count: int, size: int, sent: list[int]) -> AsyncIterator[bytes]:
    for _ in range(count):
        sent.append(size)
        yield bytes(size)


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=x"])
async def test_byte_limit_while_reading(
    repository: Path, backend: FakeBackend, content_type: str
) -> None:
    """Chunked: no Content-Length to trust. The rest of the body is not even read."""
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

    async def body(sent: list[int]) -> AsyncIterator[bytes]:
        yield head
        async for chunk in chunks(100, 1000, sent):
            yield chunk

    settings = gateways.settings(repository, max_body_bytes=10_000)
    async with (
        gateways.running(settings, backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        sent: list[int] = []
        response = await client.post(
            "/landmarks", content=body(sent), headers={"content-type": content_type}
        )
        check_problem(response, 413, "input_too_large")
        assert len(sent) <= 12
        declared = await client.post("/landmarks", content=bytes(20_000))
        check_problem(declared, 413, "input_too_large")


async def test_too_many_images(repository: Path, backend: FakeBackend) -> None:
    settings = gateways.settings(repository, max_images=2)
    async with (
        gateways.running(settings, backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        files = [("image", ("a.png", IMAGE))] * 3
        check_problem(await client.post("/landmarks", files=files), 400, "invalid_input")


async def test_body_that_never_ends(repository: Path, backend: FakeBackend) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(10)

    settings = gateways.settings(repository, body_timeout_s=0.05)
    async with (
        gateways.running(settings, backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        response = await client.post("/landmarks", content=body())
        check_problem(response, 504, "deadline_exceeded")


async def test_nothing_loaded(tmp_path: Path, backend: FakeBackend) -> None:
    async with (
        gateways.running(gateways.settings(tmp_path), backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        check_problem(await client.post("/landmarks", content=IMAGE), 503, "backend_unavailable")
        response = await client.get("/readyz")
        assert len(check_problem(response, 503, "backend_unavailable")["missing"]) == 2
        assert (await client.get("/livez")).status_code == 200


async def test_log_line_has_no_content(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "thermal.access")
    headers = {"x-request-id": "abc-123"}
    await client.post("/landmarks", content=IMAGE, headers=headers)
    (record,) = (r for r in caplog.records if r.name == "thermal.access")
    facts = record.facts  # type: ignore[attr-defined]
    assert set(facts) == {
        "method", "route", "status", "duration_ms", "images", "bytes", "faces", "problems"
    }  # fmt: skip
    assert "landmarks" not in json.dumps({**facts, "route": ""})
