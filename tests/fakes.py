"""A backend without an engine, for tests that run the real wiring."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from service.backends.base import Array, Device, InferResult, ModelMetadata, TensorSpec
from service.entities import Box
from service.errors import (
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from service.vision.crop import crop_map
from tests.onnx_models import FACE_BOX, FACE_SCORE, keypoints_grid

Corners = tuple[float, float, float, float]


def _spec(name: str, dtype: type, *shape: int) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), shape)


DETECTOR = ModelMetadata(
    (_spec("image", np.uint8, 1, 320, 320),),
    (_spec("boxes", np.float32, 100, 4), _spec("scores", np.float32, 100)),
    max_batch_size=4,
    version="1",
    device="cpu",
)
LARGE_DETECTOR = replace(DETECTOR, inputs=(_spec("image", np.uint8, 1, 640, 640),))
LANDMARKS = ModelMetadata(
    (_spec("image", np.uint8, 1, 256, 256),),
    (_spec("keypoints", np.float32, 68, 4),),
    max_batch_size=4,
    version="1",
    device="cpu",
)


class FakeBackend:
    """Finds `faces` in every image and the same grid of landmarks in every face.

    `error` is raised instead of an answer; `delay` seconds pass before each answer; `gate`, once
    set to an event, holds every call until it is set. `calls` lists (model, batch size), `versions`
    the versions that were asked for. `on_gpu`: names of models that run on one.
    """

    name = "fake"
    engines = frozenset({"onnxruntime"})

    def __init__(
        self, *, faces: Sequence[Corners] = (FACE_BOX,), score: float = FACE_SCORE
    ) -> None:
        self.faces = list(faces)
        self.score = score
        self.error: Exception | None = None
        self.delay = 0.0
        self.gate: asyncio.Event | None = None
        self.calls: list[tuple[str, int]] = []
        self.versions: list[int] = []
        self.views: list[Array] = []
        self.cancelled = 0
        self.models: set[tuple[str, int]] = set()
        self.on_gpu: set[str] = set()
        self.is_ready = True
        self.ready_error: Exception | None = None
        self.closed = False

    async def infer(
        self,
        model: str,
        version: int,
        inputs: Mapping[str, Array],
        *,
        outputs: tuple[str, ...] | None = None,
        timeout: float,
    ) -> InferResult:
        metadata = await self.metadata(model, version)
        batch = _batch(metadata, inputs)
        self.calls.append((model, batch))
        self.versions.append(version)
        self.views.append(inputs["image"])
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(self.delay)
                if self.gate:
                    await self.gate.wait()
        except TimeoutError:
            raise BackendTimeout("too slow") from None
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        answers = self._answers(model)
        wanted = outputs or tuple(spec.name for spec in metadata.outputs)
        if not set(wanted) <= set(answers):
            raise InferenceFailed("no such output")
        return InferResult({name: answers[name](batch) for name in wanted}, metadata.version)

    @staticmethod
    def answered_box(*detected: float) -> list[float]:
        """The box of the landmarks in the crop of the `detected` one: x1, y1, x2, y2."""
        xy = crop_map(Box(*detected)).to_frame(keypoints_grid()[:, :2])
        return [*xy.min(axis=0).tolist(), *xy.max(axis=0).tolist()]

    def _answers(self, model: str) -> dict[str, Callable[[int], Array]]:
        if "detector" not in model:
            return {"keypoints": lambda n: np.repeat(keypoints_grid()[None], n, axis=0)}
        boxes, scores = np.zeros((100, 4), np.float32), np.zeros(100, np.float32)
        boxes[: len(self.faces)], scores[: len(self.faces)] = self.faces or 0, self.score
        return {
            "boxes": lambda n: np.repeat(boxes[None], n, axis=0),
            "scores": lambda n: np.repeat(scores[None], n, axis=0),
        }

    async def metadata(self, model: str, version: int) -> ModelMetadata:
        if self.closed:
            raise BackendUnavailable("closed")
        if (model, version) not in self.models:
            raise ModelNotFound(f"model {model!r} is not loaded")
        made = LANDMARKS
        if "detector" in model:
            made = LARGE_DETECTOR if "640" in model else DETECTOR
        device: Device = "gpu" if model in self.on_gpu else "cpu"
        return replace(made, version=str(version), device=device)

    async def ready(self, model: str, version: int) -> bool:
        if self.ready_error:
            raise self.ready_error
        return self.is_ready and not self.closed and (model, version) in self.models

    async def load(self, model: str, version: int) -> None:
        if "detector" not in model and "landmarks" not in model:
            raise ModelNotFound(f"model {model!r} is not in the repository")
        self.models.add((model, version))

    async def unload(self, model: str, version: int) -> None:
        if (model, version) not in self.models:
            raise ModelNotFound(f"model {model!r} is not loaded")
        self.models.remove((model, version))

    async def aclose(self) -> None:
        self.closed = True


def _batch(metadata: ModelMetadata, inputs: Mapping[str, Array]) -> int:
    """The checks that every backend makes."""
    if set(inputs) != {spec.name for spec in metadata.inputs}:
        raise InferenceFailed("wrong inputs")
    array, spec = inputs[metadata.inputs[0].name], metadata.inputs[0]
    if array.dtype != spec.dtype or array.shape[1:] != spec.shape:
        raise InferenceFailed("wrong type or shape")
    if not 1 <= len(array) <= metadata.max_batch_size:
        raise InferenceFailed("wrong batch size")
    return len(array)
