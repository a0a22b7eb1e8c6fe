"""Whether requests should come here now, and if not, why."""

import asyncio
from typing import Final

from service.backends.base import Backend
from service.catalogue import Catalogue
from service.errors import BackendError

_PROBE_SECONDS: Final = 2.0  # an orchestrator's own patience is rarely longer


class Readiness:
    """`draining` is set when the process is about to stop."""

    def __init__(self, catalogue: Catalogue, backend: Backend) -> None:
        self._catalogue = catalogue
        self._backend = backend
        self.backend_name = backend.name
        self.draining = False

    async def missing(self) -> list[str]:
        """What is missing; empty when ready. Never raises, and answers within two seconds."""
        if self.draining:
            return ["the service is stopping"]
        if missing := self._catalogue.missing():
            return missing
        keys = [model.key for model in self._catalogue.default_models()]
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                ready = [await self._backend.ready(*key) for key in keys]
        except (TimeoutError, BackendError):
            return [f"backend {self.backend_name}: no answer"]
        return [f"{name}: not ready" for (name, _), ok in zip(keys, ready, strict=True) if not ok]
