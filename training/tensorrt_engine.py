"""TensorRT, as far as this project needs it: build a plan, and run one to measure it.

The only file that imports tensorrt and CUDA. Written for TensorRT 11, whose networks are always
strongly typed: there is no flag for a precision, the ONNX file says it (`training.plan_graph`).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from service.entities import ByteArray
from training.served import Network, Outputs
from training.triton_config import PROFILES

MAJOR: Final = 11
_INPUT: Final = "image"


class EngineUnavailable(RuntimeError):
    """No plan can be built here; the message says what is missing."""


@dataclass(frozen=True)
class Target:
    """What a plan fits: one type of GPU and one major version of TensorRT.

    capability: the GPU's compute capability, e.g. `9.0`. tensorrt: the version, e.g. `11.4.0`.
    """

    gpu: str
    capability: str
    tensorrt: str


class Engine(Protocol):
    """The seam to TensorRT, so that all around it can be tested without a GPU."""

    def target(self) -> Target: ...

    def build(self, model: bytes, shape: tuple[int, ...]) -> bytes:
        """The plan of an ONNX model. shape: of its input, without the batch axis."""

    def network(self, plan: Path, batch: int) -> Network:
        """A plan as a function that takes any number of images, run in batches of `batch`."""


class TensorRT:
    """Implements `Engine` on the first GPU. EngineUnavailable where TensorRT or a GPU is not."""

    def __init__(self) -> None:
        try:
            import tensorrt
            from cuda.bindings import runtime
        except ImportError as error:
            raise EngineUnavailable(
                f"{error.name} is not installed: run it in the image of docker/plans.Dockerfile"
            ) from None
        if int(tensorrt.__version__.split(".")[0]) != MAJOR:
            raise EngineUnavailable(f"TensorRT {tensorrt.__version__}: made for version {MAJOR}")
        self._trt, self._cuda = tensorrt, runtime
        self._logger = tensorrt.Logger(tensorrt.Logger.WARNING)
        self._ok(runtime.cudaSetDevice(0))

    def _ok(self, answer: tuple[Any, ...]) -> Any:
        """CUDA's answers are (error, value ...)."""
        error, *values = answer
        if error != self._cuda.cudaError_t.cudaSuccess:
            raise EngineUnavailable(f"CUDA: {error.name}")
        return values[0] if values else None

    def target(self) -> Target:
        gpu = self._ok(self._cuda.cudaGetDeviceProperties(0))
        name = gpu.name.decode() if isinstance(gpu.name, bytes) else str(gpu.name)
        return Target(name.rstrip("\0"), f"{gpu.major}.{gpu.minor}", self._trt.__version__)

    def build(self, model: bytes, shape: tuple[int, ...]) -> bytes:
        trt = self._trt
        builder = trt.Builder(self._logger)
        network = builder.create_network()
        parser = trt.OnnxParser(network, self._logger)
        if not parser.parse(model):
            told = "; ".join(str(parser.get_error(i)) for i in range(parser.num_errors))
            raise EngineUnavailable(f"TensorRT does not read the network: {told}")
        config = builder.create_builder_config()
        for batches in PROFILES.values():
            profile = builder.create_optimization_profile()
            profile.set_shape(_INPUT, *((batch, *shape) for batch in batches))
            config.add_optimization_profile(profile)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineUnavailable("TensorRT builds no plan; its log above says why")
        return bytes(plan)

    def network(self, plan: Path, batch: int) -> Network:
        engine = self._trt.Runtime(self._logger).deserialize_cuda_engine(plan.read_bytes())
        if engine is None:
            raise EngineUnavailable(f"{plan.name}: TensorRT does not read its own plan")
        context = engine.create_execution_context()
        profile = next(i for i, (_, _, most) in enumerate(PROFILES.values()) if batch <= most)

        def run(images: ByteArray) -> Outputs:
            parts = [
                self._run(engine, context, profile, images[start : start + batch])
                for start in range(0, len(images), batch)
            ]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

        return run

    def _run(self, engine: Any, context: Any, profile: int, images: ByteArray) -> Outputs:
        cuda = self._cuda
        to_device = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        to_host = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        images = np.ascontiguousarray(images)
        with self._stream() as stream:
            context.set_optimization_profile_async(profile, stream)
            context.set_input_shape(_INPUT, images.shape)
            names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
            outputs = {
                name: np.empty(tuple(context.get_tensor_shape(name)), np.float32)
                for name in names
                if name != _INPUT
            }
            with self._memory({_INPUT: images, **outputs}) as places:
                self._ok(
                    cuda.cudaMemcpy(places[_INPUT], images.ctypes.data, images.nbytes, to_device)
                )
                for name, place in places.items():
                    context.set_tensor_address(name, place)
                if not context.execute_async_v3(stream):
                    raise EngineUnavailable("TensorRT does not run the plan; its log says why")
                self._ok(cuda.cudaStreamSynchronize(stream))
                for name, array in outputs.items():
                    self._ok(
                        cuda.cudaMemcpy(array.ctypes.data, places[name], array.nbytes, to_host)
                    )
        return outputs

    @contextmanager
    def _stream(self) -> Iterator[int]:
        stream = self._ok(self._cuda.cudaStreamCreate())
        try:
            yield int(stream)
        finally:
            self._ok(self._cuda.cudaStreamDestroy(stream))

    @contextmanager
    def _memory(self, arrays: dict[str, Any]) -> Iterator[dict[str, int]]:
        """Room on the GPU for each array."""
        places: dict[str, int] = {}
        try:
            for name, array in arrays.items():
                places[name] = int(
                    self._ok(self._cuda.cudaMalloc(math.prod(array.shape) * array.itemsize))
                )
            yield places
        finally:
            for place in places.values():
                self._cuda.cudaFree(place)
