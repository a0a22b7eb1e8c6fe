"""The gate: one error of a network on a small committed synthetic set.

The sets are `training/data/gate/{landmarks,detector}.npz`, rendered once and never trained on.
"""

from pathlib import Path
from typing import Final

import numpy as np

from service.vision.detection import non_maximum_suppression
from training.metrics import (
    bounding_boxes,
    box_size,
    normalised_errors,
    summarise_detection,
    summarise_errors,
)
from training.served import Network

GATE: Final = Path(__file__).parent / "data" / "gate"
MIN_SCORE: Final = 0.3  # the service's default

PROTOCOLS: Final = {
    "landmarks": "mean over faces of the mean landmark distance / sqrt(w * h) of the labels' box,"
    " on the synthetic gate set",
    "detector": "1 - average precision at IoU 0.5, all sizes, on the synthetic gate set",
}
# By how much an error may exceed the current version's: noise between equally good runs.
TOLERANCE: Final = {"landmarks": 0.002, "detector": 0.01}


def gate_figures(task: str, network: Network, folder: Path = GATE) -> dict[str, float]:
    """`error` (see `PROTOCOLS`; lower is better) and what else there is to say of the set."""
    with np.load(folder / f"{task}.npz") as data:
        arrays = dict(data)
    measure = _landmarks if task == "landmarks" else _detector
    return measure(arrays, network)


def _landmarks(gate: dict[str, np.ndarray], network: Network) -> dict[str, float]:
    images = gate["images"]
    found = network(images[:, None])["keypoints"][..., :2]
    size = box_size(bounding_boxes(gate["points"]))
    figures = summarise_errors(normalised_errors(found, gate["points"], gate["weight"], size))
    return {"error": figures["mean"], **figures, "images": len(images)}


def _detector(gate: dict[str, np.ndarray], network: Network) -> dict[str, float]:
    outputs = network(gate["images"][:, None])
    images = []
    for row, (boxes, scores) in enumerate(zip(outputs["boxes"], outputs["scores"], strict=True)):
        kept = non_maximum_suppression(boxes, scores)
        labelled = gate["valid"][row] | gate["ignore"][row]
        faces, ignore = gate["boxes"][row][labelled], gate["ignore"][row][labelled]
        images.append((boxes[kept], scores[kept], faces, ignore))
    figures = summarise_detection(images, MIN_SCORE)
    return {"error": 1 - figures["ap"], **figures, "images": len(images)}
