"""The gate: one error of a network on a small committed synthetic set.

The sets are `training/data/gate/{landmarks,detector}.npz`, rendered once and never trained on.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.metrics import summarise_detection, summarise_landmarks
from training.served import Network, Outputs

GATE: Final = Path(__file__).parent / "data" / "gate"

PROTOCOLS: Final = {
    "landmarks": "mean over faces of the mean landmark distance / sqrt(w * h) of the labels' box,"
    " on the synthetic gate set",
    "detector": "1 - average precision at IoU 0.5, all sizes, on the synthetic gate set",
}
# By how much an error may exceed the current version's: noise between equally good runs.
TOLERANCE: Final = {"landmarks": 0.002, "detector": 0.01}
# By what share an INT8 network's error may exceed that of the FP32 one it was made from.
INT8_TOLERANCE: Final = 0.03


def gate_figures(task: str, network: Network, folder: Path = GATE) -> dict[str, float]:
    """`error` (see `PROTOCOLS`; lower is better) and what else there is to say of the set.

    landmarks.npz: images uint8 `[N, 256, 256]`, points float32 `[N, 68, 2]`, weight `[N, 68]`.
    detector.npz: images uint8 `[N, 320, 320]`, boxes float32 `[N, M, 4]`, valid, ignore `[N, M]`.
    """
    with np.load(folder / f"{task}.npz") as gate:
        return figures(task, network(gate["images"][:, None]), gate)


def figures(task: str, outputs: Outputs, labels: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """As `gate_figures`, of a network's outputs for any pictures labelled in that form.

    `error` is nan, and the only figure, if a network gives anything that is not a number: the
    summaries would leave such faces out.
    """
    used = ("keypoints",) if task == "landmarks" else ("boxes", "scores")
    if not all(np.isfinite(outputs[name]).all() for name in used):
        return {"error": float("nan")}
    if task == "landmarks":
        found = outputs["keypoints"][..., :2]
        summary = summarise_landmarks(found, labels["points"], labels["weight"])
        return {"error": summary["nme_box_mean"], **summary}
    faces = (labels[name] for name in ("boxes", "valid", "ignore"))
    summary = summarise_detection(outputs["boxes"], outputs["scores"], *faces)
    return {"error": 1 - summary["ap"], **summary}
