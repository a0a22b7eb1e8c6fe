"""Put an exported network into the model repository, or take the last step back.

    python -m training.publish model.onnx --name landmarks_t [--training-note note.json]
    python -m training.publish rollback --name landmarks_t

A version whose error on the gate set is worse than the current one's by more than the tolerance is
refused; so is an INT8 one that is more than 3 % worse than the FP32 one it was made from. Killed at
any point, it leaves the repository as it was before or as it should be after.
"""

import argparse
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx
import onnxruntime as ort

from service.card import CardError, ModelCard, file_sha256
from service.vision.verdict import VerdictLimits
from training.data.sets import model_licence
from training.gate import GATE, INT8_TOLERANCE, PROTOCOLS, TOLERANCE, gate_figures
from training.repository import (
    RepositoryError,
    add_version,
    serve_version,
    served_card,
    version_card,
    versions,
)
from training.revision import source_revision
from training.served import CALIBRATION, onnx_network
from training.triton_config import config_text

REPOSITORY: Final = Path("model_repository")
_LANDMARKS: Final = re.compile(r"landmarks_(?P<variant>[tsmlx])(?P<int8>_int8)?")
_DETECTOR: Final = re.compile(r"face_detector(?:_(?P<side>640))?(?P<int8>_int8)?")
# What a network must take and give, without the batch axis.
_CONTRACTS: Final[dict[str, dict[str, tuple[int, ...]]]] = {
    "landmarks": {
        "image": (1, 256, 256),
        "keypoints": (68, 4),
        "simcc_x": (68, 512),
        "simcc_y": (68, 512),
    },
    "detector": {"image": (1, 320, 320), "boxes": (100, 4), "scores": (100,)},
}


class Refused(RuntimeError):
    """The network is not published; the message says why."""


def publish(
    weights: Path,
    name: str,
    repository: Path = REPOSITORY,
    note: Mapping[str, Any] | None = None,
    gate: Path = GATE,
) -> ModelCard:
    """Serve `weights` as the next version of `name`. Refused, or RepositoryError: nothing changed.

    note: how the network was trained, for its card; the figures under `metrics` go to the card's.
    """
    task, variant, precision = _kind(name)
    contract = _contract(name, task)
    _check_contract(weights, contract)
    folder = repository / name
    figures = _pass_gate(weights, task, folder, gate)
    note = dict(note or {})
    if precision == "int8":
        figures |= _compare_with_source(figures["error"], note, task, folder, gate)
    licence = _licence(folder, precision, note)
    calibration = _calibration(weights, task)
    metrics = {
        "gate": {"protocol": PROTOCOLS[task], **_plain(figures)},
        **calibration["figures"],
        **note.pop("metrics", {}),
    }
    version = max(versions(folder), default=0) + 1
    card = ModelCard(
        name=name,
        task=task,
        variant=variant,
        precision=precision,
        schema="ibug68" if task == "landmarks" else None,
        input_size=contract["image"][1:],  # type: ignore[arg-type]
        version=version,
        files={f"{version}/model.onnx": file_sha256(weights)},
        metrics=metrics,
        training=note,
        revision=source_revision(),
        licence=licence,
        verdict=VerdictLimits(**calibration["verdict"]) if calibration["verdict"] else None,
    )
    add_version(folder, weights, card, _config(card))
    return card


def _licence(folder: Path, precision: str, note: Mapping[str, Any]) -> str:
    """By the data behind the network; that of the served one which an INT8 one was made from."""
    source = served_card(folder.parent / folder.name.removesuffix("_int8"))
    return source.licence if precision == "int8" and source else model_licence(note)


def rollback(name: str, repository: Path = REPOSITORY) -> ModelCard:
    """Serve the version before the current one; both folders stay, so numbers are not reused."""
    folder = repository / name
    current = served_card(folder)
    if current is None:
        raise Refused(f"{name}: nothing is published")
    earlier = [version for version in versions(folder) if version < current.version]
    if not earlier:
        raise Refused(f"{name}: no version before {current.version}")
    card = version_card(folder, earlier[-1])
    serve_version(folder, card, _config(card))
    return card


def _contract(name: str, task: str) -> dict[str, tuple[int, ...]]:
    contract = dict(_CONTRACTS[task])
    if (match := _DETECTOR.fullmatch(name)) and match["side"]:
        contract["image"] = (1, int(match["side"]), int(match["side"]))
    return contract


def _config(card: ModelCard) -> str:
    contract = _contract(card.name, card.task)
    return config_text(card.name, card.task, card.version, contract.pop("image"), contract)


def _kind(name: str) -> tuple[str, str, str]:
    """Task, variant and precision that a model's name stands for."""
    if match := _LANDMARKS.fullmatch(name):
        return "landmarks", match["variant"], "int8" if match["int8"] else "fp32"
    if match := _DETECTOR.fullmatch(name):
        return "detector", "nano", "int8" if match["int8"] else "fp32"
    raise Refused(
        f"{name!r} is neither face_detector[_640][_int8] nor landmarks_<t|s|m|l|x>[_int8]"
    )


def _check_contract(weights: Path, contract: Mapping[str, tuple[int, ...]]) -> None:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
    found = {spec.name: tuple(spec.shape[1:]) for spec in session.get_inputs()}
    found |= {spec.name: tuple(spec.shape[1:]) for spec in session.get_outputs()}
    if found != contract:
        raise Refused(f"{weights.name}: takes and gives {found}, not {contract}")


def _calibration(weights: Path, task: str) -> dict[str, Any]:
    """What `training.export` noted in the file: `figures`, and the limits of the `verdict`."""
    notes = {entry.key: entry.value for entry in onnx.load(weights).metadata_props}
    if CALIBRATION in notes:
        return dict(json.loads(notes[CALIBRATION]))
    uncalibrated = {"sigma": {"protocol": "uncalibrated: the distribution's own deviation"}}
    return {"figures": uncalibrated if task == "landmarks" else {}, "verdict": None}


def _pass_gate(weights: Path, task: str, folder: Path, gate: Path) -> dict[str, float]:
    """Figures of the new network. The current one is measured again: the set may have changed."""
    figures = gate_figures(task, onnx_network(weights), gate)
    if not math.isfinite(figures["error"]):
        raise Refused(f"{folder.name}: its error on the gate set is {figures['error']}")
    current = served_card(folder)
    if current is not None:
        path = folder / str(current.version) / "model.onnx"
        before = gate_figures(task, onnx_network(path), gate)["error"]
        if figures["error"] > before + TOLERANCE[task]:
            raise Refused(
                f"{folder.name}: error {figures['error']:.4f} on the gate set, version "
                f"{current.version} has {before:.4f}; at most {TOLERANCE[task]} worse is allowed"
            )
    return figures


def _compare_with_source(
    error: float, note: Mapping[str, Any], task: str, folder: Path, gate: Path
) -> dict[str, float]:
    """`error_fp32` of the served network that an INT8 one was made from. Refused if much better."""
    name = folder.name.removesuffix("_int8")
    source = served_card(folder.parent / name)
    if source is None:
        raise Refused(f"{folder.name}: publish {name} first; INT8 is held against it")
    path = f"{source.version}/model.onnx"
    if note.get("quantised_from") != source.files[path]:
        raise Refused(f"{folder.name}: the note does not say that it was made from {name}'s {path}")
    before = gate_figures(task, onnx_network(folder.parent / name / path), gate)["error"]
    if error > before * (1 + INT8_TOLERANCE):
        raise Refused(
            f"{folder.name}: error {error:.4f} on the gate set, {name} has {before:.4f}; "
            f"at most {INT8_TOLERANCE:.0%} worse is allowed"
        )
    return {"error_fp32": before}


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Rounded; what is not a number becomes null, which JSON has."""
    return {k: round(float(v), 5) if math.isfinite(v) else None for k, v in figures.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="the ONNX file, or the word rollback")
    parser.add_argument("--name", required=True, help="face_detector, landmarks_t, ...")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--training-note", type=Path, help="JSON object for the card")
    parser.add_argument("--gate", type=Path, default=GATE, help="folder of the gate sets")
    options = parser.parse_args(arguments)
    try:
        if options.model == "rollback":
            card = rollback(options.name, options.repository)
        else:
            note = json.loads(options.training_note.read_text()) if options.training_note else {}
            weights = Path(options.model)
            card = publish(weights, options.name, options.repository, note, options.gate)
    except (Refused, RepositoryError, CardError) as error:
        raise SystemExit(f"not published: {error}") from None
    measured = card.metrics["gate"]["error"]
    print(f"{card.name}: version {card.version} is served; error on the gate set {measured}")


if __name__ == "__main__":
    main()
