"""The section on detectors over a set of frames."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.candidates import Candidate
from training.evaluation.detection import Detections, Frames, detect, figures, match
from training.evaluation.sections import Glance, Plot, Section, Table, network_table, number
from training.metrics import precision_recall_curve


def detector_section(
    title: str,
    frames: Frames,
    candidates: Sequence[Candidate],
    min_score: float,
    draw: bool,
) -> Section:
    """Recall and precision hold at `min_score`; draw: also make plots."""
    found = detect(frames, candidates)
    by_label = {label: figures(images, min_score) for label, images in found.items()}
    table = detection_table(by_label, min_score)
    plots = [precision_recall_plot(found)] if draw else []
    glances = [
        Glance("average precision", label, number(values["all"]["ap"], 3))
        for label, values in by_label.items()
    ]
    return Section(title, frames.protocol, dict(by_label), [table], glances, plots=plots)


def detection_table(by_label: Mapping[str, Mapping[str, Any]], min_score: float) -> Table:
    """A row a face size and network."""
    rows = [
        [group, label, str(row["faces"])]
        + [number(row[name], 3) for name in ("recall", "precision", "ap")]
        for group in next(iter(by_label.values()))
        for label, row in ((label, values[group]) for label, values in by_label.items())
    ]
    head = ("face size", "network", "faces", "recall", "precision", "AP")
    return network_table(f"Faces found, recall and precision at score {min_score}", head, rows)


def precision_recall_plot(found: Mapping[str, Sequence[Detections]]) -> Plot:
    from training.evaluation import plots  # only here: tables need no matplotlib

    curves = {label: precision_recall_curve(match(images)) for label, images in found.items()}
    return plots.precision_recall("Precision and recall, all sizes", curves)
