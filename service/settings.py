"""Every setting, from the environment: `THERMAL_REST_PORT=9000 python -m service`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "THERMAL_"


def _cores() -> int:
    """Cores this process may use; a container's affinity counts, not the machine's size."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    # Loopback: the service has no authentication, so opening it to a network is a choice to make.
    host: str = "127.0.0.1"
    # The unprivileged port that people try first.
    rest_port: int = Field(default=8080, ge=0, le=65535)

    # Next to the code, so that a fresh clone starts without a setting.
    model_repository: Path = Path("model_repository")
    # In-process: starts anywhere with one command.
    backend: Literal["onnxruntime"] = "onnxruntime"
    # The processor is always there. `cuda` needs the `gpu` extra.
    device: Literal["cpu", "cuda"] = "cpu"
    # Comma-separated folders to load. Empty: everything that the backend can run.
    models: Annotated[tuple[str, ...], NoDecode] = ()
    # The smallest: answers in real time on two cores.
    variant: str = "t"
    # The larger detector input for frames that the smaller one would shrink, if it is published.
    detector: Literal["auto", "320", "640"] = "auto"
    # The most accurate that is published.
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


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Variables with our prefix that mean nothing to us: most likely misspelt.

    Reported, not refused: orchestrators inject variables of their own by a service's name.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
