"""Checkpoints: written atomically, read with `weights_only`, so that a file cannot run code.

A checkpoint is a dict of tensors and plain values:

    task, variant, input_size   which network; `load_model` builds it from these
    model           the averaged (EMA) weights: what is evaluated and exported
    raw_model, adapters, optimizer, step, minutes, rng, config, ...    what resuming needs besides
    teachers, start, revision    where the weights come from: see `training.teacher`
"""

import os
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.models import rtmdet, rtmpose

Checkpoint = dict[str, Any]


class CheckpointError(ValueError):
    """The file is no checkpoint for what it was asked for; the message says why."""


def build_model(task: str, variant: str, input_size: int = 256) -> nn.Module:
    """A fresh network for a task: rtmpose t, s, m, l or x; rtmdet nano.

    input_size: pixels a side of a landmark crop; a detector's weights fit any.
    """
    if task == "landmarks":
        return rtmpose.build(variant, input_size=(input_size, input_size))
    return rtmdet.build(variant)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write to a neighbouring file, then rename: a run killed here leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        torch.save(checkpoint, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> Checkpoint:
    """Read on to the CPU. CheckpointError if it is not there or not one of ours."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint")
    checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    missing = {"task", "variant", "model"} - set(checkpoint)
    if missing:
        raise CheckpointError(f"{path}: lacks {sorted(missing)}")
    return checkpoint


def load_model(path: Path) -> tuple[nn.Module, Checkpoint]:
    """The averaged network of a checkpoint, in eval mode, and the rest of the file."""
    checkpoint = load(path)
    # Files from before there were other sizes do not name theirs.
    size = checkpoint.setdefault("input_size", 256)
    model = build_model(checkpoint["task"], checkpoint["variant"], size)
    model.load_state_dict(checkpoint["model"])
    return model.eval(), checkpoint


def random_state() -> dict[str, Any]:
    """Torch's generators, the only ones the training process draws from."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "cuda": cuda}


def restore_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
