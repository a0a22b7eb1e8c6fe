"""Serves what is published while the service runs, without a restart."""

import asyncio
import logging
from contextlib import suppress

from service.backends.base import Backend
from service.catalogue import Catalogue

log = logging.getLogger("thermal.watcher")


class Watcher:
    """Has the catalogue look at the repository every `seconds` (0: never), and when asked to."""

    def __init__(self, catalogue: Catalogue, backend: Backend, seconds: float) -> None:
        self._catalogue = catalogue
        self._backend = backend
        self._seconds = seconds or None
        self._asked = asyncio.Event()

    def look_now(self) -> None:
        """Returns at once; the look follows."""
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled. Trouble is logged, and the next look tries again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await self._asked.wait()
            self._asked.clear()
            try:
                await self._catalogue.refresh(self._backend)
            except Exception:  # a look that fails must not be the last one
                log.exception("the model repository cannot be read")
