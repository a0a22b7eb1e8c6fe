"""Put an exported network into the model repository, on trial or for all; take it back.

    python -m training.publish model.onnx --name landmarks_t [--training-note note.json]
    python -m training.publish model.onnx --name landmarks_t --canary 5
    python -m training.publish promote --name landmarks_t
    python -m training.publish rollback --name landmarks_t

--canary 5: the new version gets 5 % of the requests, the current one the others, until `promote`
makes the canary the one that serves, or `rollback` ends the trial. Without a canary, `rollback`
serves the version that was served before; two of those are kept.

A version whose error on the gate set is worse than the current one's by more than the tolerance is
refused; so is an INT8 one that is more than 3 % worse than the FP32 one it was made from. One
publisher works at a time. Killed at any point, it leaves the repository as it was before or as it
should be after. A running gateway takes the change over by itself.
"""

import argparse
import json
import math
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from service.card import Canary, CardError, ModelCard, file_sha256
from service.vision.verdict import VerdictLimits
from training.contract import Contract, Refused, check_network, config_of, contract_of
from training.data.sets import model_licence
from training.gate import GATE, INT8_TOLERANCE, PROTOCOLS, TOLERANCE, gate_figures
from training.release import promote, rollback
from training.repository import RepositoryError, add_version, locked, served_card, versions
from training.revision import source_revision
from training.served import calibration_note, face_score, onnx_network, published

REPOSITORY: Final = Path("model_repository")
_FOLDERS: Final = re.compile(r"(^|=)/([^,]*/)?")  # of a path, alone or as in NAME=DIR,OPTION=VALUE


def publish(
    weights: Path,
    name: str,
    repository: Path = REPOSITORY,
    note: Mapping[str, Any] | None = None,
    gate: Path = GATE,
    *,
    canary: int | None = None,
) -> ModelCard:
    """Serve `weights` as the next version of `name`. Refused, or RepositoryError: nothing changed.

    note: how the network was trained, for its card; the figures under `metrics` go to the card's.
    canary: the share of the requests that gets the new version, in percent; None for all of them.
    """
    contract = contract_of(name)
    if contract.tensorrt:
        raise Refused(f"{name}: TensorRT plans are published by `python -m training.build_plan`")
    with tempfile.TemporaryDirectory() as scratch:
        # What is judged is what is published, whatever becomes of the file meanwhile.
        judged = Path(shutil.copyfile(weights, Path(scratch, weights.name)))
        check_network(judged, contract)
        repository.mkdir(parents=True, exist_ok=True)
        with locked(repository):
            card = _judged(judged, contract, repository / name, dict(note or {}), gate)
            add(repository / name, {"model.onnx": judged}, card, canary)
    return card


def add(
    folder: Path, weights: Mapping[str, Path], card: ModelCard, canary: int | None = None
) -> None:
    """Add a version that has passed its gate; see `publish`. The repository must be locked."""
    served = card
    if canary is not None:
        current = served_card(folder)
        if current is None:
            raise Refused(f"{folder.name}: nothing is served yet that a canary could stand beside")
        served = replace(current, canary=Canary(card.version, canary))
    add_version(folder, weights, card, served, config_of(served))


def next_version(folder: Path) -> tuple[int, int | None]:
    """The number of the next version and the version that it will replace, if there is one.

    Refused while there is a canary: two changes at once could not be told apart.
    """
    current = served_card(folder)
    if current is not None and current.canary is not None:
        raise Refused(
            f"{folder.name}: version {current.canary.version} is a canary for "
            f"{current.canary.percent} % of the requests: `promote` it or `rollback` first"
        )
    return max(versions(folder), default=0) + 1, current.version if current else None


def _judged(
    weights: Path, contract: Contract, folder: Path, note: dict[str, Any], gate: Path
) -> ModelCard:
    """The card of a network that has passed the gate."""
    version, replaces = next_version(folder)
    figures = _pass_gate(weights, contract.task, folder, gate)
    if contract.precision == "int8":
        figures |= _compare_with_source(figures["error"], note, contract, folder, gate)
    calibration = _calibration(weights, contract.task)
    return ModelCard(
        name=folder.name,
        task=contract.task,
        variant=contract.variant,
        precision=contract.precision,
        schema="ibug68" if contract.task == "landmarks" else None,
        input_size=contract.input[1:],  # type: ignore[arg-type]
        version=version,
        files={f"{version}/model.onnx": file_sha256(weights)},
        metrics={
            "gate": {"protocol": PROTOCOLS[contract.task], **plain(figures)},
            **calibration["figures"],
            **note.pop("metrics", {}),
        },
        training=_without_folders(note),
        revision=source_revision(),
        licence=_licence(folder, contract, note),
        verdict=VerdictLimits(**calibration["verdict"]) if calibration["verdict"] else None,
        face_score=face_score(calibration),
        replaces=replaces,
    )


def _without_folders(note: Any) -> Any:
    """The note with the names of files alone: a card is read where its publisher's folders are not,
    and the lineage has the SHA-256 of what was started from."""
    if isinstance(note, Mapping):
        return {key: _without_folders(value) for key, value in note.items()}
    if isinstance(note, list | tuple):
        return [_without_folders(value) for value in note]
    return _FOLDERS.sub(r"\1", note) if isinstance(note, str) else note


def _licence(folder: Path, contract: Contract, note: Mapping[str, Any]) -> str:
    """By the data behind the network; that of the served one which an INT8 one was made from."""
    source = served_card(folder.parent / contract.source)
    return source.licence if contract.precision == "int8" and source else model_licence(note)


def _calibration(weights: Path, task: str) -> dict[str, Any]:
    """What `training.export` noted in the file: `figures`, the limits of the `verdict`, and the
    weights of the `face_score`."""
    if note := calibration_note(weights):
        return note
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
    error: float, note: Mapping[str, Any], contract: Contract, folder: Path, gate: Path
) -> dict[str, float]:
    """`error_fp32` of the served network that an INT8 one was made from. Refused if much better."""
    name = contract.source
    if served_card(folder.parent / name) is None:
        raise Refused(f"{folder.name}: publish {name} first; INT8 is held against it")
    path, source = published(folder.parent, name)
    file = f"{source.version}/model.onnx"
    if note.get("quantised_from") != source.files[file]:
        raise Refused(f"{folder.name}: the note does not say that it was made from {name}'s {file}")
    before = gate_figures(contract.task, onnx_network(path), gate)["error"]
    if error > before * (1 + INT8_TOLERANCE):
        raise Refused(
            f"{folder.name}: error {error:.4f} on the gate set, {name} has {before:.4f}; "
            f"at most {INT8_TOLERANCE:.0%} worse is allowed"
        )
    return {"error_fp32": before}


def plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Rounded; what is not a number becomes null, which JSON has."""
    return {k: round(float(v), 5) if math.isfinite(v) else None for k, v in figures.items()}


def _told(card: ModelCard, canary: int | None) -> str:
    measured = f"error on the gate set {card.metrics['gate']['error']}"
    if canary is not None:
        return (
            f"{card.name}: version {card.version} is a canary for {canary} % of the requests, "
            f"version {card.replaces} serves the others; {measured}"
        )
    return f"{card.name}: version {card.version} is served; {measured}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="the ONNX file, or the word promote or rollback")
    parser.add_argument("--name", required=True, help="face_detector, landmarks_t, ...")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--training-note", type=Path, help="JSON object for the card")
    parser.add_argument("--gate", type=Path, default=GATE, help="folder of the gate sets")
    parser.add_argument(
        "--canary", type=int, metavar="PERCENT", help="share of the requests, 1 to 99"
    )
    options = parser.parse_args(arguments)
    steps = {"promote": promote, "rollback": rollback}
    try:
        if options.model in steps:
            card = steps[options.model](options.name, options.repository)
        else:
            note = json.loads(options.training_note.read_text()) if options.training_note else {}
            card = publish(
                Path(options.model),
                options.name,
                options.repository,
                note,
                options.gate,
                canary=options.canary,
            )
    except (Refused, RepositoryError, CardError) as error:
        what = options.model if options.model in steps else "publish"
        raise SystemExit(f"{what}: nothing changed: {error}") from None
    print(_told(card, options.canary))


if __name__ == "__main__":
    main()
