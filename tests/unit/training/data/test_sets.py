from pathlib import Path

import pytest

from tests.data_sets import tfw_row, write_tfw
from training.data.faces import DataSetError, split_of
from training.data.sets import PAIRED, SETS, VISIBLE, licence, model_licence, parse_source


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
    pool = {"data": {"pool": "p", "sets": []}}
    assert model_licence({}) == model_licence({"config": pool, "teachers": []}) == "Apache-2.0"
    own = {"config": {"data": {"sets": ["tfake=/d", "300w=/e,split=test"]}}}
    assert licence("tfake") in model_licence(own)
    assert licence("300w") in model_licence(own)
    teacher = {"file": "a.pt", "data": {"sets": ["charlotte=/d"], "modality": "thermal"}}
    taught = model_licence({"config": pool, "teachers": [{"file": "b"}, teacher]})
    assert "restricted" in taught
    assert licence("charlotte") in taught
    assert "gone" in model_licence({"config": {"data": {"sets": ["gone=/d"]}}})
