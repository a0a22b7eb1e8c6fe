"""The composition root: the one place that names concrete parts and puts them together."""

import asyncio
import logging
from types import TracebackType
from typing import Self

import cv2
from fastapi import FastAPI

from service.admission import Admission
from service.backends.base import Backend
from service.backends.ort import OrtBackend
from service.catalogue import Catalogue
from service.landmarks import LandmarkService, Limits
from service.readiness import Readiness
from service.rest.app import create_app
from service.rest.body import BodyLimits, Intake
from service.rest.routes import Deps
from service.settings import Settings
from service.telemetry import Telemetry
from service.workers import Workers

log = logging.getLogger("thermal.gateway")

_ENGINES = {"onnxruntime": frozenset({"onnxruntime"})}  # backend -> engines it can run


class Gateway:
    """All parts of a running service, wired. Use as an async context: models load in background."""

    def __init__(self, settings: Settings, *, backend: Backend | None = None) -> None:
        self.telemetry = Telemetry()
        self.backend = backend or _make_backend(settings)
        self.catalogue = Catalogue(
            settings.model_repository,
            engines=_ENGINES[settings.backend],
            default_variant=settings.variant,
            default_precision=settings.precision,
            default_detector=settings.detector,
            only=settings.models,
            telemetry=self.telemetry,
        )
        self.readiness = Readiness(self.catalogue, self.backend)
        self.workers = Workers(settings.worker_threads, "worker")
        self.service = LandmarkService(
            backend=self.backend,
            catalogue=self.catalogue,
            admission=Admission(settings.max_inflight, settings.max_queued, self.telemetry),
            workers=self.workers,
            telemetry=self.telemetry,
            limits=Limits(
                max_bytes=settings.max_body_bytes,
                max_pixels=settings.max_pixels,
                deadline=settings.deadline_ms / 1000,
            ),
        )
        self._body_limits = BodyLimits(
            max_bytes=settings.max_body_bytes,
            max_buffered=settings.max_buffered_bytes,
            max_images=settings.max_images,
            timeout=settings.body_timeout_s,
        )
        self._loading: asyncio.Task[None] | None = None

    def rest_app(self) -> FastAPI:
        """The REST door."""
        deps = Deps(
            service=self.service,
            catalogue=self.catalogue,
            readiness=self.readiness,
            telemetry=self.telemetry,
            workers=self.workers,
            intake=Intake(self._body_limits, self.telemetry),
        )
        return create_app(deps)

    async def loaded(self) -> None:
        """Wait until every model has been loaded or refused."""
        assert self._loading is not None, "only inside the context"
        await self._loading

    async def __aenter__(self) -> Self:
        self._loading = asyncio.create_task(self.catalogue.load(self.backend))
        self._loading.add_done_callback(_report)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loading is not None
        self._loading.cancel()
        await asyncio.gather(self._loading, return_exceptions=True)
        await self.backend.aclose()
        await asyncio.to_thread(self.workers.close)


def bootstrap(settings: Settings, *, backend: Backend | None = None) -> Gateway:
    """Wire everything; tests pass their own `backend` and run the rest as it is."""
    # Requests run side by side already: threads inside one OpenCV call would only compete.
    cv2.setNumThreads(1)
    return Gateway(settings, backend=backend)


def _make_backend(settings: Settings) -> Backend:
    return OrtBackend(
        settings.model_repository,
        threads=settings.inference_threads,
        intra_op_threads=settings.intra_op_threads,
        queue=settings.inference_queue,
        device=settings.device,
    )


def _report(loading: asyncio.Task[None]) -> None:
    if not loading.cancelled() and loading.exception():
        log.error("loading the models failed", exc_info=loading.exception())
