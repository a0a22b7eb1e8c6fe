"""Tables II and V: speed, and how steady trainings start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from service.entities import FloatArray
from training.evaluation.sections import Table
from training.paper.arms import ARMS_OF, arm_name
from training.paper.figures import DEVICES
from training.paper.profile import Profile
from training.paper.published import figures, published
from training.paper.runner import Study
from training.paper.speed import Latency
from training.paper.summary import spread
from training.paper.tables import two_rows
from training.stability import gradient_stability

TAG: Final = "train/gradient_norm"
FIGURES: Final = ("std_dev", "cv_percent", "mean_step_change", "r2")
# Of Table V; the paper names its rows by the term that was added to the baseline
ROWS: Final = {"reverse_injection": "reverse", "forward_injection": "forward", "MLCM-KD": "full"}
NAMES: Final = {"conventional": "Baseline", "reverse": "Baseline + RI", "forward": "Baseline + FI",
                "full": "MLCM-KD"}  # fmt: skip
Norms = Mapping[str, Sequence[FloatArray]]  # by arm, a seed each


class NormsMissing(RuntimeError):
    """A run's events do not hold the gradient norm of every early step."""


def read_norms(folder: Path, steps: int) -> FloatArray:
    """Gradient norms `[steps]` of a run's first steps, from its TensorBoard events.

    Where an interrupted run took steps again, the later ones count.
    """
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    if TAG not in events.Tags()["scalars"]:
        raise NormsMissing(f"{folder}: no {TAG} in its events")
    by_step = {event.step: event.value for event in events.Scalars(TAG)}
    missing = set(range(1, steps + 1)) - set(by_step)
    if missing:
        raise NormsMissing(f"{folder}: no {TAG} of step {min(missing)}; log_every must be 1")
    return np.array([by_step[step] for step in range(1, steps + 1)])


def early_norms(study: Study, profile: Profile) -> Norms:
    """Of the finished ablation's arms of Table V."""
    return {
        arm: [
            read_norms(study.folder / arm_name(profile, arm, seed), profile.early_steps)
            for seed in profile.seeds
        ]
        for arm in ARMS_OF["v"]
    }


def table_two(measured: Sequence[Latency]) -> Table:
    head = ("landmarks", "one core here, ms", "of it RTMPose", "frames a second",
            *(f"{name}, ms" for name in DEVICES.values()))  # fmt: skip
    own = {latency.variant: latency for latency in measured}
    rows = []
    for row in published(2):
        latency = own[row["method"].removeprefix("Ours-")]
        paper = figures(row, tuple(f"{device}_ms" for device in DEVICES))
        total = latency.milliseconds
        rows.append([row["method"], f"{total:.1f}", f"{latency.landmarks_ms:.1f}",
                     f"{1000 / total:.1f}", *(f"{value:.2f}" for value in paper)])  # fmt: skip
    note = (
        "Ours: FP32, processor time of one thread. To the right the paper's machines, as it has"
        " them (TensorRT on GPUs). Both with RTMDet-nano at 320 x 320."
    )
    return Table("Table II", head, rows, note)


def table_five(norms: Norms, steps: int) -> Table:
    head = ("method", "of", "n", "Std Dev", "CV (%)", "Mean Step Change", "R2")
    paper = {ROWS[row["method"]]: figures(row, FIGURES) for row in published(5)}
    rows: list[list[str]] = []
    for arm, name in NAMES.items():
        found = [gradient_stability(values).figures() for values in norms.get(arm, ())]
        ours = [spread([one[figure] for one in found]) for figure in FIGURES] if found else []
        told = [f"{value:.4f}" for value in paper[arm]] if arm in paper else []
        rows += two_rows([name], told, ours, len(FIGURES))
    note = (
        f"L2 norms of the gradient, before clipping, of the first {steps} steps; the paper names"
        " neither its steps nor its clipping. The deviation is the population's."
    )
    return Table("Table V", head, rows, note)
