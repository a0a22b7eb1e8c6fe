"""The section on a folder of marked real images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from service.entities import Box, ByteArray
from service.imaging.decode import decode_image
from service.vision.crop import SimilarityMap, landmark_crop
from training.evaluation.detector_section import detection_table, precision_recall_plot
from training.evaluation.landmark_section import WORST, calibration_plots, calibration_table
from training.evaluation.pictures import draw_errors
from training.evaluation.real import WHICH, RealReport, face_errors, sigma_claims, summary
from training.evaluation.sections import (
    Glance,
    Picture,
    Plot,
    Section,
    Table,
    network_table,
    number,
)
from training.real_faces import GUESSED, SEEN, ScoredFace, six_points

_NAN: Final = float("nan")
_NONE: Final = np.zeros((0, 2), np.float32)
_PROTOCOL: Final = (
    "marked real images of {folder}; six points a face, error: mean distance / sqrt(w * h) of the"
    " marked box; percentiles are ranks, a missed face counts as infinite; a match is an IoU of 0.5"
)


def real_section(folder: Path, reports: Mapping[str, RealReport], draw: bool) -> Section:
    """reports: of each system, by its label; draw: also make plots and pictures."""
    figures = {label: summary(report) for label, report in reports.items()}
    min_score = next(iter(reports.values())).min_score
    said = {label: sigma_claims(report) for label, report in reports.items()}
    tables = [_all_table(figures), _points_table(figures), _recall_table(figures)]
    named = ("face size", "attribute")
    tables += [_group_table(figures, name) for name in named if next(iter(figures.values()))[name]]
    detectors = {label: values["detector"] for label, values in figures.items()}
    tables += [detection_table(detectors, min_score), calibration_table(said)]
    tables += [_faces_table(label, report) for label, report in reports.items()]
    return Section(
        f"Real images: {folder.name}",
        _PROTOCOL.format(folder=folder),
        figures,
        tables,
        glances=[glance for label, values in figures.items() for glance in _glances(label, values)],
        notes=[line for label, report in reports.items() for line in _notes(label, report)],
        plots=[*_plots(reports), *calibration_plots(said)] if draw else (),
        pictures=_pictures(folder, reports) if draw else (),
    )


def _glances(label: str, figures: Mapping[str, Any]) -> Iterator[Glance]:
    for which, what in WHICH.items():
        errors = figures["all faces"][which]
        median, p95 = (number(errors.get(name, _NAN)) for name in ("median", "p95"))
        what = f"error of {figures['faces with points']} faces, {what}"
        yield Glance(what, label, f"{median} median, {p95} p95")
    found, there = figures["recall"][">=32px"]
    yield Glance("faces of 32 px and more found", label, f"{found}/{there}")


def _faces_table(label: str, report: RealReport) -> Table:
    rows = []
    for face in report.faces:
        mark = face.marked
        errors = [face.mean_error(which, seen) for which in WHICH for seen in (SEEN, GUESSED)]
        score = f"{face.box.score:.2f}" if face.box else "-"
        rows.append([mark.file, f"{mark.box.size:.1f}", mark.difficulty, score]
                    + [number(error) for error in errors])  # fmt: skip
    head = ("face", "size", "marked", "score", "seen", "guessed", "seen*", "guessed*")
    return Table(f"Every face, {label}", head, rows, "* with the marked box given")


def _all_table(figures: Mapping[str, Any]) -> Table:
    names = ("median", "p95", "failure_rate_0.08", "auc_0.08", "failure_rate_0.10", "auc_0.10")
    rows = [
        [what, label, str(values["faces with points"])]
        + [number(values["all faces"][which].get(name, _NAN)) for name in names]
        for which, what in WHICH.items()
        for label, values in figures.items()
    ]
    head = ("boxes", "network", "faces", "median", "p95", "failed 0.08", "AUC 0.08",
            "failed 0.10", "AUC 0.10")  # fmt: skip
    return network_table("All faces with points, seen and guessed together", head, rows)


def _points_table(figures: Mapping[str, Any]) -> Table:
    names = ("median_points", "p95_points", "median_faces", "p95_faces")
    rows = [
        [group, label, f"{errors['faces']:.0f}", f"{errors['points']:.0f}"]
        + [number(errors[name]) for name in names]
        for group in next(iter(figures.values()))["errors"]
        for label, errors in ((label, values["errors"][group]) for label, values in figures.items())
    ]
    head = ("points", "network", "faces", "points", "median points", "p95 points", "median faces",
            "p95 faces")  # fmt: skip
    return network_table("By how well points can be seen", head, rows)


def _recall_table(figures: Mapping[str, Any]) -> Table:
    sizes = list(next(iter(figures.values()))["recall"])
    rows = [
        [label, *("{}/{}".format(*values["recall"][size]) for size in sizes)]
        + [f"{values['false_faces']} in {values['files_without_faces']} files"]
        for label, values in figures.items()
    ]
    return network_table("Faces found", ["network", *sizes, "false faces"], rows)


def _group_table(figures: Mapping[str, Any], breakdown: str) -> Table:
    rows = [
        [group, label, str(row["faces"]), str(row["found"])]
        + [number(row[which].get(name, _NAN)) for which in WHICH for name in ("median", "p95")]
        for group in next(iter(figures.values()))[breakdown]
        for label, row in ((label, values[breakdown][group]) for label, values in figures.items())
    ]
    head = (breakdown, "network", "faces", "found", "median", "p95", "median*", "p95*")
    return network_table(f"By {breakdown}", head, rows, "* with the marked box given")


def _notes(label: str, report: RealReport) -> Iterator[str]:
    false = len(report.false_faces)
    yield f"{label}: false faces: {false} in {report.empty_files} files without faces"
    for name, box in report.false_faces:
        yield f"  {name}: score {box.score:.2f}, size {box.size:.0f}"
    yield f"{label}: boxes that find no listed face, in listed files: {len(report.unmatched)}"
    for problem in report.unreadable:
        yield f"not readable: {problem}"


def _plots(reports: Mapping[str, RealReport]) -> Sequence[Plot]:
    from training.evaluation import plots  # only here: tables need no matplotlib

    errors = {
        what if len(reports) == 1 else f"{label}, {what}": face_errors(report, which)
        for label, report in reports.items()
        for which, what in WHICH.items()
    }
    found = {label: report.detections for label, report in reports.items()}
    return [plots.cumulative_errors("Cumulative error", errors), precision_recall_plot(found)]


def _pictures(folder: Path, reports: Mapping[str, RealReport]) -> list[Picture]:
    """Of each system the largest errors with boxes given, then its false faces, the best score
    first."""
    pictures = []
    for label, report in reports.items():
        of_system = "" if len(reports) == 1 else f"{label}: "
        faces = [face for face in report.faces if not np.isnan(face.face_error("given"))]
        for face in sorted(faces, key=lambda face: -face.face_error("given"))[:WORST]:
            pictures.append(_face_picture(folder, of_system, face))
        for name, box in sorted(report.false_faces, key=lambda item: -item[1].score)[:WORST]:
            view, _ = _crop(folder / name, box)
            png = draw_errors(view, _NONE, _NONE, np.zeros((0, 2, 2)))
            caption = f"{of_system}false face in {name}, score {box.score:.2f}"
            pictures.append(Picture(caption, png))
    return pictures


def _face_picture(folder: Path, of_system: str, face: ScoredFace) -> Picture:
    mark = face.marked
    marked = mark.points[:, 2] > 0
    view, to_network = _crop(folder / mark.file, mark.box)
    true = to_network.to_network(mark.points[marked, :2])
    found = to_network.to_network(face.landmarks[:, :2])
    pairs = np.stack([true, six_points(found)[marked]], axis=1)
    words = [f"{mark.box.size:.0f} px", *mark.attributes, *([] if face.box else ["missed"])]
    caption = f"{of_system}{mark.file}, error {face.face_error('given'):.3f} ({', '.join(words)})"
    return Picture(caption, draw_errors(view, true, found, pairs))


def _crop(file: Path, box: Box) -> tuple[ByteArray, SimilarityMap]:
    frame = decode_image(file.read_bytes())
    return landmark_crop(frame.values, box, "auto", black_hot=frame.black_hot)
