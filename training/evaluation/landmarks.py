"""Landmark networks on a set of examples: errors by three scales, whole and by group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.vision.faces import to_frame
from training.evaluation.candidates import Candidate
from training.evaluation.examples import Example, ExampleSet
from training.evaluation.groups import WITHIN, Groups, by_fact, by_name, by_size
from training.metrics import (
    box_diagonal,
    box_size,
    error_figures,
    interocular,
    normalised_errors,
)
from training.served import Network, look_again
from training.synthesis.facts import ViewFacts

CHUNK: Final = 64  # examples in memory at once
_NO_IMAGE: Final = np.zeros((0, 0), np.uint8)  # thousands of pictures would fill the memory


@dataclass(frozen=True)
class Truth:
    """Of N faces; the fields of `Example`, stacked. facts: None unless known of every face."""

    names: tuple[str, ...]
    points: FloatArray
    weight: FloatArray
    boxes: FloatArray
    sizes: FloatArray
    facts: tuple[ViewFacts, ...] | None
    groups: tuple[Mapping[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)


SCALES: Final[Mapping[str, Callable[[Truth], FloatArray]]] = {
    "nme_io": lambda truth: interocular(truth.points),
    "nme_diagonal": lambda truth: box_diagonal(truth.boxes),
    "nme_box": lambda truth: box_size(truth.boxes),
}


def predict(
    examples: ExampleSet, candidates: Sequence[Candidate]
) -> tuple[Truth, dict[str, FloatArray]]:
    """The truth, and each candidate's keypoints float32 `[N, 68, 4]` by its label."""
    seen: list[Example] = []
    found: dict[str, list[FloatArray]] = {candidate.label: [] for candidate in candidates}
    for start in range(0, len(examples), CHUNK):
        chunk = [examples[i] for i in range(start, min(start + CHUNK, len(examples)))]
        images = np.stack([example.image for example in chunk])[:, None]
        for candidate in candidates:
            keypoints = candidate.network(images)["keypoints"]
            found[candidate.label].append(_look_again(chunk, keypoints, candidate.network))
        seen += [replace(example, image=_NO_IMAGE, first=None) for example in chunk]
    return _stack(seen), {label: np.concatenate(parts) for label, parts in found.items()}


def _look_again(examples: Sequence[Example], keypoints: FloatArray, network: Network) -> FloatArray:
    """Keypoints `[N, 68, 4]` after the second look of those examples that shall have one, still in
    pixels of the first."""
    keypoints = keypoints.copy()
    for row, example in enumerate(examples):
        if example.first is None:
            continue
        frame, box, to_network = example.first.frame, example.first.box, example.first.to_network
        ((_, kept),), (said,) = look_again(
            frame, [box], [(example.image, to_network)], keypoints[row : row + 1], network,
            detected=True,
        )  # fmt: skip
        if kept is not to_network:
            landmarks = to_frame(said, kept)
            keypoints[row, :, :2] = to_network.to_network(landmarks[:, :2])
            keypoints[row, :, 2] = landmarks[:, 2]
            keypoints[row, :, 3] = landmarks[:, 3] * to_network.scale
    return keypoints


def _stack(examples: Sequence[Example]) -> Truth:
    facts = tuple(example.facts for example in examples if example.facts is not None)
    return Truth(
        names=tuple(example.name for example in examples),
        points=np.stack([example.points for example in examples]),
        weight=np.stack([example.weight for example in examples]),
        boxes=np.stack([example.box for example in examples]),
        sizes=np.array([example.size for example in examples], np.float32),
        facts=facts if len(facts) == len(examples) else None,
        groups=tuple(example.groups for example in examples),
    )


def face_errors(truth: Truth, keypoints: FloatArray) -> dict[str, FloatArray]:
    """Mean distance of each face's points that count, over each of `SCALES`: `[N]`; nan where no
    point counts, or where the scale is not known."""
    return {
        name: normalised_errors(
            keypoints[..., :2], _known(truth, keypoints), truth.weight, scale(truth)
        )
        for name, scale in SCALES.items()
    }


def point_distances(truth: Truth, keypoints: FloatArray) -> FloatArray:
    """Of each point from its true place, over sqrt(w * h): `[N, 68]`, nan where it does not
    count."""
    away = np.linalg.norm(keypoints[..., :2] - _known(truth, keypoints), axis=-1)
    return np.where(truth.weight > 0, away / box_size(truth.boxes)[:, None], np.nan)


def _known(truth: Truth, keypoints: FloatArray) -> FloatArray:
    """The true points; an unknown one takes the network's, where it has no weight anyway."""
    return np.where(np.isnan(truth.points), keypoints[..., :2], truth.points)


def breakdowns(truth: Truth) -> dict[str, Groups]:
    """What a set's faces can be grouped by."""
    everyone = {"all": np.ones(len(truth), bool)}
    if truth.facts is None:
        named = by_name(truth.groups)
        return {"whole set": everyone, "face size": by_size(truth.sizes), **named}
    yaw = np.abs([fact.person.yaw for fact in truth.facts])
    within: NDArray[np.bool_] = np.asarray(yaw < WITHIN)
    facts = by_fact(truth.facts)
    return {
        "whole set": {**everyone, f"|yaw| < {WITHIN:.0f}": within},
        "|yaw|, degrees": facts.pop("|yaw|, degrees"),
        "face size": by_size(truth.sizes),
        **facts,
    }


def figures(errors: Mapping[str, FloatArray], groups: Mapping[str, Groups]) -> dict[str, Any]:
    """breakdown -> group -> `faces`, and by scale what `error_figures` says."""
    return {
        breakdown: {
            group: {
                "faces": int(chosen.sum()),
                **{scale: error_figures(values[chosen]) for scale, values in errors.items()},
            }
            for group, chosen in members.items()
        }
        for breakdown, members in groups.items()
    }
