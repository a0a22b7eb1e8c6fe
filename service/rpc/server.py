"""The gRPC server: the methods, health, reflection, its port, and how it stops."""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.readiness import Readiness
from service.rpc.health import NOT_SERVING, SERVING, Health
from service.rpc.pb.thermal.v1 import landmarks_pb2, landmarks_pb2_grpc
from service.rpc.requests import read_request
from service.rpc.servicer import DETECT, Deps, LandmarksServicer

log = logging.getLogger("thermal.rpc")

SERVICE: Final = landmarks_pb2.DESCRIPTOR.services_by_name["LandmarksService"].full_name
_ENVELOPE: Final = 64 * 1024  # bytes of a message beside its images: options, 256 boxes
_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # two servers on one port would share the calls without a word
    # A camera that vanished without a word is noticed within a minute.
    ("grpc.keepalive_time_ms", 40_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Senders may ping this often to keep a quiet connection; the default, five minutes, is longer
    # than routers remember one.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Bytes that a sender who is held up may have on the way: a frame or two. By default gRPC lets
    # them grow to several megabytes a stream.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 2**20),
)


class PortTaken(Exception):
    """The address cannot be listened on."""


@dataclass(frozen=True)
class Listen:
    """certificate, key: PEM files, both or none. check_s: seconds between looks at readiness.

    max_calls: at once, of any kind; gRPC itself refuses more, with RESOURCE_EXHAUSTED.
    """

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    check_s: float
    max_calls: int


class RpcServer:
    """Start it inside the event loop that it shall serve on."""

    def __init__(self, deps: Deps, listen: Listen) -> None:
        self._listen = listen
        self._servicer = LandmarksServicer(deps)
        self._health = Health(("", SERVICE))
        self._readiness = deps.readiness
        self._max_message = deps.limits.max_bytes + _ENVELOPE
        self._server: grpc.aio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; the port. PortTaken when that is impossible."""
        options = (*_OPTIONS, ("grpc.max_receive_message_length", self._max_message))
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=self._listen.max_calls)
        server.add_generic_rpc_handlers((_detect(self._servicer),))  # the first one found counts
        landmarks_pb2_grpc.add_LandmarksServiceServicer_to_server(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        port = self._bind(server)
        await server.start()
        self._server = server
        self._watching = asyncio.create_task(_follow(self._readiness, self._health, self._listen))
        log.info("listening", extra={"facts": {"host": self._listen.host, "port": port}})
        return port

    def leave(self) -> None:
        """Health says no from now on; all else goes on."""
        self._health.leave()

    async def stop(self, grace: float) -> None:
        """Refuse what is new, answer what runs, for `grace` seconds at most. May be called again,
        to cut the grace short."""
        assert self._server is not None and self._watching is not None, "not started"
        self._servicer.drain()
        self._watching.cancel()
        self.leave()
        self._health.end()  # else calls that only watch would take the whole grace
        await self._server.stop(grace)

    def _bind(self, server: grpc.aio.Server) -> int:
        listen = self._listen
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        address = f"{host}:{listen.port}"
        try:
            if listen.certificate is None or listen.key is None:
                return server.add_insecure_port(address)
            pair = listen.key.read_bytes(), listen.certificate.read_bytes()
            return server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        except RuntimeError:
            raise PortTaken(f"gRPC cannot listen on {address}") from None


def _detect(servicer: LandmarksServicer) -> grpc.GenericRpcHandler:
    """`Detect`, also for bytes that are no request: gRPC itself would end such a call with UNKNOWN,
    without a code and unseen by the metrics."""
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.Detect,
        request_deserializer=read_request,
        response_serializer=landmarks_pb2.DetectResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {DETECT: handler})


async def _follow(readiness: Readiness, health: Health, listen: Listen) -> None:
    """Health says what /readyz says."""
    while True:
        try:
            ready = not await readiness.missing()
        except Exception:  # a look that fails must not be the last one; /readyz fails, too
            log.exception("readiness is not known")
            ready = False
        health.set(SERVING if ready else NOT_SERVING)
        await asyncio.sleep(listen.check_s)
