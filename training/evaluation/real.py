"""A folder of marked real images (`training.real_faces`), end to end by the steps that serve."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entities import Box, Face, FloatArray, ThermalFrame
from service.errors import ServiceError
from service.imaging.decode import decode_image
from service.imaging.drawing import draw_faces
from service.vision.detection import corners
from service.vision.face_score import FaceScore
from training.evaluation.calibration import Claims, claims
from training.evaluation.detection import Detections
from training.evaluation.detection import figures as detection_figures
from training.evaluation.groups import Groups, by_size
from training.metrics import MIN_SCORE, error_figures
from training.real_faces import (
    GUESSED,
    SEEN,
    MarkedFace,
    ScoredFace,
    error_percentiles,
    list_images,
    match_boxes,
    point_errors,
    read_marks,
    recall,
    six_points,
)
from training.served import Network, find_boxes, find_faces, find_landmarks

SIZES: Final = (32, 24, 0)  # pixels; recall is told from each size up
WHICH: Final = {"detected": "end to end", "given": "boxes given"}
GROUPS: Final = (
    ("seen, easy + medium", SEEN, ("easy", "medium")),
    ("guessed, easy + medium", GUESSED, ("easy", "medium")),
    ("seen, hard", SEEN, ("hard",)),
    ("guessed, hard", GUESSED, ("hard",)),
)


@dataclass
class RealReport:
    """min_score: from which on a box counts as found. unreadable: files that did not decode.
    false_faces: boxes in files without faces. unmatched: boxes in listed files that find no listed
    face. detections: of the files whose faces are known, at every score."""

    min_score: float
    faces: list[ScoredFace] = field(default_factory=list)
    false_faces: list[tuple[str, Box]] = field(default_factory=list)
    unmatched: list[tuple[str, Box]] = field(default_factory=list)
    empty_files: int = 0
    unreadable: list[str] = field(default_factory=list)
    detections: list[Detections] = field(default_factory=list)


def evaluate_real(
    folder: Path,
    detectors: Mapping[int, Network],
    landmarks: Network,
    weights: FaceScore | None,
    min_score: float = MIN_SCORE,
    overlays: Path | None = None,
    unmarked: Collection[str] = (),
) -> RealReport:
    """Score every image below `folder`.

    detectors: by the side of their input, see `find_boxes`. weights: of the score of a face, by the
    landmark network's card. overlays: a folder for drawn pictures.
    unmarked: files with people whom nobody marked; what is found there counts as nothing.
    """
    marks = read_marks(folder)
    report = RealReport(min_score)
    for name in list_images(folder):
        try:
            frame = decode_image((folder / name).read_bytes())
        except ServiceError as error:
            report.unreadable.append(f"{name}: {error}")
            continue
        every_box = find_boxes(frame, detectors, 0.0)
        found = find_faces(frame, detectors, landmarks, min_score, weights)
        if overlays:
            _draw(overlays / f"{name}.png", frame, found)
        marked = marks.get(name, ())
        all_known = not name.startswith("other/") and name not in unmarked
        if marked:
            _score_listed(report, frame, marked, found, landmarks)
        elif all_known:
            report.empty_files += 1
            report.false_faces += [(name, face.box) for face in found]
        if all_known:
            report.detections.append(_detections(every_box, marked))
    return report


def _score_listed(
    report: RealReport,
    frame: ThermalFrame,
    marked: Sequence[MarkedFace],
    found: Sequence[Face],
    landmarks: Network,
) -> None:
    given = find_landmarks(frame, tuple(face.box for face in marked), landmarks)
    matches = match_boxes([mark.box for mark in marked], [face.box for face in found])
    for mark, match, with_box in zip(marked, matches, given, strict=True):
        face = None if match is None else found[match]
        report.faces.append(
            ScoredFace(
                mark,
                face.box if face else None,
                point_errors(mark, face.landmarks if face else None),
                point_errors(mark, with_box.landmarks),
                with_box.landmarks,
            )
        )
    name = marked[0].file
    report.unmatched += [
        (name, face.box) for index, face in enumerate(found) if index not in matches
    ]


def _detections(boxes: Sequence[Box], marked: Sequence[MarkedFace]) -> Detections:
    return Detections(
        corners(boxes),
        np.array([box.score for box in boxes], np.float32),
        corners([face.box for face in marked]),
        np.zeros(len(marked), bool),
    )


def _draw(path: Path, frame: ThermalFrame, faces: Sequence[Face]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draw_faces(frame, faces))


def face_errors(report: RealReport, which: str) -> FloatArray:
    """`[F]`, which: `detected` or `given`. nan for a face without points."""
    return np.array([face.face_error(which) for face in report.faces])


def sigma_claims(report: RealReport) -> Claims:
    """What sigma and score say of the points that were seen, with boxes given.

    A marked point that is the mean of landmarks takes the mean of their sigmas.
    """
    if not report.faces:
        return Claims(*np.zeros((3, 0)))
    points = np.stack([six_points(face.landmarks) for face in report.faces])
    sizes = np.array([face.marked.box.size for face in report.faces])[:, None]
    seen = np.stack([face.marked.points[:, 2] == SEEN for face in report.faces])
    errors = np.stack([face.given for face in report.faces])
    return claims(np.where(seen, errors, np.nan), points[..., 3] / sizes, points[..., 2])


def groups(report: RealReport) -> dict[str, Groups]:
    """Faces by size and by what their marks say of them."""
    sizes = np.array([face.marked.box.size for face in report.faces])
    names = sorted({name for face in report.faces for name in face.marked.attributes})
    attributes = {
        name: np.array([name in face.marked.attributes for face in report.faces]) for name in names
    }
    return {"face size": by_size(sizes), "attribute": attributes}


def _group_figures(
    found: NDArray[np.bool_], errors: Mapping[str, FloatArray], chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    return {
        "faces": int(chosen.sum()),
        "found": int((found & chosen).sum()),
        **{which: error_figures(values[chosen]) for which, values in errors.items()},
    }


def summary(report: RealReport) -> dict[str, Any]:
    """The aggregates as plain values."""
    errors = {which: face_errors(report, which) for which in WHICH}
    found = np.array([face.box is not None for face in report.faces], bool)
    return {
        "recall": {f">={size}px": recall(report.faces, size) for size in SIZES},
        "faces with points": int((~np.isnan(errors["given"])).sum()),
        "all faces": {which: error_figures(values) for which, values in errors.items()},
        "errors": {
            f"{group}, {which} boxes": error_percentiles(report.faces, which, seen, difficulties)
            for group, seen, difficulties in GROUPS
            for which in WHICH
        },
        **{
            breakdown: {name: _group_figures(found, errors, members[name]) for name in members}
            for breakdown, members in groups(report).items()
        },
        "detector": detection_figures(report.detections, report.min_score),
        "calibration": sigma_claims(report).figures(),
        "false_faces": len(report.false_faces),
        "files_without_faces": report.empty_files,
        "unmatched_in_listed_files": len(report.unmatched),
        "unreadable": report.unreadable,
    }
