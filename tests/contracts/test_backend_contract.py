"""What every backend must do; one file for all of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from service.backends.base import Backend
from service.backends.ort import OrtBackend
from service.backends.triton import TritonBackend
from service.errors import (
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from tests.fakes import FakeBackend
from tests.onnx_models import FACE_BOX, keypoints_grid
from tests.repositories import make_repository


@pytest.fixture(params=["fake", "onnxruntime", "triton"])
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    made: Backend = FakeBackend()
    if request.param == "onnxruntime":
        repository = make_repository(tmp_path)
        made = OrtBackend(repository, threads=2, intra_op_threads=1, queue=8)
    if request.param == "triton":
        server = request.getfixturevalue("triton")
        made = TritonBackend(server.url, server.repository)
    await made.load("landmarks_t", 1)
    await made.load("face_detector", 1)
    yield made
    await made.aclose()


def crops(count: int, level: int = 0) -> dict[str, np.ndarray]:
    return {"image": np.full((count, 1, 256, 256), level, np.uint8)}


async def test_metadata(backend: Backend) -> None:
    metadata = await backend.metadata("landmarks_t", 1)
    assert metadata.inputs[0].name == "image"
    assert metadata.inputs[0].dtype == np.uint8
    assert metadata.inputs[0].shape == (1, 256, 256)
    assert metadata.max_batch_size == 4
    assert metadata.version == "1"
    assert metadata.device == "cpu"


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_infer_any_batch_size(backend: Backend, count: int) -> None:
    result = await backend.infer("landmarks_t", 1, crops(count), timeout=10)
    assert result.version == "1"
    assert result.outputs["keypoints"].shape == (count, 68, 4)
    np.testing.assert_allclose(result.outputs["keypoints"][-1], keypoints_grid(), atol=1e-4)


async def test_batch_equals_single(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    batch = rng.integers(0, 255, (4, 1, 256, 256), np.uint8)
    together = await backend.infer("landmarks_t", 1, {"image": batch}, timeout=10)
    for index, crop in enumerate(batch):
        alone = await backend.infer("landmarks_t", 1, {"image": crop[None]}, timeout=10)
        np.testing.assert_allclose(
            together.outputs["keypoints"][index], alone.outputs["keypoints"][0], atol=1e-4
        )


async def test_only_the_outputs_asked_for(backend: Backend) -> None:
    view = {"image": np.zeros((1, 1, 320, 320), np.uint8)}
    result = await backend.infer("face_detector", 1, view, outputs=("boxes",), timeout=10)
    assert set(result.outputs) == {"boxes"}
    np.testing.assert_allclose(result.outputs["boxes"][0, 0], FACE_BOX)


@pytest.mark.parametrize("count", [0, 5])
async def test_batch_out_of_bounds(backend: Backend, count: int) -> None:
    with pytest.raises(InferenceFailed):
        await backend.infer("landmarks_t", 1, crops(count), timeout=10)


@pytest.mark.parametrize(
    "inputs",
    [
        {"picture": np.zeros((1, 1, 256, 256), np.uint8)},
        {"image": np.zeros((1, 1, 256, 256), np.float32)},
        {"image": np.zeros((1, 1, 256, 255), np.uint8)},
        {"image": np.zeros((1, 256, 256), np.uint8)},
    ],
)
async def test_wrong_inputs(backend: Backend, inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(InferenceFailed):
        await backend.infer("landmarks_t", 1, inputs, timeout=10)


async def test_unknown_output(backend: Backend) -> None:
    with pytest.raises(InferenceFailed):
        await backend.infer("landmarks_t", 1, crops(1), outputs=("nothing",), timeout=10)


async def test_unknown_model(backend: Backend) -> None:
    with pytest.raises(ModelNotFound):
        await backend.infer("nobody", 1, crops(1), timeout=10)
    with pytest.raises(ModelNotFound):
        await backend.metadata("nobody", 1)
    with pytest.raises(ModelNotFound):
        await backend.load("nobody", 1)
    with pytest.raises(ModelNotFound):
        await backend.unload("nobody", 1)
    assert not await backend.ready("nobody", 1)


async def test_load_and_unload(backend: Backend) -> None:
    assert await backend.ready("landmarks_t", 1)
    await backend.unload("landmarks_t", 1)
    assert not await backend.ready("landmarks_t", 1)
    with pytest.raises(ModelNotFound):
        await backend.infer("landmarks_t", 1, crops(1), timeout=10)
    await backend.load("landmarks_t", 1)
    assert await backend.ready("landmarks_t", 1)


async def test_no_time_left(backend: Backend) -> None:
    with pytest.raises(BackendTimeout):
        await backend.infer("landmarks_t", 1, crops(4), timeout=0)


async def test_side_by_side(backend: Backend) -> None:
    calls = [backend.infer("landmarks_t", 1, crops(2, level), timeout=10) for level in range(8)]
    results = await asyncio.gather(*calls)
    assert all(result.outputs["keypoints"].shape == (2, 68, 4) for result in results)


async def test_closed(backend: Backend) -> None:
    await backend.aclose()
    assert not await backend.ready("landmarks_t", 1)
    with pytest.raises(BackendUnavailable):
        await backend.infer("landmarks_t", 1, crops(1), timeout=10)
