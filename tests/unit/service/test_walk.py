"""Which model `auto` takes, out of every set of those that may be ready."""

from dataclasses import replace
from itertools import chain, combinations

import pytest

from service.backends.base import Device
from service.card import Canary, ModelCard
from service.entries import Entry, Found, Model, State
from service.model_config import ModelConfig
from service.networks import landmark_network
from service.walk import WALK, first_ready
from tests.fakes import LANDMARKS

Place = tuple[str, str, Device]

PLACES: list[Place] = list(WALK)
PROMISED: list[Place] = [
    ("tensorrt", "fp16", "gpu"),
    ("onnxruntime", "fp32", "gpu"),
    ("onnxruntime", "int8", "cpu"),
    ("onnxruntime", "fp32", "cpu"),
]


def model(name: str, precision: str, device: Device, version: int = 1) -> Model:
    card = ModelCard(
        name=name,
        task="landmarks",
        variant="t",
        precision=precision,
        schema="ibug68",
        input_size=(256, 256),
        version=version,
        files={f"{version}/model.onnx": "0" * 64},
    )
    metadata = replace(LANDMARKS, device=device, version=str(version))
    return Model(card, metadata, landmark_network(metadata))


def serving(place: Place, name: str = "") -> Entry:
    engine, precision, device = place
    made = model(name or "_".join(place), precision, device)
    config = ModelConfig(engine, 4, (1,), ("model.onnx",))
    found = Found(made.card.name, "", made.card, config)
    return Entry(found, State.READY, source=found, model=made)


def refused(place: Place) -> Entry:
    entry = serving(place)
    entry.state, entry.model, entry.source = State.REFUSED, None, None
    return entry


def place_of(found: Model | None) -> str | None:
    return found.card.name if found else None


def test_the_promised_order() -> None:
    assert [place for place in WALK if place in PROMISED] == PROMISED
    assert len(set(WALK)) == len(WALK)


def test_every_set_of_what_is_ready() -> None:
    up = {place: serving(place) for place in PLACES}
    down = {place: refused(place) for place in PLACES}
    sizes = range(1, len(PLACES) + 1)
    for ready in chain.from_iterable(combinations(PLACES, size) for size in sizes):
        entries = [(up if place in ready else down)[place] for place in PLACES]
        for order in (entries, entries[::-1]):
            assert place_of(first_ready(order)) == "_".join(ready[0])


@pytest.mark.parametrize("place", PLACES)
def test_what_becomes_ready_again_is_taken_again(place: Place) -> None:
    worse = [serving(other) for other in PLACES[PLACES.index(place) + 1 :]]
    entry, other = serving(place), place_of(first_ready(worse))
    serves = entry.model
    entry.state, entry.model = State.LOADING, None  # the backend says that it is not ready
    assert place_of(first_ready([entry, *worse])) == other
    entry.state, entry.model = State.READY, serves
    assert place_of(first_ready([entry, *worse])) == "_".join(place)


def test_nothing_is_ready() -> None:
    assert first_ready([]) is None
    assert first_ready([refused(place) for place in PLACES]) is None


def test_what_is_not_listed_comes_last_and_equals_by_name() -> None:
    odd, last = serving(("tensorrt", "int8", "cpu"), "a"), serving(PLACES[-1], "b")
    assert place_of(first_ready([odd, last])) == "b"
    assert place_of(first_ready([serving(PLACES[0], "d"), serving(PLACES[0], "c")])) == "c"


def test_the_canary_is_that_of_the_best_one() -> None:
    best, other = serving(PLACES[0]), serving(PLACES[1])
    assert best.model is not None
    best.canary = model("a", "fp16", "gpu", version=2)
    card = replace(best.model.card, canary=Canary(2, 99))
    best.source = replace(best.found, card=card)
    picked = [first_ready([other, best], f"request-{number}") for number in range(40)]
    assert best.canary in picked
    assert set(picked) <= {best.canary, best.model}
    assert first_ready([other, best]) is best.model
