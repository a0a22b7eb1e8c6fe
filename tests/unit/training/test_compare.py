from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.small_landmarks import blobs, small_landmarks
from training import compare as comparing
from training.compare import compare, milliseconds, one_core


@pytest.fixture
def network(tmp_path: Path) -> Path:
    onnx.save(small_landmarks(), tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_each_session_gets_its_own_time(network: Path) -> None:
    sessions = {"one": one_core(network), "other": one_core(network)}
    spent = milliseconds(sessions, blobs(2)[:, None], rounds=2)
    assert set(spent) == {"one", "other"}
    assert min(spent.values()) > 0


def test_both_ratios_are_told(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, random = blobs(8), np.random.default_rng(0)
    points = random.uniform(60, 200, (8, 68, 2)).astype(np.float32)
    labels = {"images": images, "points": points, "weight": np.ones((8, 68), np.float32)}
    np.savez(tmp_path / "landmarks.npz", **labels)  # type: ignore[arg-type]
    compare(network, network, rounds=1, gate=tmp_path)
    told = capsys.readouterr().out
    assert "batch 1: FP32" in told and "batch 8: FP32" in told
    assert "gate set: error FP32" in told and "ratio 1.0000" in told


def test_a_repository_without_pairs_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no INT8 network"):
        comparing.main(["--models", str(tmp_path)])
    (tmp_path / "landmarks_t_int8").mkdir()
    with pytest.raises(SystemExit, match="No such file"):
        comparing.main(["--models", str(tmp_path)])
    with pytest.raises(SystemExit):
        comparing.main(["only_one.onnx"])
