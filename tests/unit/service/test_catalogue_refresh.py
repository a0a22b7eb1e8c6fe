"""What happens to the catalogue when its repository changes."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.backends.base import ModelMetadata
from service.catalogue import Catalogue
from service.entries import Entry, State
from service.errors import BackendUnavailable, InferenceFailed
from service.telemetry import Telemetry
from tests.fakes import FakeBackend
from tests.repositories import add_model

NAME = "landmarks_t"


class Counting(FakeBackend):
    """`loads` lists what was asked for; a version in `broken` does not load."""

    engines = frozenset({"onnxruntime", "tensorrt"})

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[tuple[str, int]] = []
        self.broken: set[int] = set()
        self.odd: set[int] = set()

    async def load(self, model: str, version: int) -> None:
        self.loads.append((model, version))
        if version in self.broken:
            raise InferenceFailed("it does not load")
        await super().load(model, version)

    async def metadata(self, model: str, version: int) -> ModelMetadata:
        made = await super().metadata(model, version)
        return replace(made, inputs=()) if version in self.odd else made


@pytest.fixture
def backend() -> Counting:
    return Counting()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return add_model(tmp_path, NAME, b"one")


def catalogue(repository: Path, **changes: Any) -> Catalogue:
    settings: dict[str, Any] = {
        "engines": Counting.engines,
        "default_variant": "t",
        "default_precision": "auto",
        "only": (),
        "telemetry": Telemetry(),
    }
    return Catalogue(repository, **{**settings, **changes})


async def served(folder: Path, backend: Counting, **changes: Any) -> tuple[Catalogue, Entry]:
    made = catalogue(folder.parent, **changes)
    await made.load(backend)
    (entry,) = made.entries
    assert entry.state is State.READY
    return made, entry


def put(folder: Path, version: int, weights: bytes, **card: Any) -> None:
    """Serve another version, as a publisher would."""
    (folder / str(version)).mkdir(exist_ok=True)
    (folder / str(version) / "model.onnx").write_bytes(weights)
    files = {f"{version}/model.onnx": hashlib.sha256(weights).hexdigest()}
    told = json.loads((folder / "card.json").read_text())
    text = json.dumps({**told, "version": version, "files": files, **card})
    (folder / "card.json").write_text(text)
    config = (folder / "config.pbtxt").read_text().split("version_policy")[0]
    policy = f"version_policy {{ specific {{ versions: [ {version} ] }} }}\n"
    (folder / "config.pbtxt").write_text(config + policy)


def version_of(entry: Entry) -> int:
    assert entry.model is not None
    return entry.model.card.version


def reason_of(entry: Entry) -> str | None:
    return entry.reason


async def test_a_new_version_takes_over_and_the_old_one_goes(
    folder: Path, backend: Counting
) -> None:
    made, entry = await served(folder, backend)
    put(folder, 2, b"two")
    await made.refresh(backend)
    assert (version_of(entry), entry.reason) == (2, None)
    assert backend.models == {(NAME, 1), (NAME, 2)}
    await made.load(backend)
    assert backend.models == {(NAME, 2)}


async def test_the_grace_of_other_gateways(folder: Path, backend: Counting) -> None:
    made, _ = await served(folder, backend, grace=3600)
    put(folder, 2, b"two")
    await made.refresh(backend)
    await made.load(backend)
    assert backend.models == {(NAME, 1), (NAME, 2)}


async def test_what_has_not_changed_is_not_loaded_again(folder: Path, backend: Counting) -> None:
    made, entry = await served(folder, backend)
    await made.refresh(backend)
    put(folder, 1, b"one", licence="another")
    await made.refresh(backend)
    await made.load(backend)
    assert entry.card is not None and entry.card.licence == "another"
    assert backend.loads == [(NAME, 1)]
    assert backend.models == {(NAME, 1)}


async def test_back_before_the_old_one_was_unloaded(folder: Path, backend: Counting) -> None:
    made, entry = await served(folder, backend)
    for version, weights in ((2, b"two"), (1, b"one")):
        put(folder, version, weights)
        await made.refresh(backend)
    await made.load(backend)
    assert version_of(entry) == 1
    assert backend.models == {(NAME, 1)}


@pytest.mark.parametrize("fault", ["hash", "load", "network", "card", "config", "gone"])
async def test_a_bad_version_is_refused_and_the_old_one_serves_on(
    folder: Path, backend: Counting, fault: str
) -> None:
    made, entry = await served(folder, backend)
    put(folder, 2, b"two")
    if fault == "hash":
        (folder / "2" / "model.onnx").write_bytes(b"damaged")
    elif fault == "card":
        (folder / "card.json").write_text("{")
    elif fault == "config":
        (folder / "config.pbtxt").write_text("max_batch_size: many")
    elif fault == "gone":
        (folder / "2" / "model.onnx").unlink()
    backend.broken = {2} if fault == "load" else set()
    backend.odd = {2} if fault == "network" else set()
    await made.refresh(backend)
    assert (version_of(entry), entry.state) == (1, State.READY)
    assert entry.card is not None and entry.card.version == 1
    assert (reason_of(entry) or "").endswith("; version 1 serves on")
    assert backend.models == {(NAME, 1)}
    asked = len(backend.loads)
    await made.refresh(backend)  # it is not tried again until something changes
    assert len(backend.loads) == asked
    backend.broken = backend.odd = set()
    if fault not in ("card", "config"):
        put(folder, 2, b"two", metrics={"mended": True})
        await made.refresh(backend)
        assert (version_of(entry), reason_of(entry)) == (2, None)


async def test_mended_weights_are_tried_again(folder: Path, backend: Counting) -> None:
    (folder / "1" / "model.onnx").write_bytes(b"damaged")
    made = catalogue(folder.parent)
    await made.load(backend)
    (entry,) = made.entries
    assert entry.state is State.REFUSED
    (folder / "1" / "model.onnx").write_bytes(b"one")
    await made.refresh(backend)
    assert (entry.state, entry.reason) == (State.READY, None)


async def test_models_come_and_go(folder: Path, backend: Counting, tmp_path: Path) -> None:
    made, _ = await served(folder, backend)
    with pytest.raises(Exception, match="no model for variant 's'"):
        made.landmarks("s", None)
    other = add_model(tmp_path, "landmarks_s", b"s", variant="s")
    await made.refresh(backend)
    assert made.landmarks("s", None).key == ("landmarks_s", 1)
    shutil.move(other, tmp_path / ".hidden")
    await made.refresh(backend)
    entry = next(entry for entry in made.entries if entry.name == "landmarks_s")
    assert made.landmarks("s", None).key == ("landmarks_s", 1)
    assert entry.reason == "its folder is gone; what was loaded from it serves on"
    shutil.move(tmp_path / ".hidden", other)
    await made.refresh(backend)
    assert entry.reason is None


async def test_a_refused_model_whose_folder_goes_is_forgotten(
    folder: Path, backend: Counting
) -> None:
    made, _ = await served(folder, backend)
    (folder.parent / "empty").mkdir()
    await made.refresh(backend)
    assert [entry.state for entry in made.entries] == [State.REFUSED, State.READY]
    (folder.parent / "empty").rmdir()
    await made.refresh(backend)
    assert [entry.name for entry in made.entries] == [NAME]


async def test_a_backend_that_is_away(folder: Path, backend: Counting) -> None:
    made, entry = await served(folder, backend)
    put(folder, 2, b"two")
    backend.ready_error = BackendUnavailable("nobody is there")
    await made.refresh(backend)
    assert (version_of(entry), entry.reason) == (1, None)
    backend.ready_error = None
    await made.refresh(backend)
    assert version_of(entry) == 2


async def test_a_backend_that_starts_anew_gets_the_last_good_version(
    folder: Path, backend: Counting
) -> None:
    made, entry = await served(folder, backend)
    put(folder, 2, b"two")
    (folder / "2" / "model.onnx").write_bytes(b"damaged")
    await made.refresh(backend)
    backend.models.clear()
    await made.load(backend)
    assert (version_of(entry), backend.models) == (1, {(NAME, 1)})


async def test_a_plan_goes_before_onnx_of_its_precision(tmp_path: Path, backend: Counting) -> None:
    backend.on_gpu = {"landmarks_t_trt_int8"}
    add_model(tmp_path, "landmarks_t_int8", b"x", precision="int8")
    plan = add_model(
        tmp_path,
        "landmarks_t_trt_int8",
        b"plan",
        precision="int8",
        engine="tensorrt",
        files={"1/model.plan": hashlib.sha256(b"plan").hexdigest()},
    )
    (plan / "1" / "model.onnx").rename(plan / "1" / "model.plan")
    made = catalogue(tmp_path)
    await made.load(backend)
    assert made.landmarks("t", "int8").key == ("landmarks_t_trt_int8", 1)
    made = catalogue(tmp_path, engines={"onnxruntime"})
    await made.load(backend)
    assert made.landmarks("t", "int8").key == ("landmarks_t_int8", 1)
