"""New versions while requests come in: none fails, and the old ones go."""

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.backends.ort import OrtBackend
from service.bootstrap import Gateway
from tests import gateways, onnx_models
from tests.fakes import FakeBackend
from tests.gate_sets import make_gate, network
from tests.repositories import add_model
from tests.triton_server import TritonServer
from training.contract import config_of
from training.publish import publish
from training.release import promote, rollback
from training.repository import add_version, served_card, version_card

NAME = "landmarks_t"
BOXES = {"boxes": "[[40, 20, 120, 100]]"}
IMAGE = gateways.good_image()


class Callers:
    """Four of them, each with its next request soon after the last one is answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[int] = Counter()
        self.failures: list[str] = []
        self._client = client

    async def call(self) -> None:
        while True:
            answer = await self._client.post("/landmarks", content=IMAGE, params=BOXES)
            self.statuses[answer.status_code] += 1
            if answer.status_code == 200:
                self.versions[answer.json()["models"]["landmarks"]["version"]] += 1
            else:
                self.failures.append(answer.text)
            await asyncio.sleep(0.01)

    async def see_only(self, *versions: int) -> None:
        """Wait until these answer, all of them and no other."""
        async with asyncio.timeout(60):
            while True:
                self.versions.clear()
                while self.versions.total() < 16:
                    await asyncio.sleep(0.01)
                if set(self.versions) == set(versions):
                    return


@asynccontextmanager
async def calling(client: httpx.AsyncClient) -> AsyncIterator[Callers]:
    callers = Callers(client)
    tasks = [asyncio.create_task(callers.call()) for _ in range(4)]
    try:
        yield callers
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(end) for end in ended} == {asyncio.CancelledError}
    assert callers.failures == []
    assert set(callers.statuses) == {200}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return make_gate(tmp_path / "gate")


@pytest.fixture
def models(tmp_path: Path, gate: Path) -> Path:
    publish(network(tmp_path, 0.05), NAME, tmp_path / "models", gate=gate)
    return tmp_path / "models"


@pytest.fixture(params=["embedded", "triton"])
async def gateway(
    request: pytest.FixtureRequest, models: Path, tmp_path: Path
) -> AsyncIterator[Gateway]:
    quick = {"reload_s": 0.05, "check_models_s": 0.05, "retire_s": 0.0}
    if request.param == "embedded":
        async with gateways.running(gateways.settings(models, **quick), None) as running:
            yield running
        return
    with TritonServer(models, tmp_path / "log") as server:
        settings = gateways.settings(models, backend="triton", triton_url=server.url, **quick)
        async with gateways.running(settings, None) as running:
            yield running


def add_damaged(models: Path, weights: Path) -> None:
    """The next version, with a card that its file does not fit."""
    folder = models / NAME
    served = served_card(folder)
    assert served is not None
    version = served.version + 10
    files = {f"{version}/model.onnx": "0" * 64}
    card = replace(served, version=version, files=files, replaces=served.version)
    add_version(folder, {"model.onnx": weights}, card, card, config_of(card))


async def test_no_request_fails(gateway: Gateway, models: Path, tmp_path: Path, gate: Path) -> None:
    async def put(off: float, canary: int | None = None) -> None:
        weights = network(tmp_path, off)
        await asyncio.to_thread(publish, weights, NAME, models, None, gate, canary=canary)

    def reason() -> str:
        (entry,) = gateway.catalogue.entries
        return entry.reason or ""

    async with (
        gateways.client(gateway.rest_app()) as client,
        calling(client) as callers,
    ):
        await callers.see_only(1)
        await put(0.04)
        await callers.see_only(2)
        await put(0.03, canary=50)
        await callers.see_only(2, 3)
        text = (await client.get("/metrics")).text
        for version in ("2", "3"):
            labels = f'{{backend="{gateway.backend.name}",model="{NAME}",version="{version}"}}'
            assert f"thermal_inference_duration_seconds_count{labels}" in text
        await asyncio.to_thread(promote, NAME, models)
        await callers.see_only(3)
        await asyncio.to_thread(rollback, NAME, models)
        await callers.see_only(2)
        add_damaged(models, tmp_path / "off_0.03.onnx")
        await until(reason)
        assert "SHA-256 of 12/model.onnx does not match the card" in reason()
        assert reason().endswith("version 2 serves on")
        (told,) = (await client.get("/models")).json()["models"]
        assert (told["state"], told["reason"]) == ("ready", reason())
        assert told["card"]["version"] == 2
        await callers.see_only(2)
        await asyncio.to_thread(rollback, NAME, models)
        await until(lambda: not reason())
        await put(0.02)
        await callers.see_only(13)

        async def loaded() -> list[int]:
            return [v for v in (1, 2, 3, 12, 13) if await gateway.backend.ready(NAME, v)]

        async with asyncio.timeout(60):
            while await loaded() != [13]:
                await asyncio.sleep(0.01)
        text = (await client.get("/metrics")).text
        assert 'version="13"' in text and 'version="2"' not in text


async def test_the_old_session_goes_when_its_last_call_is_done(
    models: Path, tmp_path: Path, gate: Path
) -> None:
    settings = gateways.settings(models, reload_s=0, check_models_s=600, retire_s=0.0)
    async with gateways.running(settings, None) as gateway:
        backend, catalogue = gateway.backend, gateway.catalogue
        assert isinstance(backend, OrtBackend)
        old = weakref.ref(backend._models[NAME, 1].session)
        publish(network(tmp_path, 0.04), NAME, models, gate=gate)
        model = catalogue.landmarks(None, None)
        with catalogue.using([model]):
            gateway.watcher.look_now()  # as SIGHUP does
            await until(lambda: catalogue.landmarks(None, None).card.version == 2)
            await catalogue.load(backend)
            assert await backend.ready(NAME, 1)
        await catalogue.load(backend)
        assert not await backend.ready(NAME, 1)
        gc.collect()
        assert old() is None


async def test_a_damaged_canary_does_not_stop_its_neighbour(
    models: Path, tmp_path: Path, gate: Path
) -> None:
    publish(network(tmp_path, 0.04), NAME, models, gate=gate, canary=50)
    (models / NAME / "2" / "model.onnx").write_bytes(b"damaged")
    async with gateways.running(gateways.settings(models), None) as gateway:
        (entry,) = gateway.catalogue.entries
        assert (entry.canary, entry.state) == (None, "ready")
        assert entry.reason == "canary refused: SHA-256 of 2/model.onnx does not match the card"
        (models / NAME / "2" / "card.json").unlink()
        await gateway.catalogue.refresh(gateway.backend)
        assert entry.reason == "canary refused: 2/card.json is missing or cannot be read"
        assert entry.pick("any") is entry.model


async def test_all_images_of_a_request_get_one_version(
    models: Path, tmp_path: Path, gate: Path
) -> None:
    detector = onnx_models.detector_model()
    add_model(models, "face_detector", detector, task="detector", variant="nano")
    backend = FakeBackend()
    async with (
        gateways.running(gateways.settings(models, reload_s=0), backend) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        backend.gate = asyncio.Event()
        files = [("image", (name, IMAGE)) for name in ("a.png", "b.png")]
        call = asyncio.create_task(client.post("/landmarks", files=files))
        await until(lambda: backend.calls)
        publish(network(tmp_path, 0.04), NAME, models, gate=gate)
        await gateway.catalogue.refresh(backend)
        assert gateway.catalogue.landmarks(None, None).card.version == 2
        backend.gate.set()
        answer = (await call).json()
    assert answer["models"]["landmarks"]["version"] == 1
    asked = [
        version
        for (model, _), version in zip(backend.calls, backend.versions, strict=True)
        if model == NAME
    ]
    assert asked == [1, 1]


async def test_the_same_request_gets_the_same_version(
    models: Path, tmp_path: Path, gate: Path
) -> None:
    publish(network(tmp_path, 0.04), NAME, models, gate=gate, canary=20)
    async with gateways.running(gateways.settings(models), None) as gateway:
        (entry,) = gateway.catalogue.entries
        picked = [entry.pick(str(number)) for number in range(1000)]
        assert picked == [entry.pick(str(number)) for number in range(1000)]
        assert 150 < picked.count(entry.canary) < 250
        assert entry.pick(None) is entry.model
    assert version_card(models / NAME, 2).canary is None


@pytest.mark.slow
async def test_two_gateways_share_a_triton(models: Path, tmp_path: Path, gate: Path) -> None:
    """One sees the new version long before the other, which still needs the old one."""
    with TritonServer(models, tmp_path / "log") as server:
        shared = {"backend": "triton", "triton_url": server.url, "check_models_s": 0.05}
        quick = gateways.settings(models, **shared, reload_s=0.05, retire_s=2.0)
        slow = gateways.settings(models, **shared, reload_s=1.0, retire_s=2.0)
        async with (
            gateways.running(quick, None) as first,
            gateways.running(slow, None) as second,
            gateways.client(first.rest_app()) as one,
            gateways.client(second.rest_app()) as two,
            calling(one) as here,
            calling(two) as there,
        ):
            await asyncio.to_thread(publish, network(tmp_path, 0.04), NAME, models, gate=gate)
            await here.see_only(2)
            await there.see_only(2)
            async with asyncio.timeout(60):
                while await first.backend.ready(NAME, 1):
                    await asyncio.sleep(0.05)
