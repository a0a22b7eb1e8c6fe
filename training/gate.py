"""The gate: one error of a network on a small committed synthetic set.

The sets are `training/data/gate/{landmarks,detector}.npz`, rendered once and never trained on.
"""

from pathlib import Path
from typing import Final

import numpy as np

from training.metrics import summarise_detection, summarise_landmarks
from training.served import Network

GATE: Final = Path(__file__).parent / "data" / "gate"

PROTOCOLS: Final = {
    "landmarks": "mean over faces of the mean landmark distance / sqrt(w * h) of the labels' box,"
    " on the synthetic gate set",
    "detector": "1 - average precision at IoU 0.5, all sizes, on the synthetic gate set",
}
# By how much an error may exceed the current version's: noise between equally good runs.
TOLERANCE: Final = {"landmarks": 0.002, "detector": 0.01}


def gate_figures(task: str, network: Network, folder: Path = GATE) -> dict[str, float]:
    """`error` (see `PROTOCOLS`; lower is better) and what else there is to say of the set.

    landmarks.npz: images uint8 `[N, 256, 256]`, points float32 `[N, 68, 2]`, weight `[N, 68]`.
    detector.npz: images uint8 `[N, 320, 320]`, boxes float32 `[N, M, 4]`, valid, ignore `[N, M]`.
    """
    with np.load(folder / f"{task}.npz") as gate:
        outputs = network(gate["images"][:, None])
        if task == "landmarks":
            found = outputs["keypoints"][..., :2]
            figures = summarise_landmarks(found, gate["points"], gate["weight"])
            return {"error": figures["nme_box_mean"], **figures}
        labels = (gate[name] for name in ("boxes", "valid", "ignore"))
        figures = summarise_detection(outputs["boxes"], outputs["scores"], *labels)
        return {"error": 1 - figures["ap"], **figures}
