"""The two levels of MLCM-KD, a few steps each, on a few made-up samples."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from service.card import file_sha256
from training import checkpoint, train
from training.config import ConfigError, DataConfig, RunConfig, from_dict
from training.data.sample import LandmarkSample
from training.engine import Recipe, RunState, train_one_epoch

SAMPLES, SIZE = 4, 64
FULL = {
    "keypoints": 0.1,
    "map": 0.4,
    "feature": 1e-3,
    "logits": 1e-3,
    "forward_injection": 1e-3,
    "reverse_injection": 1e-3,
}


class Discs(Dataset[LandmarkSample]):
    """A disc a sample, its landmarks on its rim: grey, in colour, or both."""

    def __init__(self, modality: str, fail_from: int = 10**9) -> None:
        self.modality, self.fail_from = modality, fail_from

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> LandmarkSample:
        if index >= self.fail_from:
            raise KeyboardInterrupt
        rng = np.random.default_rng(index % SAMPLES)
        centre, radius = rng.uniform(25, 38, 2), rng.uniform(10, 20)
        y, x = np.mgrid[:SIZE, :SIZE]
        inside = np.hypot(x - centre[0], y - centre[1]) < radius
        grey = np.where(inside, 200, 60).astype(np.uint8)[None]
        colour = np.concatenate([grey, 255 - grey, grey // 2])
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        points = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return LandmarkSample(
            colour if self.modality == "rgb" else grey,
            points.astype(np.float32),
            np.ones(68, np.float32),
            colour if self.modality == "paired" else None,
        )


def discs(task: str, data: DataConfig, split: str) -> Discs:
    return Discs(data.modality)


def config(
    method: str, variant: str, modality: str, teacher: Path | str = "", **changes: Any
) -> RunConfig:
    where = {"pool": "made up", "samples_per_epoch": 4, "val_samples": 4, "workers": 0}
    return from_dict(
        {
            "name": method,
            "task": "landmarks",
            "variant": variant,
            "data": {**where, "modality": modality, "input_size": SIZE},
            "method": {"name": method, "sigma": 2.0},
            "weights": FULL,
            "teacher": {"checkpoint": str(teacher)},
            "optimiser": {"learning_rate": 1e-3, "warmup_steps": 1, "ema_decay": 0.5},
            "loop": {"batch": 2, "epochs": 1, "log_every": 1, "validate_every": 9},
            "hardware": {"device": "cpu", "precision": "fp32", "threads": 1},
            **changes,
        }
    )


def untrained(path: Path, variant: str = "s") -> Path:
    torch.manual_seed(5)
    model = checkpoint.build_model("landmarks", variant, SIZE)
    content = {"task": "landmarks", "variant": variant, "input_size": SIZE}
    checkpoint.save({**content, "model": model.state_dict()}, path)
    return path


def test_from_colours_to_a_small_thermal_network(tmp_path: Path) -> None:
    rgb, large, small = (tmp_path / name for name in ("rgb", "large", "small"))
    labels_alone = {"kl": 1.0, "map": 0.5}
    train.run(config("guided_landmarks", "s", "rgb", weights=labels_alone), rgb, datasets=discs)
    train.run(config("ktl", "s", "paired", rgb / "last.pt"), large, datasets=discs)
    train.run(config("mcl", "t", "thermal", large / "last.pt"), small, datasets=discs)
    model, saved = checkpoint.load_model(small / "last.pt")
    assert saved["input_size"] == SIZE
    assert saved["figures"].keys() >= {"nme_box_mean", "nme_io_mean"}
    # Beside the network, not in it: what is exported has no adapters.
    assert {name.split(".")[0] for name in saved["adapters"]} == {"to_teacher", "to_student"}
    assert saved["model"].keys() == model.state_dict().keys()
    assert not any("to_" in name for name in saved["model"])

    note = json.loads((small / "note.json").read_text())
    first, second = note["teachers"]
    assert first["sha256"] == file_sha256(rgb / "last.pt")
    assert second["sha256"] == file_sha256(large / "last.pt")
    assert [one["method"] for one in (first, second)] == ["guided_landmarks", "ktl"]
    assert [one["data"]["modality"] for one in (first, second)] == ["rgb", "paired"]
    assert note["revision"] == saved["revision"]


def test_a_resumed_run_gives_the_same_numbers_with_adapters(tmp_path: Path) -> None:
    loop = {"batch": 2, "epochs": 2, "validate_every": 9}
    settings = config("ktl", "t", "paired", untrained(tmp_path / "teacher.pt"), loop=loop)
    train.run(settings, tmp_path / "whole", datasets=discs)
    each_step = replace(settings, loop=replace(settings.loop, checkpoint_minutes=0.0))
    with pytest.raises(KeyboardInterrupt):
        train.run(
            each_step,
            tmp_path / "parts",
            datasets=lambda task, data, split: Discs(data.modality, fail_from=SAMPLES),
        )
    assert checkpoint.load(tmp_path / "parts" / "last.pt")["step"] == 2
    train.run(settings, tmp_path / "parts", resume=True, datasets=discs)
    whole, parts = (checkpoint.load(tmp_path / run / "last.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    for kind in ("model", "raw_model", "adapters"):
        assert whole[kind].keys() == parts[kind].keys()
        for name, value in whole[kind].items():
            assert torch.equal(value, parts[kind][name]), f"{kind} {name}"
    assert str(whole["figures"]) == str(parts["figures"])


def test_a_finished_run_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config("mcl", "t", "thermal", weights={"keypoints": 0.1})
    train.run(settings, tmp_path, datasets=discs)
    before = file_sha256(tmp_path / "last.pt")
    train.run(settings, tmp_path, resume=True, datasets=discs)
    assert "finished already" in capsys.readouterr().out
    assert file_sha256(tmp_path / "last.pt") == before
    other_terms = replace(settings, weights=FULL)
    with pytest.raises(ConfigError, match="need a teacher"):
        train.run(other_terms, tmp_path, resume=True, datasets=discs)
    taught = replace(
        other_terms, teacher=config("mcl", "t", "thermal", untrained(tmp_path / "t.pt")).teacher
    )
    with pytest.raises(checkpoint.CheckpointError, match="of another method or other terms"):
        train.run(taught, tmp_path, resume=True, datasets=discs)


def test_an_early_end_goes_back_to_the_best_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = {"batch": 2, "epochs": 9, "patience": 2}
    settings = config("mcl", "t", "thermal", weights={"keypoints": 0.1}, loop=loop)
    errors = [{"nme_box_mean": error} for error in (0.5, 0.4, 0.6, 0.5)]
    with mock.patch("training.train.validate", side_effect=errors):
        train.run(settings, tmp_path, datasets=discs)
    best, last = (checkpoint.load(tmp_path / name) for name in ("best.pt", "last.pt"))
    assert (best["step"], last["step"]) == (4, 8)
    assert best["figures"] == last["figures"] == {"nme_box_mean": 0.4}
    for name, value in best["model"].items():
        assert torch.equal(value, last["model"][name]), name
    assert any(not torch.equal(v, last["raw_model"][n]) for n, v in best["raw_model"].items())
    note = json.loads((tmp_path / "note.json").read_text())
    assert note["metrics"]["validation"]["nme_box_mean"] == 0.4
    train.run(settings, tmp_path, resume=True, datasets=discs)
    assert "finished already" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_train_the_same_adapters(tmp_path: Path) -> None:
    untrained(tmp_path / "teacher.pt")
    context = torch.multiprocessing.get_context("spawn")
    workers = [context.Process(target=_one_of_two, args=(rank, tmp_path)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        assert worker.exitcode == 0
    mine, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert len(mine) == 4
    assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


def _one_of_two(rank: int, folder: Path) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="29512")

    def keeping(recipe: Recipe, state: RunState, *rest: Any) -> bool:
        over = train_one_epoch(recipe, state, *rest)
        weights = [value.detach().clone() for value in state.adapters.parameters()]
        torch.save(weights, folder / f"{rank}.pt")
        return over

    settings = config("ktl", "t", "paired", folder / "teacher.pt")
    with mock.patch("training.train.train_one_epoch", keeping):
        train.run(settings, folder / "run", datasets=discs)
