"""The networks that are evaluated, each with what tells it from another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import onnx

from service.card import file_sha256
from service.vision.crop import DETECTOR_INPUT, LANDMARK_INPUT
from service.vision.face_score import FaceScore
from training.served import FINER, Network, calibration_note, face_score, open_network, published

_CHECKPOINT_SIDES: Final = {"landmarks": LANDMARK_INPUT, "detector": DETECTOR_INPUT}


class NoPairs(ValueError):
    """So many detectors and so many landmark networks do not go together."""


@dataclass(frozen=True)
class Candidate:
    """task: `landmarks` or `detector`. label: names it in tables and plots, unlike any other.
    side: of its square input, pixels. weights: of the score of a face, if calibrated. finer: what a
    repository has beside a detector, for larger inputs; they look at frames together."""

    task: str
    label: str
    path: Path
    sha256: str
    network: Network
    side: int
    weights: FaceScore | None = None
    finer: tuple["Candidate", ...] = ()

    @property
    def looks(self) -> dict[int, Network]:
        """Networks by the side of their input, the smallest first."""
        return {one.side: one.network for one in (self, *self.finer)}


@dataclass(frozen=True)
class System:
    """A detector and the landmark network behind it, as they would serve together."""

    detector: Candidate
    landmarks: Candidate

    @property
    def label(self) -> str:
        return f"{self.detector.label} + {self.landmarks.label}"


def published_candidate(repository: Path, name: str, task: str) -> Candidate:
    """What a model repository serves under `name`."""
    path, card = published(repository, name)
    candidate = _candidate(task, f"{name} v{card.version}", path)
    if task == "detector" and (repository / f"{name}{FINER}").is_dir():
        path, _ = published(repository, f"{name}{FINER}")
        candidate = replace(candidate, finer=(_candidate(task, candidate.label + FINER, path),))
    return candidate


def file_candidate(task: str, path: Path) -> Candidate:
    """A checkpoint or an ONNX file; one in a version's folder is called as if published."""
    folder = path.parent
    if folder.name.isdigit():
        return _candidate(task, f"{folder.parent.name} v{folder.name}", path)
    return _candidate(task, f"{folder.name}/{path.name}", path)


def _candidate(task: str, label: str, path: Path) -> Candidate:
    network = open_network(path, task)
    side = _onnx_side(path) if path.suffix == ".onnx" else _CHECKPOINT_SIDES[task]
    weights = face_score(calibration_note(path))
    return Candidate(task, label, path, file_sha256(path), network, side, weights)


def _onnx_side(path: Path) -> int:
    """The last axis of the input; there are detectors of several sizes."""
    graph = onnx.load(path, load_external_data=False).graph
    return int(graph.input[0].type.tensor_type.shape.dim[-1].dim_value)


def distinct(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Without those of the same weights; equal labels get a few digits of their hash."""
    by_hash: dict[str, Candidate] = {}
    for candidate in candidates:
        by_hash.setdefault(candidate.sha256, candidate)
    labels = [candidate.label for candidate in by_hash.values()]
    return [
        replace(c, label=f"{c.label} {c.sha256[:6]}") if labels.count(c.label) > 1 else c
        for c in by_hash.values()
    ]


def pair(detectors: Sequence[Candidate], landmarks: Sequence[Candidate]) -> list[System]:
    """First with first and so on; a single one goes with each of the others. NoPairs if the
    numbers do not fit."""
    count = max(len(detectors), len(landmarks))
    if {len(detectors), len(landmarks)} - {1, count}:
        raise NoPairs(
            f"{len(detectors)} detectors and {len(landmarks)} landmark networks make no pairs:"
            " give as many of each, or one"
        )
    return [
        System(detectors[i % len(detectors)], landmarks[i % len(landmarks)]) for i in range(count)
    ]
