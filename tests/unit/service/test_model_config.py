import json
from pathlib import Path

import pytest

from service.model_config import ModelConfigError, config_json, read_model_config


def folder(tmp_path: Path, text: str, versions: tuple[str, ...] = ("1",)) -> Path:
    made = tmp_path / "landmarks_t"
    for version in versions:
        (made / version).mkdir(parents=True)
    made.mkdir(exist_ok=True)
    (made / "config.pbtxt").write_text(text)
    return made


def test_newest_version(tmp_path: Path) -> None:
    made = folder(tmp_path, 'backend: "onnxruntime" max_batch_size: 8', ("1", "2", "10", "old"))
    config = read_model_config(made)
    assert (config.engine, config.max_batch_size, config.versions) == ("onnxruntime", 8, (10,))
    assert config.files(10) == ["10/model.onnx"]


def test_specific_versions(tmp_path: Path) -> None:
    text = "max_batch_size: 8 version_policy { specific { versions: [ 3, 1 ] } }"
    made = folder(tmp_path, text, ("1", "2", "3"))
    assert read_model_config(made).versions == (1, 3)


def test_the_configuration_for_some_versions(tmp_path: Path) -> None:
    text = "max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 500 }"
    told = json.loads(config_json(folder(tmp_path, text, ("1", "2")), {2, 1}))
    assert told["version_policy"] == {"specific": {"versions": ["1", "2"]}}
    assert told["dynamic_batching"]["max_queue_delay_microseconds"] == "500"


def test_plans_by_type_of_gpu(tmp_path: Path) -> None:
    text = """platform: "tensorrt_plan" max_batch_size: 8 cc_model_filenames [
      { key: "9.0" value: "model_sm9.0.plan" }, { key: "8.9" value: "model_sm8.9.plan" } ]"""
    config = read_model_config(folder(tmp_path, text))
    assert config.files(1) == ["1/model_sm8.9.plan", "1/model_sm9.0.plan"]


def test_old_platform_names(tmp_path: Path) -> None:
    made = folder(tmp_path, 'platform: "tensorrt_plan" max_batch_size: 8')
    config = read_model_config(made)
    assert (config.engine, config.files(1)) == ("tensorrt", ["1/model.plan"])


@pytest.mark.parametrize(
    ("text", "versions", "complaint"),
    [
        ("max_batch_size: nine", ("1",), "config.pbtxt"),
        ("no_such_field: 1", ("1",), "config.pbtxt"),
        ('backend: "onnxruntime"', ("1",), "max_batch_size"),
        ('name: "other" max_batch_size: 8', ("1",), "name"),
        ("max_batch_size: 8", (), "version"),
        ("max_batch_size: 8 version_policy { specific { versions: [7] } }", ("1",), "version"),
    ],
)
def test_errors(tmp_path: Path, text: str, versions: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ModelConfigError, match=complaint):
        read_model_config(folder(tmp_path, text, versions))


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelConfigError, match="missing"):
        read_model_config(tmp_path)
