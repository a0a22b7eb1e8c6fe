"""Validation figures of a network, through the very graphs that are exported."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from torch import nn

from service.vision.detection import non_maximum_suppression
from training.data.sample import DetectorBatch, LandmarkBatch
from training.devices import Runtime
from training.engine import Batch, evaluate
from training.metrics import (
    bounding_boxes,
    box_size,
    interocular,
    normalised_errors,
    summarise_detection,
    summarise_errors,
)
from training.models.graphs import DetectorGraph, LandmarkGraph

MIN_SCORE = 0.3  # the service's default


def validate(
    model: nn.Module, task: str, batches: Iterable[Batch], runtime: Runtime
) -> dict[str, float]:
    """Figures by name; `nme_box` and `ap` are the first of their tasks."""
    measure = validate_landmarks if task == "landmarks" else validate_detector
    return measure(model, batches, runtime)


def validate_landmarks(
    model: nn.Module, batches: Iterable[Any], runtime: Runtime
) -> dict[str, float]:
    """Errors over sqrt(w * h) of the labels' box (`nme_box`) and between the eyes (`nme_io`)."""
    graph = LandmarkGraph(model).to(runtime.device)  # type: ignore[arg-type]
    by_box, by_eyes = [], []
    for batch, (keypoints, *_) in evaluate(graph, batches, runtime):
        assert isinstance(batch, LandmarkBatch)
        points, weight = batch.points.numpy(), batch.weight.numpy()
        predicted = keypoints[..., :2].numpy()
        box = box_size(bounding_boxes(points))
        by_box.append(normalised_errors(predicted, points, weight, box))
        by_eyes.append(normalised_errors(predicted, points, weight, interocular(points)))
    figures = {f"nme_box_{k}": v for k, v in summarise_errors(np.concatenate(by_box)).items()}
    figures |= {f"nme_io_{k}": v for k, v in summarise_errors(np.concatenate(by_eyes)).items()}
    return figures


def validate_detector(
    model: nn.Module, batches: Iterable[Any], runtime: Runtime
) -> dict[str, float]:
    """Average precision, recall and precision, after the suppression that serves."""
    graph = DetectorGraph(model).to(runtime.device)  # type: ignore[arg-type]
    images = []
    for batch, (boxes, scores) in evaluate(graph, batches, runtime):
        assert isinstance(batch, DetectorBatch)
        for row in range(len(boxes)):
            labelled = (batch.valid[row] | batch.ignore[row]).numpy()
            faces = batch.boxes[row].numpy()[labelled]
            ignore = batch.ignore[row].numpy()[labelled]
            candidates, confidence = boxes[row].numpy(), scores[row].numpy()
            kept = non_maximum_suppression(candidates, confidence)
            images.append((candidates[kept], confidence[kept], faces, ignore))
    return summarise_detection(images, MIN_SCORE)
