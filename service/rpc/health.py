"""grpc.health.v1, for balancers and orchestrators.

grpcio's own servicer writes to its watchers under the lock that a change of status needs: one
client that does not read would hold up all others, and the end of the process.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from grpc import StatusCode
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc as pb_grpc

from service.rpc.edge import Context

SERVING: Final[int] = pb.HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = pb.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: Final[int] = pb.HealthCheckResponse.SERVICE_UNKNOWN


class Health(pb_grpc.HealthServicer):  # type: ignore[misc]  # it comes without types
    """One status for all `names`; not serving until it is `set`, which never waits for a client."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._status = NOT_SERVING
        self._left = self._over = False
        self._changed = asyncio.Event()

    def set(self, status: int) -> None:
        """SERVING or NOT_SERVING, from now on. After `leave` it changes nothing."""
        if not self._left and status != self._status:
            self._status = status
            self._wake()

    def leave(self) -> None:
        """Not serving, for good."""
        self.set(NOT_SERVING)
        self._left = True

    def end(self) -> None:
        """Watchers hear the last status, and their calls end."""
        self._over = True
        self._wake()

    async def Check(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> pb.HealthCheckResponse:
        """The status now."""
        if request.service not in self._names:
            await context.abort(StatusCode.NOT_FOUND)
        return pb.HealthCheckResponse(status=self._status)

    async def Watch(self, request: pb.HealthCheckRequest, context: Context) -> None:
        """The status now, and again when it changes; a slow reader may miss some in between."""
        last = None
        while True:
            changed = self._changed  # taken before the status: no change is missed
            status = self._status if request.service in self._names else SERVICE_UNKNOWN
            if status != last:
                await context.write(pb.HealthCheckResponse(status=status))
                last = status
            elif self._over:
                return
            else:
                await changed.wait()

    def _wake(self) -> None:
        old, self._changed = self._changed, asyncio.Event()
        old.set()
