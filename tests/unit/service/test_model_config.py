from pathlib import Path

import pytest

from service.model_config import ModelConfigError, read_model_config


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
    assert (config.engine, config.max_batch_size, config.version) == ("onnxruntime", 8, 10)
    assert config.weights == "10/model.onnx"


def test_specific_version(tmp_path: Path) -> None:
    text = 'backend: "onnxruntime" max_batch_size: 8 version_policy { specific { versions: [1] } }'
    assert read_model_config(folder(tmp_path, text, ("1", "2"))).version == 1


def test_old_platform_names(tmp_path: Path) -> None:
    made = folder(tmp_path, 'platform: "tensorrt_plan" max_batch_size: 8')
    config = read_model_config(made)
    assert (config.engine, config.weights) == ("tensorrt", "1/model.plan")


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
