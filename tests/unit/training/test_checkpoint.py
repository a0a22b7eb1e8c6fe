from pathlib import Path

import pytest
import torch
from torch import nn

from training import checkpoint
from training.checkpoint import CheckpointError


def content(task: str = "detector", variant: str = "nano") -> checkpoint.Checkpoint:
    model = checkpoint.build_model(task, variant)
    return {"task": task, "variant": variant, "model": model.state_dict(), "step": 3}


def test_a_model_comes_back(tmp_path: Path) -> None:
    saved = content()
    checkpoint.save(saved, tmp_path / "run" / "last.pt")
    model, loaded = checkpoint.load_model(tmp_path / "run" / "last.pt")
    assert loaded["step"] == 3
    assert not model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, saved["model"][name]), name


def test_a_landmark_network_comes_back_in_its_size(tmp_path: Path) -> None:
    for size, stored in ((64, {"input_size": 64}), (256, {})):
        model = checkpoint.build_model("landmarks", "t", size)
        saved = {"task": "landmarks", "variant": "t", "model": model.state_dict(), **stored}
        checkpoint.save(saved, tmp_path / "last.pt")
        loaded, file = checkpoint.load_model(tmp_path / "last.pt")
        assert loaded.state_dict()["head.cls_x.weight"].shape[0] == 2 * size
        assert file["input_size"] == size


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(content(), path)
    with pytest.raises(Exception, match="pickle|local"):
        checkpoint.save({**content(), "extra": lambda: 0}, path)
    assert checkpoint.load(path)["step"] == 3
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_file_cannot_run_code(tmp_path: Path) -> None:
    torch.save({**content(), "extra": nn.Linear(1, 1)}, tmp_path / "last.pt")
    with pytest.raises(Exception, match="weights_only|Weights only"):
        checkpoint.load(tmp_path / "last.pt")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such"):
        checkpoint.load(tmp_path / "none.pt")
    torch.save({"task": "detector"}, tmp_path / "half.pt")
    with pytest.raises(CheckpointError, match="lacks"):
        checkpoint.load(tmp_path / "half.pt")


def test_random_state_comes_back() -> None:
    state = checkpoint.random_state()
    first = torch.rand(3)
    checkpoint.restore_random_state(state)
    assert torch.equal(first, torch.rand(3))
