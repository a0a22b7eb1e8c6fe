"""Validation figures of a network, through the very graphs that are exported."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from torch import Tensor, nn

from training.devices import Runtime
from training.engine import Batch, evaluate
from training.metrics import summarise_detection, summarise_landmarks
from training.models.graphs import DetectorGraph, LandmarkGraph


def validate(
    model: nn.Module, task: str, batches: Iterable[Batch], runtime: Runtime
) -> dict[str, float]:
    """Figures by name, as `training.metrics` makes them."""
    landmarks = task == "landmarks"
    graph = LandmarkGraph(model) if landmarks else DetectorGraph(model)  # type: ignore[arg-type]
    pairs = list(evaluate(graph.to(runtime.device), batches, runtime))
    outputs = [np.concatenate(parts) for parts in zip(*(given for _, given in pairs), strict=True)]
    if landmarks:
        points, weight = _labels(pairs, "points", "weight")
        return summarise_landmarks(outputs[0][..., :2], points, weight)
    return summarise_detection(*outputs, *_labels(pairs, "boxes", "valid", "ignore"))


def error_of(figures: Mapping[str, float]) -> float:
    """One number to compare a network's validations by, lower is better; nan counts as worst."""
    error = 1 - figures["ap"] if "ap" in figures else figures.get("nme_box_mean", math.inf)
    return math.inf if math.isnan(error) else error


def _labels(pairs: list[tuple[Batch, tuple[Tensor, ...]]], *names: str) -> list[np.ndarray]:
    return [np.concatenate([getattr(batch, name) for batch, _ in pairs]) for name in names]
