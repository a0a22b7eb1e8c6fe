"""The real wiring around a fake backend, and a client for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
from fastapi import FastAPI

from service.backends.base import Backend
from service.bootstrap import Gateway, bootstrap
from service.settings import Settings

GOOD = (160, 120)  # height and width of `good_image`


def settings(repository: Path, **changes: Any) -> Settings:
    """Settings of a small, quick service."""
    defaults: dict[str, Any] = {
        "backend": "embedded",  # whatever else runs on this machine
        "grpc_port": 0,
        "worker_threads": 2,
        "max_inflight": 4,
        "drain_delay_s": 0.0,
        "deadline_ms": 60_000,  # machines that run tests are often busy
    }
    return Settings(model_repository=repository, **{**defaults, **changes})


@asynccontextmanager
async def running(configured: Settings, backend: Backend | None) -> AsyncIterator[Gateway]:
    """A started gateway with all its models loaded."""
    async with bootstrap(configured, backend=backend) as gateway:
        await gateway.loaded()
        yield gateway


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that calls the application without a network."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as made:
        yield made


def png16(values: np.ndarray) -> bytes:
    """A 16-bit grey PNG."""
    ok, data = cv2.imencode(".png", values.astype(np.uint16))
    assert ok
    return data.tobytes()


def good_image(height: int = GOOD[0], width: int = GOOD[1]) -> bytes:
    """A 16-bit PNG of `good_values`."""
    return png16(good_values(height, width))


def good_values(height: int = GOOD[0], width: int = GOOD[1]) -> np.ndarray:
    """16-bit centikelvin: a room at 22 degrees with a warm disc in the middle."""
    y, x = np.mgrid[:height, :width]
    disc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (min(height, width) / 3) ** 2
    celsius = np.where(disc, 34.0, 22.0) + 0.01 * (x % 7)
    values: np.ndarray = ((celsius + 273.15) * 100).astype(np.uint16)
    return values
