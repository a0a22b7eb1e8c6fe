"""What comes up again after the backend lost it, and what is given up."""

import hashlib
import json
from pathlib import Path

import pytest

from service.catalogue import Catalogue
from service.entries import Entry, State
from service.errors import (
    BackendError,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InferenceFailed,
    ModelNotFound,
)
from service.telemetry import Telemetry
from tests.fakes import FakeBackend
from tests.repositories import add_model

NAME = "landmarks_t"
DEADLY = "the backend goes away while loading it"


class Mortal(FakeBackend):
    """Fails to load versions in `broken`, dies of those in `deadly`, is too slow for `slow`.

    passing: what it answers to every load, for as long as it is set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[int] = []
        self.broken: set[int] = set()
        self.deadly: set[int] = set()
        self.slow: set[int] = set()
        self.passing: BackendError | None = None

    async def load(self, model: str, version: int) -> None:
        self.loads.append(version)
        if self.passing:
            raise self.passing
        if version in self.broken:
            raise InferenceFailed("it does not load")
        if version in self.deadly:
            self.models.clear()
            self.ready_error = BackendUnavailable("nobody is there")
        if version in self.deadly | self.slow:
            raise BackendUnavailable("no answer")
        await super().load(model, version)

    def restart(self) -> None:
        self.models.clear()
        self.ready_error = None


@pytest.fixture
def backend() -> Mortal:
    return Mortal()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return add_model(tmp_path, NAME, b"1")


def put(folder: Path, version: int, canary: int | None = None, **changes: object) -> None:
    """Serve `version`, and `canary` beside it to half of the requests."""
    told = json.loads((folder / "card.json").read_text())
    for one in (version, canary or version):
        (folder / str(one)).mkdir(exist_ok=True)
        (folder / str(one) / "model.onnx").write_bytes(b"%d" % one)
        files = {f"{one}/model.onnx": hashlib.sha256(b"%d" % one).hexdigest()}
        card = {**told, "version": one, "files": files, "canary": None, **changes}
        (folder / str(one) / "card.json").write_text(json.dumps(card))
    card = json.loads((folder / str(version) / "card.json").read_text())
    card["canary"] = {"version": canary, "percent": 50} if canary else None
    (folder / "card.json").write_text(json.dumps(card))
    config = (folder / "config.pbtxt").read_text().split("version_policy")[0]
    versions = f"{version}, {canary}" if canary else version
    policy = f"version_policy {{ specific {{ versions: [ {versions} ] }} }}\n"
    (folder / "config.pbtxt").write_text(config + policy)


async def loaded(
    folder: Path, backend: Mortal, telemetry: Telemetry | None = None
) -> tuple[Catalogue, Entry]:
    made = Catalogue(
        folder.parent,
        engines=Mortal.engines,
        default_variant="t",
        default_precision="auto",
        only=(),
        telemetry=telemetry or Telemetry(),
    )
    await made.load(backend)
    (entry,) = made.entries
    return made, entry


def serving(entry: Entry) -> tuple[State, int | None, int | None]:
    """Its state, and the versions of the model and of the canary."""
    model, canary = (one.card.version if one else None for one in (entry.model, entry.canary))
    return entry.state, model, canary


def reason_of(entry: Entry) -> str | None:
    return entry.reason


async def test_what_served_is_tried_again_after_a_failed_reload(
    folder: Path, backend: Mortal, caplog: pytest.LogCaptureFixture
) -> None:
    made, entry = await loaded(folder, backend)
    backend.restart()
    backend.broken = {1}
    for _ in range(3):
        await made.load(backend)
        assert serving(entry) == (State.REFUSED, None, None)
    assert [record.message for record in caplog.records].count("model refused") == 1
    backend.broken = set()
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
    assert reason_of(entry) is None


async def test_what_never_served_is_not_tried_again(folder: Path, backend: Mortal) -> None:
    backend.broken = {1}
    made, entry = await loaded(folder, backend)
    await made.load(backend)
    await made.refresh(backend)
    assert serving(entry) == (State.REFUSED, None, None)
    assert backend.loads == [1]


PASSING = [
    BackendUnavailable("nobody is there"),
    BackendTimeout("it takes too long"),
    BackendOverloaded("it is out of room"),
    ModelNotFound("it has no such model"),
]


@pytest.mark.parametrize("error", PASSING)
async def test_a_first_load_that_fails_for_now_is_tried_again(
    folder: Path, backend: Mortal, error: BackendError
) -> None:
    backend.passing = error
    made, entry = await loaded(folder, backend)
    await made.load(backend)
    assert serving(entry) == (State.LOADING, None, None)
    assert reason_of(entry) == str(error)
    backend.passing = None
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
    assert reason_of(entry) is None


@pytest.mark.parametrize("error", PASSING)
async def test_a_new_version_that_fails_for_now_is_tried_again(
    folder: Path, backend: Mortal, error: BackendError
) -> None:
    made, entry = await loaded(folder, backend)
    put(folder, 2, canary=3)
    backend.passing = error
    await made.refresh(backend)
    assert serving(entry) == (State.READY, 1, None)
    backend.passing = None
    await made.refresh(backend)
    assert serving(entry) == (State.READY, 2, 3)


async def test_a_failed_reload_does_not_bring_a_refused_version_back(
    folder: Path, backend: Mortal
) -> None:
    made, _ = await loaded(folder, backend)
    put(folder, 2)
    backend.broken = {1, 2}
    await made.refresh(backend)
    backend.restart()
    for _ in range(3):
        await made.load(backend)
        await made.refresh(backend)
    assert backend.loads == [1, 2, 1, 1, 1]


async def test_a_lost_canary_leaves_the_model_alone(folder: Path, backend: Mortal) -> None:
    put(folder, 1, canary=2)
    telemetry = Telemetry()
    made, entry = await loaded(folder, backend, telemetry)
    model = entry.model
    backend.models.remove((NAME, 2))
    backend.broken = {2}
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
    assert reason_of(entry) == "canary refused: it does not load"
    text = telemetry.render().decode()
    assert 'version="1"' in text and 'version="2"' not in text
    backend.broken = set()
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, 2)
    assert reason_of(entry) is None
    assert entry.model is model
    assert backend.loads == [1, 2, 2, 2]
    assert 'version="2"' in telemetry.render().decode()


async def test_no_canary_without_its_model(folder: Path, backend: Mortal) -> None:
    put(folder, 1, canary=2)
    made, entry = await loaded(folder, backend)
    backend.models.remove((NAME, 1))
    backend.broken = {1}
    await made.load(backend)
    assert serving(entry) == (State.REFUSED, None, None)
    backend.broken = set()
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, 2)


async def test_a_canary_that_never_served_is_not_tried_again(folder: Path, backend: Mortal) -> None:
    put(folder, 1, canary=2)
    backend.broken = {2}
    made, entry = await loaded(folder, backend)
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
    assert backend.loads == [1, 2]


async def test_a_version_that_kills_the_backend_is_given_up(folder: Path, backend: Mortal) -> None:
    made, entry = await loaded(folder, backend)
    put(folder, 2)
    backend.deadly = {2}
    for deaths in (1, 2, 3):
        await made.refresh(backend)
        assert backend.loads.count(2) == deaths
        assert (reason_of(entry) is None) == (deaths < 3)
        backend.restart()
        await made.load(backend)
        assert serving(entry) == (State.READY, 1, None)
    await made.refresh(backend)
    put(folder, 2, licence="another")  # of the same weights
    await made.refresh(backend)
    assert reason_of(entry) == f"version 2 refused: {DEADLY}; version 1 serves on"
    assert backend.loads.count(2) == 3
    put(folder, 3)
    await made.refresh(backend)
    assert serving(entry) == (State.READY, 3, None)


async def test_a_canary_that_kills_the_backend_is_given_up(folder: Path, backend: Mortal) -> None:
    put(folder, 1, canary=2)
    backend.deadly = {2}
    made, entry = await loaded(folder, backend)
    for _ in range(5):
        backend.restart()
        await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
    assert reason_of(entry) == f"canary refused: {DEADLY}"
    assert backend.loads.count(2) == 3


async def test_a_slow_load_is_no_death(folder: Path, backend: Mortal) -> None:
    backend.slow = {1}
    made, entry = await loaded(folder, backend)
    for _ in range(4):
        await made.load(backend)
        assert serving(entry) == (State.LOADING, None, None)
    backend.slow = set()
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)


async def test_what_served_is_not_blamed_for_a_dying_backend(folder: Path, backend: Mortal) -> None:
    made, entry = await loaded(folder, backend)
    backend.deadly = {1}
    for _ in range(5):
        backend.restart()
        await made.load(backend)
        assert serving(entry) == (State.LOADING, None, None)
    backend.deadly = set()
    backend.restart()
    await made.load(backend)
    assert serving(entry) == (State.READY, 1, None)
