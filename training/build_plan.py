"""TensorRT plans for the GPU of this machine, from the published FP32 networks.

    python -m training.build_plan landmarks_t_trt_fp16 [landmarks_t_trt_int8 ...]
    python -m training.build_plan --missing          all that can be built and are not there yet
    python -m training.build_plan landmarks_t_trt_fp16 --check    no GPU: the graph alone

A plan fits one type of GPU and one major version of TensorRT: build it where it will run, in the
image of docker/plans.Dockerfile. The precision is written into the ONNX graph first, and the error
on the gate set is measured twice: of that graph on the CPU, with FP16 rounded as such, and of the
plan on the GPU. Above FP32's by more than 1 % (FP16) or 3 % (INT8), nothing is published. INT8
takes its ranges from the published landmarks_*_int8. Plans for other types of GPU stay beside it.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import ModelProto

from service.card import CardError, ModelCard, file_sha256
from training.contract import Contract, Refused, contract_of
from training.gate import GATE, INT8_TOLERANCE, PROTOCOLS, gate_figures
from training.plan_graph import NotAnnotated, insert_int8, ranges_of, rounded, to_fp16
from training.publish import REPOSITORY, add, next_version, plain
from training.repository import RepositoryError, locked, served_card
from training.revision import source_revision
from training.served import onnx_network, published
from training.tensorrt_engine import Engine, EngineUnavailable, Target, TensorRT
from training.triton_config import PROFILES, plan_file

TOLERANCE: Final = {"fp16": 0.01, "int8": INT8_TOLERANCE}  # of FP32's error


def plan_graph(
    contract: Contract, repository: Path, gate: Path
) -> tuple[ModelProto, dict[str, Any]]:
    """The graph to build from, and what its card will say: where it comes from, what it reached.

    Refused when it does not reach FP32's error within the tolerance.
    """
    path, source = published(repository, contract.source)
    graph = onnx.load(path)
    note: dict[str, Any] = {"made_from": source.files[f"{source.version}/model.onnx"]}
    if contract.precision == "int8":
        graph, note["ranges_from"] = _with_int8(graph, contract, note["made_from"], repository)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rounded.onnx")
        onnx.save(rounded(graph), file)
        error = gate_figures(contract.task, onnx_network(file), gate)["error"]
    before = gate_figures(contract.task, onnx_network(path), gate)["error"]
    _check_error(error, before, contract, "the graph, on the CPU")
    return to_fp16(graph), {**note, "error_fp32": before, "error_graph": error}


def _with_int8(
    graph: ModelProto, contract: Contract, made_from: str, repository: Path
) -> tuple[ModelProto, str]:
    """The graph quantised with the ranges of the published INT8 network, and its SHA-256."""
    name = f"{contract.source}_int8"
    if served_card(repository / name) is None:
        raise Refused(f"{name} is not published: INT8 plans take its ranges")
    path, card = published(repository, name)
    if card.training.get("quantised_from") != made_from:
        raise Refused(f"{name} was not made from the {contract.source} that is served")
    kept = [entry["layer"] for entry in card.training.get("layers_in_fp32", [])]
    return insert_int8(graph, ranges_of(onnx.load(path)), kept), file_sha256(path)


def _check_error(error: float, before: float, contract: Contract, what: str) -> None:
    limit = TOLERANCE[contract.precision]
    if not error <= before * (1 + limit):  # not a number is refused, too
        raise Refused(
            f"{what}: error {error:.4f} on the gate set, {contract.source} has {before:.4f}; "
            f"at most {limit:.0%} worse is allowed"
        )


def build(name: str, repository: Path, engine: Engine, gate: Path = GATE) -> ModelCard:
    """Build, measure and publish one plan. Refused, or EngineUnavailable: nothing changed."""
    contract = _trt_contract(name)
    folder = repository / name
    with locked(repository), tempfile.TemporaryDirectory() as scratch:
        version, replaces = next_version(folder)
        graph, note = plan_graph(contract, repository, gate)
        figures = {key: note.pop(key) for key in ("error_fp32", "error_graph")}
        target = engine.target()
        plan = Path(scratch, plan_file(target.capability))
        plan.write_bytes(engine.build(graph.SerializeToString(), contract.input))
        figures |= _measure(engine, plan, contract, gate)
        _check_error(figures["error"], figures["error_fp32"], contract, f"the plan, {target.gpu}")
        plans = {plan: asdict(target), **_others(folder, note, target)}
        card = replace(
            published(repository, contract.source)[1],
            name=name,
            precision=contract.precision,
            version=version,
            files={f"{version}/{file.name}": file_sha256(file) for file in plans},
            training={**note, **_provenance(plans.values())},
            revision=source_revision(),
            replaces=replaces,
            canary=None,
        )
        told = {"protocol": PROTOCOLS[contract.task], "gpu": target.gpu, **plain(figures)}
        card = replace(card, metrics={**card.metrics, "gate": told})
        add(folder, {file.name: file for file in plans}, card)
    return card


def _provenance(targets: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """What the plans fit, by compute capability, and what nobody has measured of them."""
    return {
        "targets": {target["capability"]: dict(target) for target in targets},
        "not_measured": ["speed", "agreement under Triton"],
    }


def _trt_contract(name: str) -> Contract:
    contract = contract_of(name)
    if not contract.tensorrt:
        raise Refused(f"{name}: not a TensorRT plan; see `python -m training.publish`")
    return contract


def _measure(engine: Engine, plan: Path, contract: Contract, gate: Path) -> dict[str, float]:
    """The worst of all profiles: batch sizes have broken networks before."""
    measured = [
        gate_figures(contract.task, engine.network(plan, largest), gate)
        for _, _, largest in PROFILES.values()
    ]
    return max(measured, key=lambda f: f["error"] if math.isfinite(f["error"]) else math.inf)


def _others(folder: Path, note: Mapping[str, Any], target: Target) -> dict[Path, dict[str, str]]:
    """Intact plans for other GPUs, of the same weights and the same TensorRT, and their targets."""
    served = served_card(folder)
    if served is None or any(served.training.get(key) != note[key] for key in note):
        return {}
    found = {}
    for capability, other in served.training["targets"].items():
        file = f"{served.version}/{plan_file(capability)}"
        same = capability != target.capability and other["tensorrt"] == target.tensorrt
        if same and file_sha256(folder / file) == served.files[file]:
            found[folder / file] = other
    return found


def missing(repository: Path, target: Target) -> list[str]:
    """Names of the plans that this GPU lacks: absent, of other weights or ranges, or of another
    TensorRT."""
    names = []
    for file in sorted(repository.glob("landmarks_?/card.json")):
        for name, origin in _origins(repository, file.parent.name).items():
            card = served_card(repository / name)
            told = card.training["targets"].get(target.capability) if card else None
            fits = card and all(card.training.get(key) == origin[key] for key in origin)
            if not fits or not told or told["tensorrt"] != target.tensorrt:
                names.append(name)
    return names


def _origins(repository: Path, source: str) -> dict[str, dict[str, str]]:
    """By plan that can be built, the SHA-256 of the published networks that it is built from."""
    made_from = {"made_from": _digest(repository, source)}
    plans = {f"{source}_trt_fp16": made_from}
    int8 = f"{source}_int8"
    if (repository / int8 / "card.json").is_file():
        plans[f"{source}_trt_int8"] = {**made_from, "ranges_from": _digest(repository, int8)}
    return plans


def _digest(repository: Path, name: str) -> str:
    card = published(repository, name)[1]
    return card.files[f"{card.version}/model.onnx"]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.build_plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="landmarks_t_trt_fp16, landmarks_t_trt_int8, ...")
    parser.add_argument("--missing", action="store_true", help="all that are not there yet")
    parser.add_argument("--check", action="store_true", help="only the graph, on the CPU")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    parser.add_argument("--gate", type=Path, default=GATE, help="folder of the gate sets")
    options = parser.parse_args(arguments)
    if bool(options.names) == options.missing or (options.check and options.missing):
        parser.error("name the plans, or say --missing")
    failed = False
    try:
        engine = None if options.check else TensorRT()
        names = options.names
        if engine and options.missing:
            names = missing(options.repository, engine.target())
    except (EngineUnavailable, CardError) as error:
        raise SystemExit(f"no plan is built: {error}") from None
    for name in names:
        try:
            print(_one(name, options.repository, engine, options.gate), flush=True)
        except (Refused, NotAnnotated, EngineUnavailable, RepositoryError, CardError, OSError) as e:
            failed = True
            print(f"{name}: not published: {e}", file=sys.stderr, flush=True)
    if not names:
        print("every plan for this GPU is there")
    if failed:
        raise SystemExit(1)


def _one(name: str, repository: Path, engine: Engine | None, gate: Path) -> str:
    if engine is None:
        _, note = plan_graph(_trt_contract(name), repository, gate)
        return (
            f"{name}: error of the graph on the gate set {note['error_graph']:.5f}, "
            f"FP32 {note['error_fp32']:.5f}; no plan was built"
        )
    card = build(name, repository, engine, gate)
    figures = card.metrics["gate"]
    return (
        f"{name}: version {card.version} is published for {figures['gpu']}; error on the gate set "
        f"{figures['error']}, FP32 {figures['error_fp32']}"
    )


if __name__ == "__main__":
    main()
