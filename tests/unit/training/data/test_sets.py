from pathlib import Path

import pytest

from tests.data_sets import tfw_row, write_tfw
from training.data.faces import DataSetError, split_of
from training.data.sets import (
    OWN_LICENCE,
    PAIRED,
    SETS,
    UNKNOWN_LICENCE,
    VISIBLE,
    licence,
    model_licence,
    parse_source,
)

POOL = {"data": {"pool": "p", "sets": []}}


def test_a_source_with_options(tmp_path: Path) -> None:
    write_tfw(tmp_path, [tfw_row("a.png", 1, 1)], "test")
    source = parse_source(f"tfw={tmp_path},split=test,pictures=gray")
    assert source.open().frame(0).source == "png8/grey"
    assert str(source) == f"tfw={tmp_path},split=test,pictures=gray"
    with pytest.raises(DataSetError, match="split train"):
        parse_source(f"tfw={tmp_path}").open("train")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mnist=/x", "is not NAME=DIR with a name of"),
        ("tfw", "is not NAME=DIR"),
        ("tfw=", "is not NAME=DIR"),
        ("tfw=/x,side=a", r"'side=a' is not OPTION=VALUE with one of \['split', 'pictures'\]"),
        ("tfw=/x,split=", "'split=' is not OPTION=VALUE"),
        ("tfw=/x,split=dev", "split is one of"),
    ],
)
def test_other_texts_are_refused(text: str, says: str) -> None:
    with pytest.raises(DataSetError, match=says):
        parse_source(text)


def test_every_set_says_its_licence() -> None:
    assert {*VISIBLE, *PAIRED} <= set(SETS)
    for name in SETS:
        assert len(licence(name)) > 30
    assert "non-commercial" in licence("tfake")


def test_one_number_in_twenty_is_held_out() -> None:
    assert [n for n in range(100) if split_of(n) == "val"] == [0, 20, 40, 60, 80]


def test_a_models_licence_is_that_of_its_data_and_its_teachers() -> None:
    assert model_licence({"config": POOL, "teachers": []}) == OWN_LICENCE
    own = {"config": {"data": {"sets": ["tfake=/d", "300w=/e,split=test"]}}}
    assert licence("tfake") in model_licence(own)
    assert licence("300w") in model_licence(own)
    teacher = {"file": "a.pt", "data": {"sets": ["charlotte=/d"], "modality": "thermal"}}
    taught = model_licence({"config": POOL, "teachers": [{"file": "b"}, teacher]})
    assert "restricted" in taught
    assert licence("charlotte") in taught
    assert "gone" in model_licence({"config": {"data": {"sets": ["gone=/d"]}}})


def test_what_a_run_starts_from_restricts_it_like_a_teacher() -> None:
    start = [{"file": "a.pt", "data": {"sets": ["charlotte=/d"]}}, {"file": "b.pt", **POOL}]
    told = model_licence({"config": POOL, "start": start})
    assert told.startswith("restricted")
    assert licence("charlotte") in told
    assert "unknown" not in told
    assert model_licence({"config": POOL, "start": start[1:], "teachers": start[1:]}) == OWN_LICENCE


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"config": {"name": "run"}},
        {"config": POOL, "teachers": [{"file": "a.pt"}]},
        {"config": POOL, "start": [{"file": "a.pt"}, POOL]},
        {"config": POOL, "start": {"file": "a.pt", "sha256": "0" * 64}},  # an older note
        {"config": {**POOL, "start": {"checkpoint": "a.pt"}}},
        {"config": POOL, "start": [{**POOL, "licence": UNKNOWN_LICENCE}]},
        {"config": POOL, "start": [{**POOL, "licence": "unknown"}]},
    ],
)
def test_unknown_data_is_no_licence_of_our_own(note: dict[str, object]) -> None:
    assert model_licence(note) == UNKNOWN_LICENCE


def test_known_restrictions_are_named_beside_what_is_unknown() -> None:
    own = {"data": {"sets": ["tfake=/d"]}}
    told = model_licence({"config": own, "start": [{"file": "a.pt"}]})
    assert licence("tfake") in told
    assert told.endswith(UNKNOWN_LICENCE)


def test_a_published_models_licence_is_handed_on_once() -> None:
    bought = {**POOL, "licence": "by contract"}
    assert model_licence({"config": POOL, "teachers": [bought]}).endswith("on. by contract")
    data = {"data": {"sets": ["tfake=/d"]}}
    licensed = {**data, "licence": model_licence({"config": data})}
    assert model_licence({"config": POOL, "start": [licensed]}) == licensed["licence"]
