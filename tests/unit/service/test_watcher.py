import asyncio
from pathlib import Path

import pytest

from service.backends.base import Backend
from service.catalogue import Catalogue
from service.telemetry import Telemetry
from service.watcher import Watcher
from tests.fakes import FakeBackend
from tests.rpc_clients import until


class Looks(Catalogue):
    """Counts; the first look fails."""

    def __init__(self, repository: Path) -> None:
        super().__init__(
            repository,
            engines=(),
            default_variant="t",
            default_precision="auto",
            only=(),
            telemetry=Telemetry(),
        )
        self.count = 0

    async def refresh(self, backend: Backend) -> None:
        self.count += 1
        if self.count == 1:
            raise PermissionError("the folder is closed")


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_looks_again_after_trouble(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    catalogue = Looks(tmp_path)
    watcher = Watcher(catalogue, FakeBackend(), seconds)
    running = asyncio.create_task(watcher.run())
    if seconds:
        await until(lambda: catalogue.count > 2)
    else:  # never by itself
        await asyncio.sleep(0.05)
        assert catalogue.count == 0
        for count in (1, 2):
            watcher.look_now()
            await until(lambda count=count: catalogue.count == count)  # type: ignore[misc]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert caplog.text.count("the model repository cannot be read") == 1
