"""Precision `auto` on hosts with and without a GPU, while models come and go."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from service.catalogue import Catalogue
from service.errors import BackendUnavailable, InferenceFailed
from service.telemetry import Telemetry
from tests.fakes import FakeBackend
from tests.repositories import add_model

PLAN, FP32, INT8 = "landmarks_t_trt_fp16", "landmarks_t", "landmarks_t_int8"
DETECTOR, DETECTOR_PLAN, LARGE = "face_detector", "face_detector_trt_fp16", "face_detector_640"


class Host(FakeBackend):
    """A Triton. Plans run on a GPU; models in `broken` do not load."""

    engines = frozenset({"onnxruntime", "tensorrt"})

    def __init__(self, *, gpu: bool = False) -> None:
        super().__init__()
        self.on_gpu = {PLAN, DETECTOR_PLAN} | ({FP32, INT8, DETECTOR, LARGE} if gpu else set())
        self.broken = set() if gpu else {PLAN, DETECTOR_PLAN}

    async def load(self, model: str, version: int) -> None:
        if model in self.broken:
            raise InferenceFailed("it does not load")
        await super().load(model, version)


def add_plan(repository: Path, name: str, **card: Any) -> None:
    files = {"1/model.plan": hashlib.sha256(b"plan").hexdigest()}
    add_model(
        repository, name, b"plan", engine="tensorrt", precision="fp16", files=files, **card
    )  # fmt: skip
    (repository / name / "1" / "model.onnx").rename(repository / name / "1" / "model.plan")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    detector: dict[str, Any] = {"task": "detector", "variant": "nano"}
    add_model(tmp_path, FP32, b"x")
    add_model(tmp_path, INT8, b"x", precision="int8")
    add_plan(tmp_path, PLAN)
    add_model(tmp_path, DETECTOR, b"x", **detector)
    add_model(tmp_path, LARGE, b"x", input_size=[640, 640], **detector)
    add_plan(tmp_path, DETECTOR_PLAN, **detector)
    return tmp_path


async def loaded(repository: Path, backend: FakeBackend, precision: str = "auto") -> Catalogue:
    made = Catalogue(
        repository,
        engines=backend.engines,
        default_variant="t",
        default_precision=precision,
        only=(),
        telemetry=Telemetry(),
    )
    await made.load(backend)
    return made


def chosen(made: Catalogue) -> tuple[str, list[str]]:
    detectors = [model.card.name for model in made.detectors(None)]
    return made.landmarks(None, None).card.name, detectors


async def test_on_a_processor(repository: Path) -> None:
    made = await loaded(repository, Host())
    assert chosen(made) == (INT8, [DETECTOR, LARGE])
    assert [model.card.name for model in made.auto_models()] == [DETECTOR, LARGE, INT8]
    assert {model.device for model in made.auto_models()} == {"cpu"}


async def test_on_a_gpu(repository: Path) -> None:
    made = await loaded(repository, Host(gpu=True))
    assert chosen(made) == (PLAN, [DETECTOR_PLAN, LARGE])
    assert [model.card.name for model in made.auto_models()] == [DETECTOR_PLAN, LARGE, PLAN]
    assert {model.device for model in made.auto_models()} == {"gpu"}


async def test_on_a_gpu_without_plans_of_its_type(repository: Path) -> None:
    backend = Host(gpu=True)
    backend.broken = {PLAN, DETECTOR_PLAN}
    assert chosen(await loaded(repository, backend)) == (FP32, [DETECTOR, LARGE])


async def test_what_the_backend_loses_is_taken_again_once_it_is_back(repository: Path) -> None:
    backend = Host(gpu=True)
    made = await loaded(repository, backend)
    for lost, then in ((PLAN, FP32), (FP32, INT8)):
        backend.models.remove((lost, 1))
        backend.broken.add(lost)
        await made.load(backend)
        assert made.landmarks(None, None).card.name == then
    backend.broken = set()
    await made.load(backend)
    assert chosen(made) == (PLAN, [DETECTOR_PLAN, LARGE])


async def test_while_the_best_one_is_loading(repository: Path) -> None:
    backend = Host(gpu=True)
    made = await loaded(repository, backend)
    backend.models.remove((PLAN, 1))

    async def away(model: str, version: int) -> None:
        if model == PLAN:
            raise BackendUnavailable("it takes too long")

    backend.load = away  # type: ignore[method-assign]
    await made.load(backend)
    assert made.landmarks(None, None).card.name == FP32
    assert made.missing() == []


async def test_a_precision_that_is_named_is_that_one_alone(repository: Path) -> None:
    backend = Host(gpu=True)
    made = await loaded(repository, backend, precision="fp32")
    assert chosen(made) == (FP32, [DETECTOR, LARGE])
    assert made.landmarks(None, "fp16").card.name == PLAN
    assert [model.card.name for model in made.auto_models()] == [DETECTOR_PLAN, LARGE, PLAN]
    backend.models.remove((FP32, 1))
    backend.broken = {FP32}
    await made.load(backend)
    with pytest.raises(BackendUnavailable, match="default"):
        made.landmarks(None, None)
