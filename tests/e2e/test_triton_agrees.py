"""Triton and ONNX Runtime in this process give the same numbers for every model that ships."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from service.admission import Deadline
from service.backends.base import Array, Backend
from service.backends.ort import OrtBackend
from service.backends.triton import TritonBackend
from service.catalogue import Catalogue
from service.inference import Inference
from service.telemetry import Telemetry
from service.workers import Workers
from tests.repositories import add_model
from tests.small_landmarks import blobs
from tests.triton_server import ROOT, TritonServer
from training.export import export_landmarks, seeded_landmarks

REPOSITORY = ROOT / "model_repository"
PUBLISHED = sorted(card.parent.name for card in REPOSITORY.glob("*/card.json"))
PIXELS = 1e-4


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with TritonServer(REPOSITORY, tmp_path_factory.mktemp("published") / "log") as server:
        yield server


async def answers(backend: Backend, repository: Path, name: str) -> dict[str, Array]:
    """The outputs that the gateway asks for, of one view, of three, and of one more than a batch.

    By way of the gateway's own steps: catalogue, network, batches.
    """
    telemetry, workers = Telemetry(), Workers(1, "test")
    catalogue = Catalogue(
        repository,
        engines=backend.engines,
        default_variant="t",
        default_precision="auto",
        only=[name],
        telemetry=telemetry,
    )
    await catalogue.load(backend)
    (entry,) = catalogue.entries
    assert entry.model is not None, entry.reason
    side = entry.model.card.input_size[0]
    inference = Inference(backend, workers, telemetry)
    parts = []
    for count in (1, 3, entry.model.metadata.max_batch_size + 1):
        views = np.tile(blobs(count, seed=count), (1, 3, 3))[:, :side, :side]
        parts.append(await inference.run(entry.model, views, Deadline(120)))
    await backend.unload(*entry.model.key)  # its memory
    await backend.aclose()
    workers.close()
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


async def check(server: TritonServer, name: str) -> None:
    embedded = OrtBackend(server.repository, threads=1, intra_op_threads=1, queue=1)
    here = await answers(embedded, server.repository, name)
    there = await answers(TritonBackend(server.url, server.repository), server.repository, name)
    assert here.keys() == there.keys()
    for key, array in here.items():
        assert np.ptp(array) > 0.01  # they do differ from view to view
        np.testing.assert_allclose(there[key], array, rtol=0, atol=PIXELS)


def test_one_version_of_onnx_runtime() -> None:
    """Equal answers are promised between equal engines alone."""
    pins = [
        re.findall(r"onnxruntime==([0-9.]+)", (ROOT / file).read_text())
        for file in ("pyproject.toml", "docker/triton/requirements.txt")
    ]
    assert pins[0] == pins[1] and len(pins[0]) == 1


@pytest.mark.parametrize("name", PUBLISHED)
async def test_published(published: TritonServer, name: str) -> None:
    await check(published, name)


@pytest.mark.timeout(1200)  # to trace a large network takes minutes of a busy machine
@pytest.mark.parametrize(
    "variant",
    ["m", pytest.param("l", marks=pytest.mark.slow), pytest.param("x", marks=pytest.mark.slow)],
)
async def test_larger_variants(triton: TritonServer, tmp_path: Path, variant: str) -> None:
    """With weights by seed, since nobody has published them yet."""
    export_landmarks(seeded_landmarks(variant), tmp_path / "model.onnx")
    weights = (tmp_path / "model.onnx").read_bytes()
    name = f"landmarks_{variant}_seeded"
    add_model(triton.repository, name, weights, variant=variant, max_batch_size=4)
    await check(triton, name)
