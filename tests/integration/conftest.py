from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from service.bootstrap import Gateway
from tests import gateways
from tests.fakes import FakeBackend
from tests.repositories import make_repository


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "models")


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
async def gateway(repository: Path, backend: FakeBackend) -> AsyncIterator[Gateway]:
    async with gateways.running(gateways.settings(repository), backend) as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    async with gateways.client(gateway.rest_app()) as made:
        yield made
