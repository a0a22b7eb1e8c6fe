"""The model repository served in-process on ONNX Runtime."""

import asyncio
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from service.backends.base import Array, Device, InferResult, ModelMetadata, TensorSpec
from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from service.model_config import ModelConfigError, read_model_config
from service.workers import Workers

log = logging.getLogger("thermal.ort")

_CPUINFO: Final = Path("/proc/cpuinfo")  # Linux alone has it
_DTYPES: Final[dict[str, Any]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


@dataclass(frozen=True)
class _Loaded:
    session: Any  # onnxruntime is not typed
    metadata: ModelMetadata


class OrtBackend:
    """Implements `Backend`. At most `threads` calls run, at most `queue` more wait."""

    name = "onnxruntime"
    engines = frozenset({"onnxruntime"})

    def __init__(
        self,
        repository: Path,
        *,
        threads: int,
        intra_op_threads: int,
        queue: int,
        device: str = "cpu",
    ) -> None:
        self._repository = repository
        self._workers = Workers(threads, "inference")
        self._intra_op_threads = intra_op_threads
        self._capacity = threads + queue
        self._pending = 0
        self._providers = _providers(device)
        self._saturates = _saturates(_CPUINFO.read_text() if _CPUINFO.exists() else "")
        self._models: dict[tuple[str, int], _Loaded] = {}
        self._closed = False

    async def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, Array],
        *,
        outputs: tuple[str, ...] | None = None,
        timeout: float,
    ) -> InferResult:
        loaded = self._find(model, version)
        names = outputs or tuple(spec.name for spec in loaded.metadata.outputs)
        _check_batch(loaded.metadata, inputs)
        if self._pending >= self._capacity:
            raise BackendOverloaded("the inference queue is full")
        self._pending += 1
        try:
            arrays = await self._run(loaded, names, inputs, timeout)
        finally:
            self._pending -= 1
        return InferResult(dict(zip(names, arrays, strict=True)), loaded.metadata.version)

    async def _run(
        self, loaded: _Loaded, names: tuple[str, ...], inputs: Mapping[str, Array], timeout: float
    ) -> list[Array]:
        control = onnxruntime.RunOptions()
        try:
            async with asyncio.timeout(timeout):
                arrays: list[Array] = await self._workers.run(
                    loaded.session.run, list(names), dict(inputs), control
                )
                return arrays
        except TimeoutError:
            raise BackendTimeout("inference took longer than the time left") from None
        except Exception as error:  # whatever the engine raises: its text is for the log alone
            log.exception("inference failed")
            raise InferenceFailed("inference failed inside the engine") from error
        finally:
            control.terminate = True  # a run that nobody waits for any more gives its thread back

    async def metadata(self, model: str, version: int) -> ModelMetadata:
        return self._find(model, version).metadata

    async def ready(self, model: str, version: int) -> bool:
        return not self._closed and (model, version) in self._models

    async def load(self, model: str, version: int) -> None:
        if self._closed:
            raise BackendUnavailable("the backend is closed")
        self._models[model, version] = await asyncio.to_thread(self._open, model, version)

    async def unload(self, model: str, version: int) -> None:
        """Its memory is free once the calls that run are done."""
        if self._models.pop((model, version), None) is None:
            raise _not_loaded(model, version)

    async def aclose(self) -> None:
        self._closed = True
        self._models.clear()
        await asyncio.to_thread(self._workers.close)

    def _find(self, model: str, version: int) -> _Loaded:
        if self._closed:
            raise BackendUnavailable("the backend is closed")
        try:
            return self._models[model, version]
        except KeyError:
            raise _not_loaded(model, version) from None

    def _open(self, model: str, version: int) -> _Loaded:
        folder = self._repository / model
        if not folder.is_dir():
            raise ModelNotFound(f"model {model!r} is not in the repository")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._intra_op_threads
        options.inter_op_num_threads = 1
        # Threads that wait for work sleep: spinning ones would take cores from decoding.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._saturates:  # INT8 in exact arithmetic, at about FP32's pace
            options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            config = read_model_config(folder)
            path = str(folder / config.files(version)[0])
            session = onnxruntime.InferenceSession(path, options, providers=self._providers)
            metadata = _metadata(session, config.max_batch_size, version)
        except ModelConfigError as error:
            raise InferenceFailed(f"model {model!r}: {error}") from None
        except Exception as error:  # whatever the engine raises: its text is for the log alone
            log.exception("model %s does not load", model)
            raise InferenceFailed(f"model {model!r} does not load") from error
        return _Loaded(session, metadata)


def _not_loaded(model: str, version: int) -> ModelNotFound:
    return ModelNotFound(f"version {version} of model {model!r} is not loaded")


def _providers(device: str) -> list[str]:
    """Engines in order. BackendUnavailable when the device is not there: no silent fallback."""
    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise BackendUnavailable(f"this ONNX Runtime has no {device}: install the `gpu` extra")
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def _saturates(cpuinfo: str) -> bool:
    """Whether the processor adds INT8 products in 16 bits, which overflow: x86 without VNNI."""
    flags = re.search(r"^flags\s*:.*$", cpuinfo, re.MULTILINE)  # other processors have "Features"
    return flags is not None and "vnni" not in flags[0]


def _metadata(session: Any, max_batch_size: int, version: int) -> ModelMetadata:
    return ModelMetadata(
        tuple(_spec(node) for node in session.get_inputs()),
        tuple(_spec(node) for node in session.get_outputs()),
        max_batch_size,
        str(version),
        _device(session.get_providers()),
    )


def _device(providers: Collection[str]) -> Device:
    """By a session's own providers, not those asked for: where CUDA does not start, ONNX Runtime
    goes on without it."""
    return "gpu" if "CUDAExecutionProvider" in providers else "cpu"


def _spec(node: Any) -> TensorSpec:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape[1:])
    return TensorSpec(node.name, np.dtype(_DTYPES[node.type]), shape)


def _check_batch(metadata: ModelMetadata, inputs: Mapping[str, Array]) -> None:
    """Every input the model has, same N, within bounds: what the engine would say less clearly."""
    if set(inputs) != {spec.name for spec in metadata.inputs}:
        raise InferenceFailed("the inputs are not those of the model")
    for spec in metadata.inputs:
        array = inputs[spec.name]
        sizes = zip(array.shape[1:], spec.shape, strict=False)
        same = array.ndim == len(spec.shape) + 1 and all(b in (-1, a) for a, b in sizes)
        if array.dtype != spec.dtype or not same:
            raise InferenceFailed(f"input {spec.name!r} has another type or shape than the model's")
    if len({len(array) for array in inputs.values()}) != 1:
        raise InferenceFailed("the inputs differ in batch size")
    batch = len(next(iter(inputs.values())))
    if not 1 <= batch <= metadata.max_batch_size:
        raise InferenceFailed(f"batch size {batch} is not within 1 and {metadata.max_batch_size}")
