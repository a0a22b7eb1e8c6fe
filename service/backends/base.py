"""The seam to an inference engine. ONNX Runtime, Triton and the tests' fake all implement it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class TensorSpec:
    """Name, numpy dtype and shape without the batch axis (-1 = any)."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelMetadata:
    """device: what the version runs on where it is loaded, as the engine itself tells it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_batch_size: int
    version: str
    device: Device


@dataclass(frozen=True)
class InferResult:
    outputs: Mapping[str, Array]
    version: str


class Backend(Protocol):
    """Versions of a model are loaded, asked and unloaded one by one, side by side.

    Every array has a leading batch axis, 1 <= N <= `max_batch_size`.

    Only BackendUnavailable, BackendTimeout, BackendOverloaded, ModelNotFound and InferenceFailed
    escape. `timeout` is in seconds. Engine text goes to the log, never into an exception's message.
    Questions (`metadata`, `ready`) and `load` raise BackendUnavailable where nobody answers them.

    name: of metrics and answers. engines: whose models it runs, as `config.pbtxt` spells them.
    """

    name: str
    engines: frozenset[str]

    async def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, Array],
        *,
        outputs: tuple[str, ...] | None = None,
        timeout: float,
    ) -> InferResult: ...

    async def metadata(self, model: str, version: int) -> ModelMetadata: ...

    async def ready(self, model: str, version: int) -> bool: ...

    async def load(self, model: str, version: int) -> None:
        """From the repository, anew if it is loaded already. Calls that run are not disturbed."""

    async def unload(self, model: str, version: int) -> None:
        """Calls that run are finished; new ones find no such model."""

    async def aclose(self) -> None: ...
