import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.backends.base import ModelMetadata
from service.catalogue import Catalogue
from service.entries import State
from service.errors import BackendUnavailable, VariantUnavailable
from service.telemetry import Telemetry
from tests.fakes import FakeBackend
from tests.repositories import add_model, make_repository


def catalogue(
    repository: Path,
    *,
    only: Sequence[str] = (),
    variant: str = "t",
    precision: str = "auto",
    detector: str = "auto",
    telemetry: Telemetry | None = None,
) -> Catalogue:
    return Catalogue(
        repository,
        engines={"onnxruntime"},
        default_variant=variant,
        default_precision=precision,
        default_detector=detector,
        only=only,
        telemetry=telemetry or Telemetry(),
    )


async def loaded(repository: Path, **settings: Any) -> Catalogue:
    made = catalogue(repository, **settings)
    await made.load(FakeBackend())
    return made


def detectors(made: Catalogue, precision: str | None, size: str | None = None) -> list[str]:
    return [model.card.name for model in made.detectors(precision, size)]


def add_large_detector(repository: Path) -> None:
    add_model(
        repository,
        "face_detector_640",
        b"x",
        task="detector",
        variant="nano",
        input_size=[640, 640],
    )


def reason(made: Catalogue, name: str) -> str:
    entry = next(entry for entry in made.entries if entry.name == name)
    assert entry.state is State.REFUSED
    return entry.reason or ""


async def test_default_and_named_variants(tmp_path: Path) -> None:
    made = await loaded(make_repository(tmp_path))
    assert made.landmarks(None, None).card.name == "landmarks_t"
    assert made.landmarks("s", None).card.name == "landmarks_s_int8"  # quick on a processor
    assert made.landmarks("s", "fp32").card.name == "landmarks_s"
    assert made.landmarks("s", "int8").card.name == "landmarks_s_int8"
    assert detectors(made, None) == ["face_detector"]
    assert made.missing() == []
    keys = [model.key for model in made.default_models()]
    assert keys == [("face_detector", 1), ("landmarks_t", 1)]


async def test_unknown_variant_lists_what_there_is(tmp_path: Path) -> None:
    made = await loaded(make_repository(tmp_path))
    for variant, precision in (("x", None), ("t", "int8"), (None, "int8")):
        with pytest.raises(VariantUnavailable) as caught:
            made.landmarks(variant, precision)
        assert {"variant": "s", "precision": "int8"} in caught.value.extra["available"]


async def test_auto_walks_past_a_damaged_file(tmp_path: Path) -> None:
    make_repository(tmp_path)
    (tmp_path / "landmarks_s_int8" / "1" / "model.onnx").write_bytes(b"damaged")
    made = await loaded(tmp_path)
    assert made.landmarks("s", "auto").card.name == "landmarks_s"
    assert "SHA-256" in reason(made, "landmarks_s_int8")
    with pytest.raises(VariantUnavailable):
        made.landmarks("s", "int8")


async def test_detector_takes_the_asked_precision_if_there(tmp_path: Path) -> None:
    make_repository(tmp_path)
    made = await loaded(tmp_path)
    assert detectors(made, "int8") == ["face_detector"]
    add_model(
        tmp_path, "face_detector_int8", b"x", task="detector", variant="nano", precision="int8"
    )
    made = await loaded(tmp_path)
    assert detectors(made, "int8") == ["face_detector_int8"]
    assert detectors(made, "fp32") == ["face_detector"]
    assert detectors(made, None) == ["face_detector_int8"]


async def test_detectors_of_two_sizes(tmp_path: Path) -> None:
    make_repository(tmp_path)
    add_large_detector(tmp_path)
    made = await loaded(tmp_path)
    assert detectors(made, None) == ["face_detector", "face_detector_640"]
    assert detectors(made, "int8", "auto") == ["face_detector", "face_detector_640"]
    assert detectors(made, None, "320") == ["face_detector"]
    assert detectors(made, None, "640") == ["face_detector_640"]
    assert made.detectors(None, "640")[0].metadata.inputs[0].shape == (1, 640, 640)
    assert detectors(await loaded(tmp_path, detector="640"), None) == ["face_detector_640"]


async def test_a_detector_size_that_is_not_there(tmp_path: Path) -> None:
    made = await loaded(make_repository(tmp_path))
    with pytest.raises(VariantUnavailable, match="640") as caught:
        made.detectors(None, "640")
    assert caught.value.extra["available"] == [320]
    made = await loaded(tmp_path, detector="640")  # a default that is missing is our fault
    with pytest.raises(BackendUnavailable):
        made.detectors(None)
    assert made.missing() == ["face detector: not in the repository"]
    assert detectors(made, None, "auto") == ["face_detector"]


async def test_a_card_of_another_size_than_the_network(tmp_path: Path) -> None:
    name, size = "face_detector", [640, 640]
    add_model(tmp_path, name, b"x", task="detector", variant="nano", input_size=size)
    assert "[1, 320, 320], not uint8 [1, 640, 640]" in reason(await loaded(tmp_path), name)


async def test_while_loading(tmp_path: Path) -> None:
    made = catalogue(make_repository(tmp_path))
    with pytest.raises(BackendUnavailable, match="loading"):
        made.landmarks(None, None)
    with pytest.raises(BackendUnavailable, match="loading"):
        made.detectors(None)
    assert len(made.missing()) == 2


async def test_missing_default_is_our_fault(tmp_path: Path) -> None:
    made = await loaded(make_repository(tmp_path), variant="x")
    with pytest.raises(BackendUnavailable):
        made.landmarks(None, None)
    assert "not in the repository" in made.missing()[0]


@pytest.mark.parametrize("exists", [True, False])
async def test_empty_repository(tmp_path: Path, exists: bool) -> None:
    made = await loaded(tmp_path if exists else tmp_path / "nowhere")
    assert made.entries == ()
    assert len(made.missing()) == 2


async def test_only_the_listed_models(tmp_path: Path) -> None:
    make_repository(tmp_path)
    made = catalogue(tmp_path, only=("landmarks_s", "nobody"))
    assert [entry.name for entry in made.entries] == ["landmarks_s"]


async def test_other_engines_are_refused(tmp_path: Path) -> None:
    add_model(tmp_path, "landmarks_t_trt_fp16", b"plan", engine="tensorrt", precision="fp16")
    assert "engine" in reason(catalogue(tmp_path), "landmarks_t_trt_fp16")


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("name", "landmarks_x", "landmarks_x"),
        ("version", 2, "version"),
        ("files", {"1/other.onnx": "0" * 64}, "model.onnx"),
        ("normalisation", "secret-v9", "normalisation"),
        ("task", "pose", "task"),
    ],
)
async def test_card_must_agree(tmp_path: Path, field: str, value: object, complaint: str) -> None:
    folder = add_model(tmp_path, "landmarks_t", b"weights")
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, field: value}))
    assert complaint in reason(catalogue(tmp_path), "landmarks_t")


async def test_no_card(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "landmarks_t", b"weights")
    (folder / "card.json").unlink()
    assert "card.json" in reason(catalogue(tmp_path), "landmarks_t")


async def test_vanished_weights(tmp_path: Path) -> None:
    folder = add_model(tmp_path, "landmarks_t", b"weights")
    made = catalogue(tmp_path)
    (folder / "1" / "model.onnx").unlink()
    await made.load(FakeBackend())
    assert reason(made, "landmarks_t") == "a file cannot be read"


async def test_wrong_task_on_the_card_is_found_by_the_network(tmp_path: Path) -> None:
    add_model(tmp_path, "landmarks_t", b"weights", task="detector", variant="nano")
    assert "not uint8" in reason(await loaded(tmp_path), "landmarks_t")


async def test_a_backend_that_is_away_at_first(tmp_path: Path) -> None:
    made, backend = catalogue(make_repository(tmp_path)), FakeBackend()
    backend.ready_error = BackendUnavailable("nobody is there")
    await made.load(backend)
    assert {entry.state for entry in made.entries} == {State.LOADING}
    assert "face_detector nobody is there" in made.missing()[0]
    with pytest.raises(BackendUnavailable, match="loading"):
        made.landmarks(None, None)
    backend.ready_error = None
    await made.load(backend)
    assert made.missing() == []
    assert {entry.reason for entry in made.entries} == {None}


async def test_a_backend_that_loses_its_models(tmp_path: Path) -> None:
    telemetry, backend = Telemetry(), FakeBackend()
    made = catalogue(make_repository(tmp_path), telemetry=telemetry)
    await made.load(backend)
    backend.models = {("face_detector", 1)}
    (tmp_path / "landmarks_s" / "1" / "model.onnx").write_bytes(b"damaged meanwhile")
    await made.load(backend)
    names = ("face_detector", "landmarks_t", "landmarks_s_int8")
    assert backend.models == {(name, 1) for name in names}
    assert made.missing() == []
    assert "SHA-256" in reason(made, "landmarks_s")
    assert made.landmarks("s", "auto").card.name == "landmarks_s_int8"
    text = telemetry.render().decode()
    info = 'thermal_model_info{backend="fake",device="cpu",model="%s",'
    assert info % "landmarks_t" in text
    assert info % "landmarks_s" not in text


async def test_a_backend_that_goes_away_keeps_its_models(tmp_path: Path) -> None:
    made, backend = catalogue(make_repository(tmp_path)), FakeBackend()
    await made.load(backend)
    backend.ready_error = BackendUnavailable("gone")
    await made.load(backend)
    assert {entry.state for entry in made.entries} == {State.READY}
    assert made.landmarks(None, None).card.name == "landmarks_t"


async def test_a_backend_that_serves_another_version(tmp_path: Path) -> None:
    class Newer(FakeBackend):
        async def metadata(self, model: str, version: int) -> ModelMetadata:
            return replace(await super().metadata(model, version), version="3")

    made = catalogue(make_repository(tmp_path))
    await made.load(Newer())
    assert reason(made, "landmarks_t") == "the backend serves version 3, not 1"
