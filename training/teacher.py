"""The network that a student learns from, and where a network comes from.

A network's lineage is the list of the networks that it has learnt from or started from, and those
before them, the first one first. Checkpoints and notes keep it as `teachers` and `start`, and so it
reaches the published card, whatever became of the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from service.card import CardError, file_sha256, parse_card
from training import checkpoint
from training.config import ConfigError, RunConfig
from training.data.sets import OWN_LICENCE, UNKNOWN_LICENCE, hides_start, lineage
from training.distill import DISTILLATION
from training.warm_start import read_network

Lineage = list[dict[str, Any]]


@dataclass(frozen=True)
class Teacher:
    """network: frozen, in eval mode. lineage: see `lineage_of`."""

    network: nn.Module
    lineage: Lineage


def load_teacher(config: RunConfig) -> Teacher | None:
    """The teacher that a run names, if it names one.

    Raises ConfigError when it cannot be one for this run, CheckpointError when it cannot be read.
    """
    if not config.teacher.checkpoint:
        return None
    path = Path(config.teacher.checkpoint)
    try:
        record = _record(path)
        _check(config, path, record)
        network, (_, variant) = read_network(path, config.task)
    except checkpoint.CheckpointError as error:
        raise checkpoint.CheckpointError(f"teacher.checkpoint: {error}") from None
    *earlier, own = _lineage(path, record)
    own["variant"] = variant
    return Teacher(network.eval().requires_grad_(False), [*earlier, own])


def lineage_of(path: Path) -> Lineage:
    """What a network comes from, and it, last; each with the SHA-256 of its file, and of its
    training what is known. CheckpointError when it cannot be read."""
    return _lineage(path, _record(path))


def _lineage(path: Path, record: Mapping[str, Any]) -> Lineage:
    entry = {"file": path.name, "sha256": file_sha256(path), **_facts(record)}
    return [*map(dict, lineage(record)), entry]


def _record(path: Path) -> Mapping[str, Any]:
    """What is known of a network's training: its checkpoint, or a published model's card."""
    if path.suffix != ".onnx":
        return checkpoint.load(path)
    try:
        card = parse_card(path.with_name("card.json").read_text(encoding="utf-8"))
    except (OSError, CardError):
        return {}  # exported, not published
    if file_sha256(path) not in card.files.values():
        return {}
    return {
        **card.training,
        "task": card.task,
        "variant": card.variant,
        "input_size": card.input_size[0],
        "revision": card.revision,
        "licence": card.licence,
    }


def _facts(record: Mapping[str, Any]) -> dict[str, Any]:
    config = record.get("config", {})
    kept = ("variant", "input_size", "steps", "revision", "licence")
    facts = {key: record[key] for key in kept if key in record}
    if hides_start(record) and facts.get("licence", OWN_LICENCE) == OWN_LICENCE:
        facts["licence"] = UNKNOWN_LICENCE
    if "step" in record:
        facts["steps"] = record["step"]
    if config:
        facts |= {
            "name": config["name"],
            "method": config["method"]["name"],
            "weights": config["weights"],
            "data": _data(config["data"]),
        }
    return facts


def _data(data: Mapping[str, Any]) -> dict[str, Any]:
    source = {"sets": data["sets"]} if data.get("sets") else {"pool": data["pool"]}
    return {**source, "modality": _modality(data)}


def _modality(data: Mapping[str, Any]) -> str:
    return str(data.get("modality", "thermal"))  # runs from before there were others


def _check(config: RunConfig, path: Path, record: Mapping[str, Any]) -> None:
    """A teacher does the student's task, and sees what it was trained on, where that is known."""
    task = record.get("task", config.task)
    if task != config.task:
        raise ConfigError(f"teacher.checkpoint: {path} is for {task}, this run for {config.task}")
    name, mine = config.method.name, config.data.modality
    if name not in DISTILLATION:
        return
    if name == "ktl" and mine != "paired":
        raise ConfigError(
            f"data.modality: ktl needs 'paired', its teacher sees colours; got {mine}"
        )
    trained_on = _modality(record["config"]["data"]) if "config" in record else ""
    wants_colour = name == "ktl" or mine == "rgb"
    if trained_on and (trained_on == "rgb") != wants_colour:
        sees = "colour" if wants_colour else "thermal"
        raise ConfigError(
            f"teacher.checkpoint: {path} was trained on {trained_on} crops; {name} on {mine} data "
            f"shows its teacher {sees} ones"
        )
