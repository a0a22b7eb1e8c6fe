"""Where the service is, and how to get in."""

from dataclasses import dataclass, field
from typing import Final

import grpc

from service.client.errors import Unauthorised

DEFAULT_SERVER: Final = "127.0.0.1:8081"
_DEFAULT_PORT: Final = 8081
_MAX_MESSAGE: Final = 32 * 2**20 + 64 * 1024  # bytes; the service's own limit by default
_OPTIONS: Final = (
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    # A service that vanished without a word is noticed within half a minute, also by a camera
    # that is silent; the service takes pings every ten seconds.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Below our own waits between attempts; the default grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A new channel is a new connection: behind a balancer it may lead elsewhere.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True)
class Connection:
    """server: `host` or `host:port`. token: as in the service's file of tokens; Unauthorised for
    what can be none.

    tls: whether to encrypt; on if `ca` is given. ca: PEM of the authority that signed the service's
    certificate; None: those that gRPC trusts.
    """

    server: str = DEFAULT_SERVER
    token: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: bytes | None = None

    def __post_init__(self) -> None:
        token = self.token or ""
        if not (token.isascii() and token.isprintable() and " " not in token):
            raise Unauthorised("a token is one line of ASCII without blanks", "unauthorised")

    @property
    def address(self) -> str:
        """With its port."""
        host = self.server.rpartition("]")[2] if "[" in self.server else self.server
        return self.server if ":" in host else f"{self.server}:{_DEFAULT_PORT}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Of every call."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def channel(self) -> grpc.aio.Channel:
        """A new connection, made when it is first used, inside a running event loop."""
        if not (self.tls or self.ca):
            return grpc.aio.insecure_channel(self.address, options=_OPTIONS)
        credentials = grpc.ssl_channel_credentials(self.ca)
        return grpc.aio.secure_channel(self.address, credentials, options=_OPTIONS)
