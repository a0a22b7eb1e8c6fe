"""Whole runs, a few steps long, on a few made-up samples."""

import json
import os
from collections.abc import Callable
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
from training.config import ConfigError, DataConfig, RunConfig, StartConfig, from_dict
from training.data.sample import DetectorSample, LandmarkSample
from training.engine import Recipe, RunState, train_one_epoch

SAMPLES = 4


class Blobs(Dataset[Any]):
    """A bright disc a sample; its 68 landmarks lie on its rim, and its box around it."""

    def __init__(self, task: str, fail_from: int = 10**9) -> None:
        self.task, self.fail_from = task, fail_from

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> LandmarkSample | DetectorSample:
        if index >= self.fail_from:
            raise KeyboardInterrupt
        rng = np.random.default_rng(index % SAMPLES)
        size = 256 if self.task == "landmarks" else 320
        centre, radius = rng.uniform(100, 150, 2), rng.uniform(40, 80)
        y, x = np.mgrid[:size, :size]
        image = np.where(np.hypot(x - centre[0], y - centre[1]) < radius, 200, 60)
        picture = image[None].astype(np.uint8)
        if self.task == "detector":
            box = np.concatenate([centre - radius, centre + radius])[None].astype(np.float32)
            return DetectorSample(picture, box, np.zeros(1, np.float32))
        angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
        points = centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return LandmarkSample(picture, points.astype(np.float32), np.ones(68, np.float32))


def blobs(fail_from: int = 10**9) -> Callable[[str, DataConfig, str], Blobs]:
    return lambda task, data, split: Blobs(task, fail_from if split == "train" else 10**9)


def config(task: str, epochs: int, **loop: Any) -> RunConfig:
    landmarks = task == "landmarks"
    return from_dict(
        {
            "name": "tiny",
            "task": task,
            "variant": "t" if landmarks else "nano",
            "data": {"pool": "", "samples_per_epoch": 4, "val_samples": SAMPLES, "workers": 0},
            "method": {"name": f"supervised_{task}"},
            "weights": {"kl": 1.0} if landmarks else {"classification": 1.0, "box": 2.0},
            "optimiser": {"learning_rate": 1e-3, "warmup_steps": 1, "ema_decay": 0.5},
            "loop": {"batch": 2, "epochs": epochs, "log_every": 2, **loop},
            "hardware": {"device": "cpu", "precision": "fp32", "threads": 1},
        }
    )


def test_the_loss_goes_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config("landmarks", epochs=4, validate_every=9)
    train.run(settings, tmp_path, datasets=blobs())
    lines = [line for line in capsys.readouterr().out.splitlines() if "  loss " in line]
    losses = [float(line.split("  loss ")[1].split()[0]) for line in lines]
    assert losses[-1] < losses[0]
    model, saved = checkpoint.load_model(tmp_path / "last.pt")
    assert saved["step"] == 8
    assert saved["figures"].keys() >= {"nme_box_mean", "nme_io_mean"}
    assert from_dict(saved["config"]) == settings
    assert (tmp_path / "note.json").is_file()
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_a_resumed_run_gives_the_same_numbers(tmp_path: Path) -> None:
    settings = config("detector", epochs=2, validate_every=9)
    train.run(settings, tmp_path / "whole", datasets=blobs())
    each_step = replace(settings, loop=replace(settings.loop, checkpoint_minutes=0.0))
    with pytest.raises(KeyboardInterrupt):
        train.run(each_step, tmp_path / "parts", datasets=blobs(fail_from=SAMPLES))
    assert checkpoint.load(tmp_path / "parts" / "last.pt")["step"] == 2
    train.run(settings, tmp_path / "parts", resume=True, datasets=blobs())

    whole, parts = (checkpoint.load(tmp_path / run / "last.pt") for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    for kind in ("model", "raw_model"):
        for name, value in whole[kind].items():
            assert torch.equal(value, parts[kind][name]), f"{kind} {name}"
    assert whole["figures"].keys() >= {"ap", "recall", "precision"}
    assert str(whole["figures"]) == str(parts["figures"])


def test_a_run_starts_from_another_ones_weights(tmp_path: Path) -> None:
    model = checkpoint.build_model("detector", "nano")
    path = tmp_path / "other.pt"
    checkpoint.save({"task": "detector", "variant": "nano", "model": model.state_dict()}, path)
    # No time at all: what is saved is what the run started from.
    settings = replace(
        config("detector", epochs=1, max_minutes=1e-9), start=StartConfig(checkpoint=str(path))
    )
    train.run(settings, tmp_path / "run", datasets=blobs())
    note = json.loads((tmp_path / "run" / "note.json").read_text())
    entry = {"file": "other.pt", "sha256": file_sha256(path), "variant": "nano"}
    assert note["start"] == [entry]
    started = checkpoint.load(tmp_path / "run" / "last.pt")
    assert started["start"] == [entry]
    assert started["step"] == 0
    for name, value in model.state_dict().items():
        assert torch.equal(value, started["model"][name]), name


def test_mistakes_end_the_run_by_name(tmp_path: Path) -> None:
    settings = config("detector", epochs=1)
    wrong = replace(settings, method=replace(settings.method, name="guesswork"))
    with pytest.raises(ConfigError, match=r"method\.name: 'guesswork'"):
        train.run(wrong, tmp_path, datasets=blobs())
    with pytest.raises(SystemExit, match="no such checkpoint"):
        file = Path("training/configs/detector_nano.toml")
        train.main([str(file), "--set", "name=never", "--init", str(tmp_path / "none.pt")])
    with pytest.raises(SystemExit, match=r"loop\.bacth"):
        train.main([str(file), "--set", "loop.bacth=1"])


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """Gradients are averaged: both processes end with the same weights."""
    context = torch.multiprocessing.get_context("spawn")
    workers = [context.Process(target=_one_of_two, args=(rank, tmp_path)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(100)
        assert worker.exitcode == 0
    assert checkpoint.load(tmp_path / "run" / "last.pt")["step"] == 2
    mine, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))


def _one_of_two(rank: int, folder: Path) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="29511")

    def keeping(recipe: Recipe, state: RunState, *rest: Any) -> bool:
        over = train_one_epoch(recipe, state, *rest)
        weights = [value.detach().clone() for value in state.student.parameters()]
        torch.save(weights, folder / f"{rank}.pt")
        return over

    with mock.patch("training.train.train_one_epoch", keeping):
        train.run(config("detector", epochs=2), folder / "run", datasets=blobs())
