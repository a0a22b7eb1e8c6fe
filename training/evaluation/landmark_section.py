"""The section on landmark networks over a set of examples."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from service.entities import FloatArray
from training.evaluation.calibration import Claims, claims
from training.evaluation.candidates import Candidate
from training.evaluation.examples import ExampleSet
from training.evaluation.groups import marks
from training.evaluation.landmarks import (
    Truth,
    breakdowns,
    face_errors,
    figures,
    point_distances,
    predict,
)
from training.evaluation.pictures import draw_errors
from training.evaluation.sections import (
    Glance,
    Picture,
    Plot,
    Section,
    Table,
    network_table,
    number,
)
from training.metrics import FAILURE_LIMITS, box_size

WORST: Final = 12  # faces drawn of each network
_SCALES: Final = {
    "nme_io": "outer eye corners",
    "nme_diagonal": "box diagonal",
    "nme_box": "sqrt(w * h)",
}
# Columns of a curve of errors, and what `error_figures` calls them.
_CURVE: Final = {
    name: key
    for limit in FAILURE_LIMITS
    for name, key in (
        (f"failed {limit:.2f}", f"failure_rate_{limit:.2f}"),
        (f"AUC {limit:.2f}", f"auc_{limit:.2f}"),
    )
}
_NOTE: Final = (
    "An error is the mean distance of a face's points over the named length; AUC: area under the"
    " cumulative error curve up to the limit, 0 to 1."
)


def landmark_section(
    title: str, examples: ExampleSet, candidates: Sequence[Candidate], draw: bool
) -> Section:
    """draw: also make plots and pictures."""
    truth, keypoints = predict(examples, candidates)
    errors = {label: face_errors(truth, points) for label, points in keypoints.items()}
    said = {label: _claims(truth, points) for label, points in keypoints.items()}
    groups = breakdowns(truth)
    of_groups = {label: figures(values, groups) for label, values in errors.items()}
    return Section(
        title,
        examples.protocol,
        {
            label: {**values, "calibration": said[label].figures()}
            for label, values in of_groups.items()
        },
        [*_tables(of_groups), calibration_table(said)],
        glances=_glances(of_groups),
        plots=_plots(truth, errors, said) if draw else (),
        pictures=_worst(examples, truth, keypoints, errors) if draw else (),
    )


def _glances(by_label: Mapping[str, Mapping[str, Any]]) -> list[Glance]:
    """The headline: mean and median over the eyes' distance, of the last group of the whole set,
    which is that of moderate yaw where yaw is known."""
    glances = []
    for label, breakdowns_of in by_label.items():
        group, row = list(next(iter(breakdowns_of.values())).items())[-1]
        mean, median = _cells(row, "nme_io", ("mean", "median"))
        value = f"{mean} mean, {median} median"
        glances.append(Glance(f"error over outer eye corners, {group}", label, value))
    return glances


def _claims(truth: Truth, keypoints: FloatArray) -> Claims:
    sigma = keypoints[..., 3] / box_size(truth.boxes)[:, None]
    return claims(point_distances(truth, keypoints), sigma, keypoints[..., 2])


def _tables(by_label: Mapping[str, Mapping[str, Any]]) -> list[Table]:
    """The whole set by every scale, then each breakdown in a table of its own."""
    first, *others = next(iter(by_label.values()))
    head = ["faces of", "error over", "network", "faces", "mean", "median", "p95", *_CURVE]
    rows = [
        [group, name, label, str(row["faces"]), *_cells(row, scale, ("mean", "median", "p95"))]
        + _cells(row, scale, _CURVE.values())
        for group in next(iter(by_label.values()))[first]
        for scale, name in _SCALES.items()
        for label, row in _rows(by_label, first, group)
    ]
    whole = network_table(first.capitalize(), head, rows, _NOTE)
    return [whole, *(_breakdown_table(by_label, breakdown) for breakdown in others)]


def _breakdown_table(by_label: Mapping[str, Mapping[str, Any]], breakdown: str) -> Table:
    means = ["eyes mean", "eyes median", "diagonal mean", "box mean", "box median"]
    head = [breakdown, "network", "faces", *means, *(f"box {name}" for name in _CURVE)]
    rows = [
        [group, label, str(row["faces"]), *_cells(row, "nme_io", ("mean", "median"))]
        + _cells(row, "nme_diagonal", ("mean",))
        + _cells(row, "nme_box", ("mean", "median", *_CURVE.values()))
        for group in next(iter(by_label.values()))[breakdown]
        for label, row in _rows(by_label, breakdown, group)
    ]
    return network_table(f"By {breakdown}", head, rows)


def _rows(
    by_label: Mapping[str, Mapping[str, Any]], breakdown: str, group: str
) -> list[tuple[str, Mapping[str, Any]]]:
    return [(label, values[breakdown][group]) for label, values in by_label.items()]


def _cells(row: Mapping[str, Any], scale: str, names: Iterable[str]) -> list[str]:
    return [number(row[scale].get(name, float("nan"))) for name in names]


def calibration_table(said: Mapping[str, Claims]) -> Table:
    """What the networks' sigmas and scores are worth on one set."""
    rows = []
    for label, claimed in said.items():
        values = claimed.figures()
        names = ("ratio", "ence", "rank_sigma", "rank_score")
        rows.append([label, str(values["points"]), *(number(values[n], 3) for n in names)])
    head = ("network", "points", "error / sigma", "ENCE", "rank of sigma", "rank of score")
    note = (
        "error / sigma: of their means, 1 is right at large; ENCE: mean relative gap over bins"
        " of sigma, 0 is right everywhere; ranks: Spearman's correlation with the error, at best 1"
        " for sigma and -1 for score."
    )
    return network_table("What sigma and score are worth", head, rows, note)


def calibration_plots(said: Mapping[str, Claims]) -> list[Plot]:
    from training.evaluation import plots  # only here: tables need no matplotlib

    return [plots.calibration(said), plots.score_and_error(said)]


def _plots(
    truth: Truth, errors: Mapping[str, Mapping[str, FloatArray]], said: Mapping[str, Claims]
) -> list[Plot]:
    from training.evaluation import plots

    by_box = {label: values["nme_box"] for label, values in errors.items()}
    drawn = [plots.cumulative_errors("Cumulative error", by_box)]
    if truth.facts is not None:
        yaw = np.abs([fact.person.yaw for fact in truth.facts])
        drawn.append(plots.error_by("|yaw|, degrees", yaw, by_box))
    drawn.append(plots.error_by("face size, pixels", truth.sizes, by_box))
    return [*drawn, *calibration_plots(said)]


def _worst(
    examples: ExampleSet,
    truth: Truth,
    keypoints: Mapping[str, FloatArray],
    errors: Mapping[str, Mapping[str, FloatArray]],
) -> list[Picture]:
    """Of each network, the faces with the largest error over sqrt(w * h); read again for it."""
    pictures = []
    for label, found in keypoints.items():
        of_network = "" if len(keypoints) == 1 else f"{label}: "
        error = errors[label]["nme_box"]
        order = np.argsort(-np.nan_to_num(error, nan=-1))[:WORST]
        for index in order[~np.isnan(error[order])].tolist():
            example = examples[index]
            counted = example.weight > 0
            true, points = example.points[counted], found[index, :, :2]
            pairs = np.stack([true, points[counted]], axis=1)
            words = ", ".join(_described(truth, index))
            caption = f"{of_network}{example.name}, error {error[index]:.3f} ({words})"
            pictures.append(Picture(caption, draw_errors(example.image, true, points, pairs)))
    return pictures


def _described(truth: Truth, index: int) -> list[str]:
    words = [f"{truth.sizes[index]:.0f} px"]
    if truth.facts is not None:
        facts = truth.facts[index]
        words += [f"yaw {facts.person.yaw:.0f}", *marks(facts)]
        words += ["black-hot"] if facts.black_hot else []
    return words
