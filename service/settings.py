"""Every setting, from the environment: `THERMAL_REST_PORT=9000 python -m service`."""

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "THERMAL_"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")  # RFC 6750's characters, too many to guess


def _cores() -> int:
    """Cores this process may use; a container's affinity counts, not the machine's size."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Loopback: without tokens everybody may ask, so opening it to a network is a choice to make.
    host: str = "127.0.0.1"
    # The unprivileged port that people try first.
    rest_port: int = Field(default=8080, ge=0, le=65535)
    # The next one. 0, as for REST: any port that is free, named in the log.
    grpc_port: int = Field(default=8081, ge=0, le=65535)

    # A file with one API token a line ("#" starts a comment). None: nobody is asked for a token.
    api_tokens_file: Path | None = None
    # PEM files, both or none. None: plain HTTP and gRPC, as behind a proxy that ends TLS.
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    # Next to the code, so that a fresh clone starts without a setting.
    model_repository: Path = Path("model_repository")
    # Triton if one with our models answers at the start, else `embedded`, ONNX Runtime in this
    # process: starts anywhere with one command. Production names `triton`, and waits for it.
    backend: Literal["auto", "triton", "embedded"] = "auto"
    # Triton's gRPC door, on its usual port.
    triton_url: str = "127.0.0.1:8001"
    # Seconds between two looks at which models the backend has: it may have started anew.
    check_models_s: float = Field(default=2.0, gt=0)
    # Seconds between two looks at the repository for newly published versions. 0: only on SIGHUP.
    reload_s: float = Field(default=5.0, ge=0)
    # Seconds that a version out of use stays loaded at least. Over `reload_s`: other gateways of
    # the same Triton may still be using it.
    retire_s: float = Field(default=15.0, ge=0)
    # Of `embedded`; Triton's models name their own. The processor is always there. `cuda` needs
    # the `gpu` extra.
    device: Literal["cpu", "cuda"] = "cpu"
    # Comma-separated folders to load. Empty: everything that the backend can run.
    models: Annotated[tuple[str, ...], NoDecode] = ()
    # The smallest: answers in real time on two cores.
    variant: str = "t"
    # The larger detector input for frames that the smaller one would shrink, if it is published.
    detector: Literal["auto", "320", "640"] = "auto"
    # The best that is ready on this host (`service/walk.py`): accurate on a GPU, quick on a
    # processor.
    precision: Literal["auto", "fp32", "fp16", "int8"] = "auto"

    # People wait about two seconds; later answers are work for nobody.
    deadline_ms: int = Field(default=2000, ge=1, le=60_000)
    # A 16-bit frame of the largest thermal sensors is under 5 MB; this leaves room for several.
    max_body_bytes: int = Field(default=32 * 2**20, ge=1)
    # Sixteen of the largest bodies at once; more senders would fill the memory before they wait.
    max_buffered_bytes: int = Field(default=512 * 2**20, ge=1)
    # Twelve times the largest common sensor (1280 x 1024); a decoded frame is 4 bytes a pixel.
    max_pixels: int = Field(default=16_000_000, ge=1)
    # A body of tiny images must not become hours of work.
    max_images: int = Field(default=32, ge=1)
    # Long enough for 32 MiB over a slow line, short enough that a stalled sender frees its memory.
    body_timeout_s: float = Field(default=30.0, gt=0)

    # Two for each core: one image decodes while another is in the engine.
    max_inflight: int = Field(default_factory=lambda: 2 * _cores(), ge=1)
    # A short burst waits; more is refused at once, while a retry still makes sense.
    max_queued: int = Field(default=32, ge=0)
    # Decoding and cropping release the interpreter, so a thread a core keeps all cores busy.
    worker_threads: int = Field(default_factory=_cores, ge=1)
    # Two calls in the engine: one big batch does not hold up a small one.
    inference_threads: int = Field(default=2, ge=1)
    # Threads inside one call: the cores, shared by the calls that run at once.
    intra_op_threads: int = Field(default_factory=lambda: max(1, _cores() // 2), ge=1)
    # Calls waiting for the engine. Admission bounds them already; this is the engine's own bound.
    inference_queue: int = Field(default=64, ge=1)

    # Sockets are cheap, but not free.
    max_connections: int = Field(default=512, ge=1)
    # Each holds up to two frames in memory, and stands in the line for the networks.
    max_streams: int = Field(default=256, ge=1)
    # Longer than a load balancer's gap between two requests of a busy client.
    keep_alive_s: int = Field(default=15, ge=1)
    # Readiness says no this long before the port closes, so that balancers notice in time.
    drain_delay_s: float = Field(default=1.0, ge=0)
    # Under the 30 s that orchestrators commonly wait before they kill.
    drain_timeout_s: int = Field(default=20, ge=1)

    # One line a request and the life of the models.
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        """What is wrong with a file is known at the start, not at the first request."""
        for name in ("api_tokens_file", "tls_certificate", "tls_key"):
            if (file := getattr(self, name)) is not None:
                try:
                    file.open("rb").close()
                except OSError as error:
                    raise ValueError(f"{name}: {file}: {error.strerror}") from None
        self.api_tokens()
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key: both or none")
        if self.tls_certificate and self.tls_key:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:  # a password, never a prompt: nobody sits at the service's terminal
                context.load_cert_chain(self.tls_certificate, self.tls_key, password="")
            except OSError as error:
                raise ValueError(f"tls_certificate, tls_key: {error}") from None
        return self

    def api_tokens(self) -> frozenset[str]:
        """The tokens of `api_tokens_file`, none without one. Raises ValueError, without a token."""
        if self.api_tokens_file is None:
            return frozenset()
        lines = self.api_tokens_file.read_text(encoding="utf-8").splitlines()
        tokens = {number: line.strip() for number, line in enumerate(lines, 1)}
        tokens = {number: token for number, token in tokens.items() if token and token[0] != "#"}
        for number, token in tokens.items():
            if not _TOKEN.fullmatch(token):
                raise ValueError(
                    f"api_tokens_file, line {number}: at least 16 of A-Z a-z 0-9 - . _ ~ + / ="
                )
        if not tokens:
            raise ValueError("api_tokens_file: no token in it")
        return frozenset(tokens.values())


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that mean nothing to us: most likely misspelt.

    Reported, not refused: orchestrators inject variables of their own by a service's name.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
