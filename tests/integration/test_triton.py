"""The Triton backend against a real server: time, load, failure; and the gateway on top of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc

from service.backends.triton import TritonBackend
from service.bootstrap import bootstrap
from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
)
from tests import gateways
from tests.onnx_models import landmarks_model, slow_model
from tests.repositories import add_model, make_repository
from tests.triton_server import TritonServer

VIEW = {"image": np.zeros((1, 1, 256, 256), np.uint8)}
NOWHERE = "127.0.0.1:1"  # a port that only root may open: nobody listens


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.02)


def statistics(server: TritonServer, model: str) -> Any:
    with tritonclient.grpc.InferenceServerClient(server.url) as client:
        return client.get_inference_statistics(model).model_stats[0]


@pytest.fixture
async def backend(triton: TritonServer) -> AsyncIterator[TritonBackend]:
    made = TritonBackend(triton.url, triton.repository)
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def slow(triton: TritonServer) -> str:
    """One at a time, three may wait: a run is a fifth of a second or more."""
    add_model(triton.repository, "slow", slow_model(8), max_batch_size=1, max_queue_size=3)
    return "slow"


async def test_over_the_deadline(backend: TritonBackend, slow: str) -> None:
    await backend.load(slow, 1)
    with pytest.raises(BackendTimeout):
        await backend.infer(slow, 1, VIEW, timeout=0.05)
    assert (await backend.infer(slow, 1, VIEW, timeout=60)).outputs["keypoints"].shape == (1, 68, 4)


async def test_a_cancelled_call_is_not_run(
    backend: TritonBackend, triton: TritonServer, slow: str
) -> None:
    await backend.load(slow, 1)
    before = statistics(triton, slow)
    calls = [asyncio.create_task(backend.infer(slow, 1, VIEW, timeout=60)) for _ in range(3)]
    await asyncio.sleep(0.05)  # all are with the server, which runs one and has taken the next
    calls[-1].cancel()
    await asyncio.wait(calls)
    assert calls[-1].cancelled()

    async def dropped() -> bool:  # what was run counts as a success, even if nobody waits for it
        failed = statistics(triton, slow).inference_stats.fail.count
        return bool(failed == before.inference_stats.fail.count + 1)

    await until(dropped)


async def test_full_queue(backend: TritonBackend, slow: str) -> None:
    await backend.load(slow, 1)
    calls = [asyncio.create_task(backend.infer(slow, 1, VIEW, timeout=60)) for _ in range(10)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert {type(error) for error in refused} == {BackendOverloaded}
    assert 1 <= len(results) - len(refused) <= 6  # one runs, one is about to, three wait


async def test_too_long_in_the_queue(backend: TritonBackend, triton: TritonServer) -> None:
    """Triton's own limit, before the caller's."""
    folder = add_model(triton.repository, "impatient", slow_model(8), max_batch_size=1)
    config = folder / "config.pbtxt"
    limit = "timeout_action: REJECT default_timeout_microseconds: 1000"
    config.write_text(config.read_text().replace("timeout_action: REJECT", limit))
    await backend.load("impatient", 1)
    calls = [asyncio.create_task(backend.infer("impatient", 1, VIEW, timeout=60)) for _ in range(4)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(r) for r in results if isinstance(r, BaseException)} == {BackendTimeout}


async def test_single_crops_are_batched(backend: TritonBackend, triton: TritonServer) -> None:
    await backend.load("landmarks_t", 1)
    before = statistics(triton, "landmarks_t")
    levels = range(0, 240, 5)  # fewer than the queue holds
    calls = (
        backend.infer(
            "landmarks_t", 1, {"image": np.full((1, 1, 256, 256), n, np.uint8)}, timeout=60
        )
        for n in levels
    )
    results = await asyncio.gather(*calls)

    async def counted() -> bool:  # a moment after the answer
        count = statistics(triton, "landmarks_t").inference_count
        return bool(count == before.inference_count + len(levels))

    await until(counted)
    runs = statistics(triton, "landmarks_t").execution_count - before.execution_count
    assert runs < len(levels)
    # Each caller gets its own rows: the tiny network moves its points by the mean of the input.
    moved = [result.outputs["keypoints"][0, 0, 0] for result in results]
    np.testing.assert_allclose(np.diff(moved), 0.05, atol=1e-4)


async def test_device_that_the_configuration_leaves_open(
    backend: TritonBackend, triton: TritonServer
) -> None:
    """As published models do: Triton takes a GPU if it finds one."""
    folder = add_model(triton.repository, "open", landmarks_model())
    config = (folder / "config.pbtxt").read_text()
    named = "instance_group [ { count: 1 kind: KIND_CPU } ]"
    assert named in config
    (folder / "config.pbtxt").write_text(config.replace(named, ""))
    await backend.load("open", 1)
    assert (await backend.metadata("open", 1)).device == "cpu"


async def test_broken_weights(
    backend: TritonBackend, triton: TritonServer, caplog: pytest.LogCaptureFixture
) -> None:
    add_model(triton.repository, "broken", b"not a network")
    with pytest.raises(InferenceFailed, match="'broken' does not load") as caught:
        await backend.load("broken", 1)
    # The engine's words, with the path, are for the log alone.
    assert "model.onnx" not in str(caught.value)
    (record,) = (r for r in caplog.records if r.name == "thermal.triton")
    assert "broken" in record.facts["triton"]  # type: ignore[attr-defined]


async def test_nobody_there() -> None:
    backend = TritonBackend(NOWHERE, Path("nowhere"))
    for call in (
        backend.infer("landmarks_t", 1, VIEW, timeout=60),
        backend.metadata("landmarks_t", 1),
        backend.ready("landmarks_t", 1),
        backend.load("landmarks_t", 1),
        backend.unload("landmarks_t", 1),
    ):
        with pytest.raises(BackendUnavailable):
            await call
    await backend.aclose()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[TritonServer]:
    """A server of the test's own, not started."""
    server = TritonServer(make_repository(tmp_path / "models"), tmp_path / "log")
    yield server
    server.kill()


def settings(server: TritonServer, **changes: Any) -> Any:
    chosen = {"backend": "triton", "triton_url": server.url, "check_models_s": 0.05, **changes}
    return gateways.settings(server.repository, **chosen)


async def post(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/landmarks", content=gateways.good_image())


async def test_the_server_dies_and_comes_back(mortal: TritonServer) -> None:
    """Starts without Triton, gets it, loses it, gets it back: the gateway is never restarted."""
    async with (
        gateways.running(settings(mortal), None) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        missing = (await client.get("/readyz")).json()["missing"]
        away = "the inference server does not answer"
        assert missing[0] == f"face detector: face_detector {away}"
        assert (await post(client)).status_code == 503
        await asyncio.to_thread(mortal.start)
        await until(ready)
        told = (await client.get("/readyz")).json()
        assert told["backend"] == "triton"
        assert {model["device"] for model in told["auto"]} == {"cpu"}
        assert len((await post(client)).json()["images"][0]["faces"]) == 1
        mortal.kill()
        started = time.monotonic()
        broken = await post(client)
        assert (broken.status_code, broken.json()["code"]) == (503, "backend_unavailable")
        assert broken.json()["detail"] == away
        assert time.monotonic() - started < 10  # its deadline is a minute
        not_ready = await client.get("/readyz")
        assert not_ready.json()["missing"] == ["backend triton: no answer"]
        await asyncio.to_thread(mortal.start)
        await until(ready)
        assert len((await post(client)).json()["images"][0]["faces"]) == 1
        text = (await client.get("/metrics")).text
        assert 'thermal_model_info{backend="triton",device="cpu",model="landmarks_t"' in text


async def test_a_model_that_was_unloaded_behind_our_back(
    triton: TritonServer, backend: TritonBackend
) -> None:
    models = ("face_detector", "landmarks_t")
    async with (
        gateways.running(settings(triton, models=models, check_models_s=600), None) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        await backend.unload("landmarks_t", 1)
        answer = await post(client)
        assert (answer.status_code, answer.json()["code"]) == (503, "model_not_found")
        not_ready = await client.get("/readyz")
        assert not_ready.json()["missing"] == ["landmarks_t: not ready"]
        await gateway.catalogue.load(gateway.backend)  # what it does by itself every 600 seconds
        assert (await post(client)).status_code == 200


async def test_a_full_queue_is_429(triton: TritonServer) -> None:
    """A slow network; one call runs, one is about to, one waits."""
    limits: dict[str, Any] = {"max_batch_size": 1, "max_queue_size": 1}
    add_model(triton.repository, "landmarks_x", slow_model(8), variant="x", **limits)
    changes = {"models": ("landmarks_x",), "variant": "x", "max_inflight": 12}
    async with (
        gateways.running(settings(triton, **changes), None) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        params = {"boxes": "[[40, 20, 120, 100]]"}
        image = gateways.good_image()
        posts = (client.post("/landmarks", content=image, params=params) for _ in range(12))
        answers = await asyncio.gather(*posts)
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "backend_overloaded"
    assert refused.headers["retry-after"] == "1"


@pytest.mark.parametrize("choice", ["auto", "triton"])
async def test_chooses_triton(triton: TritonServer, choice: str) -> None:
    gateway = bootstrap(settings(triton, backend=choice))
    assert gateway.backend.name == "triton"
    await gateway.backend.aclose()


async def test_auto_without_triton_or_with_somebody_elses(
    triton: TritonServer, tmp_path: Path
) -> None:
    for url, repository in ((NOWHERE, triton.repository), (triton.url, tmp_path)):
        configured = gateways.settings(repository, backend="auto", triton_url=url)
        gateway = bootstrap(configured)
        assert gateway.backend.name == "onnxruntime"
        await gateway.backend.aclose()
