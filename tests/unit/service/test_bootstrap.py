import asyncio
from pathlib import Path

import pytest

from service.backends.base import Backend
from service.bootstrap import bootstrap
from tests import gateways
from tests.fakes import FakeBackend
from tests.repositories import make_repository
from tests.rpc_clients import until


class Stuck(FakeBackend):
    """No model of it ever loads."""

    async def load(self, model: str, version: int) -> None:
        await asyncio.Event().wait()


async def test_models_come_after_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first load and the second one fail as nobody foresaw."""
    settings = gateways.settings(make_repository(tmp_path), check_models_s=0.01)
    gateway = bootstrap(settings, backend=FakeBackend())
    load, count = gateway.catalogue.load, 0

    async def failing(backend: Backend) -> None:
        nonlocal count
        count += 1
        if count <= 2:
            raise ValueError("nobody thought of it")
        await load(backend)

    monkeypatch.setattr(gateway.catalogue, "load", failing)
    async with gateway:
        with pytest.raises(ValueError, match="nobody"):
            await gateway.loaded()
        await until(lambda: not gateway.catalogue.missing())
    assert caplog.text.count("loading the models failed") == 2


@pytest.mark.parametrize("turns", [0, 5])
async def test_the_end_does_not_wait_for_models(tmp_path: Path, turns: int) -> None:
    """As when a port is taken: at once, or in the middle of the first load."""
    gateway = bootstrap(gateways.settings(make_repository(tmp_path)), backend=Stuck())
    async with asyncio.timeout(30), gateway:
        for _ in range(turns):
            await asyncio.sleep(0.01)
    assert gateway.backend.closed  # type: ignore[attr-defined]  # a fake one
