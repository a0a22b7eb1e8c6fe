"""One call of a model: batches that it takes, within the deadline, counted."""

from collections.abc import Mapping

import numpy as np

from service.admission import Deadline
from service.backends.base import Array, Backend
from service.entities import ByteArray
from service.entries import Model
from service.errors import BackendOverloaded, BackendTimeout, DeadlineExceeded
from service.telemetry import Telemetry
from service.workers import Workers


class Inference:
    """The backend as the use case sees it. Safe for concurrent use on one event loop."""

    def __init__(self, backend: Backend, workers: Workers, telemetry: Telemetry) -> None:
        self._backend = backend
        self._workers = workers
        self._telemetry = telemetry

    async def run(self, model: Model, views: ByteArray, deadline: Deadline) -> Mapping[str, Array]:
        """Send views `[N, H, W]`, N >= 1, in batches that the model takes; outputs joined.

        Raises any error of a backend; DeadlineExceeded when that is why it gave up.
        """
        limit = model.metadata.max_batch_size
        parts = [
            await self._batch(model, views[start : start + limit], deadline)
            for start in range(0, len(views), limit)
        ]
        names = model.network.outputs
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    async def _batch(
        self, model: Model, views: ByteArray, deadline: Deadline
    ) -> Mapping[str, Array]:
        (name, version), network = model.key, model.network
        inputs = {network.input_name: await self._workers.run(network.encode, views)}
        try:
            with self._telemetry.inference(name, version, self._backend.name, len(views)):
                result = await self._backend.infer(
                    name, version, inputs, outputs=network.outputs, timeout=deadline.remaining()
                )
        except BackendOverloaded:
            self._telemetry.rejected.labels("backend_queue_full").inc()
            raise
        except BackendTimeout:
            if deadline.remaining() > 0:
                raise
            raise DeadlineExceeded("the deadline passed during inference") from None
        return result.outputs
