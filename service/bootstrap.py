"""The composition root: the one place that names concrete parts and puts them together."""

import asyncio
import logging
from collections.abc import Awaitable
from types import TracebackType
from typing import Self

import cv2
from fastapi import FastAPI

from service.admission import Admission
from service.backends.base import Backend
from service.backends.ort import OrtBackend
from service.backends.triton import TritonBackend, models_at
from service.catalogue import Catalogue
from service.landmarks import LandmarkService, Limits
from service.memory import Memory
from service.readiness import Readiness
from service.rest.app import create_app
from service.rest.body import BodyLimits, Intake
from service.rest.routes import Deps
from service.rpc.server import Listen, RpcServer
from service.rpc.servicer import Deps as RpcDeps
from service.rpc.servicer import RpcLimits
from service.settings import Settings
from service.telemetry import Telemetry
from service.tokens import Tokens
from service.watcher import Watcher
from service.workers import Workers

log = logging.getLogger("thermal.gateway")


class Gateway:
    """All parts of a running service, wired. Use as an async context: models load in background."""

    def __init__(self, settings: Settings, *, backend: Backend | None = None) -> None:
        self._settings = settings
        self.telemetry = Telemetry()
        self.backend = backend or _make_backend(settings)
        self.catalogue = Catalogue(
            settings.model_repository,
            engines=self.backend.engines,
            default_variant=settings.variant,
            default_precision=settings.precision,
            default_detector=settings.detector,
            only=settings.models,
            telemetry=self.telemetry,
            grace=settings.retire_s,
        )
        self.watcher = Watcher(self.catalogue, self.backend, settings.reload_s)
        self.readiness = Readiness(self.catalogue, self.backend)
        self.workers = Workers(settings.worker_threads, "worker")
        self.service = LandmarkService(
            backend=self.backend,
            catalogue=self.catalogue,
            admission=self._admission(),
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
            max_images=settings.max_images,
            timeout=settings.body_timeout_s,
        )
        self.memory = Memory(settings.max_buffered_bytes, self.telemetry)
        self._tokens = Tokens(settings.api_tokens())
        self._loading: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def _admission(self) -> Admission:
        """Where the networks run on this process's cores, streams have one frame a core at work,
        and two for each call of the engine: more of them would make each one slow, and a frame
        that waits inside is not replaced by a newer one. Requests may be more: they all wait."""
        settings = self._settings
        most = None
        if isinstance(self.backend, OrtBackend) and settings.device == "cpu":
            most = min(settings.worker_threads, 2 * settings.inference_threads)
        return Admission(settings.max_inflight, settings.max_queued, self.telemetry, most)

    def rest_app(self) -> FastAPI:
        """The REST door."""
        deps = Deps(
            service=self.service,
            catalogue=self.catalogue,
            readiness=self.readiness,
            telemetry=self.telemetry,
            workers=self.workers,
            intake=Intake(self._body_limits, self.memory),
        )
        return create_app(deps, self._tokens)

    def rpc_server(self) -> RpcServer:
        """The gRPC door, not started yet."""
        settings = self._settings
        deps = RpcDeps(
            service=self.service,
            readiness=self.readiness,
            telemetry=self.telemetry,
            workers=self.workers,
            memory=self.memory,
            tokens=self._tokens,
            limits=RpcLimits(
                max_bytes=settings.max_body_bytes,
                max_pixels=settings.max_pixels,
                max_images=settings.max_images,
                max_streams=settings.max_streams,
                opening=settings.body_timeout_s,
            ),
        )
        listen = Listen(
            host=settings.host,
            port=settings.grpc_port,
            certificate=settings.tls_certificate,
            key=settings.tls_key,
            check_s=settings.check_models_s,
            max_calls=settings.max_streams + settings.max_connections,
        )
        return RpcServer(deps, listen)

    async def loaded(self) -> None:
        """Wait until every model has been loaded or refused, or the backend does not answer."""
        assert self._loading is not None, "only inside the context"
        await self._loading

    async def __aenter__(self) -> Self:
        self._loading = asyncio.create_task(self.catalogue.load(self.backend))
        self._keeping = asyncio.create_task(self._keep_loaded(self._loading))
        self._watching = asyncio.create_task(self.watcher.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._loading and self._keeping and self._watching
        tasks = (self._loading, self._keeping, self._watching)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.backend.aclose()
        await asyncio.to_thread(self.workers.close)

    async def _keep_loaded(self, load: Awaitable[None]) -> None:
        """An engine that starts late, or anew, gets its models without anybody's help.

        load: the first one, which runs already.
        """
        while True:
            try:
                await load
            except Exception:  # a load that fails must not be the last one
                log.exception("loading the models failed")
            await asyncio.sleep(self._settings.check_models_s)
            load = self.catalogue.load(self.backend)


def bootstrap(settings: Settings, *, backend: Backend | None = None) -> Gateway:
    """Wire everything; tests pass their own `backend` and run the rest as it is."""
    # Requests run side by side already: threads inside one OpenCV call would only compete.
    cv2.setNumThreads(1)
    return Gateway(settings, backend=backend)


def _make_backend(settings: Settings) -> Backend:
    if settings.backend == "triton" or (settings.backend == "auto" and _finds_triton(settings)):
        log.info("backend", extra={"facts": {"backend": "triton", "url": settings.triton_url}})
        return TritonBackend(settings.triton_url, settings.model_repository)
    log.info("backend", extra={"facts": {"backend": "embedded", "device": settings.device}})
    return OrtBackend(
        settings.model_repository,
        threads=settings.inference_threads,
        intra_op_threads=settings.intra_op_threads,
        queue=settings.inference_queue,
        device=settings.device,
    )


def _finds_triton(settings: Settings) -> bool:
    """Whether a Triton answers that has models of ours: another project's may use that port."""
    ours = {file.parent.name for file in settings.model_repository.glob("*/config.pbtxt")}
    return bool(ours & models_at(settings.triton_url))
