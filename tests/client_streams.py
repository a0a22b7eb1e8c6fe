"""Streams of the client to gateways that a test starts, and what is seen of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from service.bootstrap import Gateway
from service.client import AsyncThermalClient, ClientError, Retry
from service.client.streaming import Streaming
from tests import gateways
from tests.fakes import FakeBackend
from tests.memory_sources import MemorySource

QUICK = Retry(attempts=None, first_s=0.01, longest_s=0.05)


class Retries:
    """What `on_retry` is told."""

    def __init__(self) -> None:
        self.told: list[tuple[ClientError, float]] = []

    def __call__(self, error: ClientError, wait: float) -> None:
        self.told.append((error, wait))


@asynccontextmanager
async def gateway_of(
    repository: Path, backend: FakeBackend, **settings: Any
) -> AsyncIterator[Gateway]:
    configured = gateways.settings(repository, **settings)
    async with gateways.running(configured, backend) as gateway, asyncio.timeout(60):
        yield gateway


@asynccontextmanager
async def streaming(
    address: str, source: MemorySource, retry: Retry = QUICK, **options: Any
) -> AsyncIterator[Streaming]:
    async with AsyncThermalClient(address, retry=retry) as client:
        yield client.open_stream(source, **options)
    assert source.ended.is_set()


def received(gateway: Gateway) -> float:
    value = gateway.telemetry.registry.get_sample_value("thermal_stream_frames_received_total")
    return value or 0.0
