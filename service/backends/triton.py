"""The model repository served by a Triton Inference Server, over gRPC."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, triton_to_np_dtype

from service.backends.base import Array, Device, InferResult, ModelMetadata, TensorSpec
from service.errors import (
    BackendError,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from service.model_config import ModelConfigError, config_json

log = logging.getLogger("thermal.triton")
T = TypeVar("T")

_PROBE_SECONDS: Final = 1.0  # for a server that may not be there
_CONTROL_SECONDS: Final = 5.0  # for questions; Triton answers them within milliseconds
_LOAD_SECONDS: Final = 300.0  # a large plan, and its warm-up

_CHANNEL: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # SimCC outputs of a batch are above the 4 MB default
    ("grpc.enable_http_proxy", 0),  # Triton is a neighbour: never by way of a proxy
    # A server that comes back is found within a second, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A host that vanished without a word: calls that nothing answers for so long end it.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)

_NO_ANSWER: Final = "the inference server does not answer"
_BY_STATUS: Final[Mapping[str, tuple[type[BackendError], str]]] = {
    "NOT_FOUND": (ModelNotFound, "the model is not loaded"),
    "DEADLINE_EXCEEDED": (BackendTimeout, "inference took longer than the time left"),
    "RESOURCE_EXHAUSTED": (BackendOverloaded, "the inference server is out of room"),
    "UNAVAILABLE": (BackendUnavailable, _NO_ANSWER),
}
# UNAVAILABLE is Triton's word for these, too; its text tells them apart.
_BY_TEXT: Final[Mapping[str, tuple[type[BackendError], str]]] = {
    "maximum queue size": (BackendOverloaded, "the inference queue is full"),
    "not at ready state": (ModelNotFound, "the model is not loaded"),
    "timeout expired": (BackendTimeout, "the call waited too long in the inference queue"),
}


class TritonBackend:
    """Implements `Backend`. Holds no state of the server: it may die, come back and be replaced.

    url: host:port of Triton's gRPC door. Make it anywhere; use it on one event loop.
    repository: Triton's own, as it is seen from here: its configurations are read.
    """

    name = "triton"
    engines = frozenset({"onnxruntime", "tensorrt"})

    def __init__(self, url: str, repository: Path) -> None:
        self._url = url
        self._repository = repository
        self._channel: Any = None  # tritonclient is not typed
        self._closed = False

    @property
    def _client(self) -> Any:
        """Made at its first use, since it belongs to the event loop that runs then."""
        if self._closed:
            raise BackendUnavailable("the backend is closed")
        if self._channel is None:
            aio = tritonclient.grpc.aio
            self._channel = aio.InferenceServerClient(self._url, channel_args=list(_CHANNEL))
        return self._channel

    async def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, Array],
        *,
        outputs: tuple[str, ...] | None = None,
        timeout: float,
    ) -> InferResult:
        wanted = outputs and [tritonclient.grpc.InferRequestedOutput(name) for name in outputs]
        call = self._client.infer(
            model,
            [_tensor(name, array) for name, array in inputs.items()],
            model_version=str(version),
            outputs=wanted,
            client_timeout=timeout,
            timeout=max(1, int(timeout * 1e6)),  # microseconds in Triton's queue
        )
        try:
            result = await call
        except InferenceServerException as error:
            raise _translated(error, f"inference with model {model!r} failed") from None
        answer = result.get_response()
        arrays = {tensor.name: result.as_numpy(tensor.name) for tensor in answer.outputs}
        return InferResult(arrays, answer.model_version)

    async def metadata(self, model: str, version: int) -> ModelMetadata:
        told = await _ask(self._client.get_model_metadata, model, str(version))
        answer = await _ask(self._client.get_model_config, model, str(version))
        return ModelMetadata(
            tuple(_spec(tensor) for tensor in told.inputs),
            tuple(_spec(tensor) for tensor in told.outputs),
            answer.config.max_batch_size,
            str(version),
            _device(answer.config),
        )

    async def ready(self, model: str, version: int) -> bool:
        if self._closed:
            return False
        return bool(await _ask(self._client.is_model_ready, model, str(version)))

    async def load(self, model: str, version: int) -> None:
        """Needs explicit model control. Versions that Triton serves already are not disturbed."""
        await self._serve(model, {version, *await self._served(model)})

    async def unload(self, model: str, version: int) -> None:
        served = await self._served(model)
        if version not in served:
            raise ModelNotFound(f"version {version} of model {model!r} is not loaded")
        if served == {version}:
            await _ask(self._client.unload_model, model)
        else:
            await self._serve(model, served - {version})

    async def _served(self, model: str) -> set[int]:
        """ModelNotFound when the repository has no such model."""
        index = await _ask(self._client.get_model_repository_index)
        entries = [entry for entry in index.models if entry.name == model]
        if not entries:
            raise ModelNotFound(f"model {model!r} is not in the repository")
        return {int(entry.version) for entry in entries if entry.state == "READY"}

    async def _serve(self, model: str, versions: set[int]) -> None:
        """Exactly these. Triton swaps by itself: the old ones answer until the new ones can."""
        try:
            config = await asyncio.to_thread(config_json, self._repository / model, versions)
        except ModelConfigError as error:
            raise InferenceFailed(f"model {model!r}: {error}") from None
        load = partial(self._client.load_model, config=config)
        await _ask(load, model, patience=_LOAD_SECONDS, failed=f"model {model!r} does not load")

    async def aclose(self) -> None:
        self._closed = True
        if self._channel is not None:
            await self._channel.close()


def models_at(url: str) -> frozenset[str]:
    """Names of the models in the repository of the Triton at `url`; none when none answers there.

    Blocks, for a second at most: for the start of a process.
    """
    with tritonclient.grpc.InferenceServerClient(url, channel_args=list(_CHANNEL)) as client:
        try:
            index = client.get_model_repository_index(client_timeout=_PROBE_SECONDS)
        except InferenceServerException as error:
            log.debug("no Triton: %s", error, extra={"facts": {"url": url}})
            return frozenset()
    return frozenset(entry.name for entry in index.models)


async def _ask(
    question: Callable[..., Awaitable[T]],
    *about: str,
    patience: float = _CONTROL_SECONDS,
    failed: str = "the inference server refused",
) -> T:
    """The server's answer; a server that does not answer in time is not there."""
    try:
        return await question(*about, client_timeout=patience)
    except InferenceServerException as error:
        translated = _translated(error, failed)
    if isinstance(translated, BackendTimeout):
        raise BackendUnavailable(_NO_ANSWER)
    raise translated


def _tensor(name: str, array: Array) -> Any:
    tensor = tritonclient.grpc.InferInput(name, array.shape, np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor


def _device(config: Any) -> Device:
    """What all instances run on; with instances on both, what the slower ones do. A model that is
    loaded has its kinds resolved: Triton puts KIND_GPU or KIND_CPU in place of KIND_AUTO."""
    kinds = {group.kind for group in config.instance_group}
    return "gpu" if kinds == {model_config_pb2.ModelInstanceGroup.KIND_GPU} else "cpu"


def _spec(tensor: Any) -> TensorSpec:
    dtype = triton_to_np_dtype(tensor.datatype)
    if dtype is None:
        raise InferenceFailed(f"{tensor.name!r} has a type that numpy lacks: {tensor.datatype}")
    return TensorSpec(tensor.name, np.dtype(dtype), tuple(tensor.shape[1:]))


def _translated(error: InferenceServerException, failed: str) -> BackendError:
    """What went wrong, in our words; Triton's own go to the log."""
    status, text = str(error.status()).removeprefix("StatusCode."), error.message()
    kind, message = _BY_STATUS.get(status, (InferenceFailed, failed))
    if status == "UNAVAILABLE":
        found = (known for words, known in _BY_TEXT.items() if words in text.lower())
        kind, message = next(found, (kind, message))
    level = logging.ERROR if kind is InferenceFailed else logging.INFO
    log.log(level, message, extra={"facts": {"status": status, "triton": text}})
    return kind(message)
