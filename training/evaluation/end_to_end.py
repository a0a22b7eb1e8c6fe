"""Detector and landmark network together on synthetic frames, by the steps that serve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from service.entities import Box, Face, FloatArray
from service.imaging.drawing import encode_png, paint_faces, scale_factor
from service.vision.detection import corners
from service.vision.faces import shown
from training.evaluation.candidates import System
from training.evaluation.detection import Detections, Frames, figures
from training.evaluation.detector_section import detection_table
from training.evaluation.groups import by_size
from training.evaluation.sections import Glance, Picture, Section, Table, network_table, number
from training.metrics import FAILURE_LIMIT, box_size
from training.real_faces import match_boxes
from training.served import find_faces
from training.synthesis.frames import Frame
from training.synthesis.pictures import GREEN

LEAST_SCORE: Final = 0.1  # of answers that average precision counts; far below any threshold
WORST: Final = 8  # frames that are drawn
_PERCENTILES: Final = {"median": 50, "p95": 95}


@dataclass(frozen=True)
class Answers:
    """A system's answers to one frame. errors `[M]`: of each face that counts, the mean distance
    of the 68 points over sqrt(w * h), infinite where no answer from the asked score on is of it;
    sizes `[M]`: pixels."""

    detections: Detections
    errors: FloatArray
    sizes: FloatArray


def end_to_end_section(
    title: str, frames: Frames, systems: Sequence[System], min_score: float, draw: bool
) -> Section:
    """Recall, precision and errors hold at `min_score`; draw: also the worst frames."""
    answers: dict[str, list[Answers]] = {system.label: [] for system in systems}
    for frame in (frames[index] for index in range(len(frames))):
        for system in systems:
            answers[system.label].append(answer(frame, system, min_score))
    by_label = {label: _figures(of_frames, min_score) for label, of_frames in answers.items()}
    found = {label: values["detection"] for label, values in by_label.items()}
    return Section(
        title,
        f"{frames.protocol}; boxes of the answered landmarks, both cut to the image",
        by_label,
        [detection_table(found, min_score), _error_table(by_label)],
        [
            Glance(
                "median error, missed faces too", label, number(values["error"]["all"]["median"])
            )
            for label, values in by_label.items()
        ],
        pictures=_worst(frames, systems, answers, min_score) if draw else (),
    )


def answer(frame: Frame, system: System, min_score: float) -> Answers:
    """What serving would answer, against the truth."""
    height, width = frame.values.shape
    answered = _answered(frame, system, min(LEAST_SCORE, min_score))
    nothing = np.zeros((68, 4), np.float32)
    known = shown([Face(Box(*box), nothing) for box in frame.boxes.tolist()], width, height)
    detections = Detections(
        corners([face.box for face in answered]),
        np.array([face.box.score for face in answered], np.float32),
        corners([face.box for face in known]),
        frame.ignore > 0,
    )
    sure = [face for face in answered if face.box.score >= min_score]
    matches = match_boxes([face.box for face in known], [face.box for face in sure])
    sizes, errors = box_size(frame.boxes), np.full(len(known), np.inf, np.float32)
    for index, match in enumerate(matches):
        if match is not None:
            away = sure[match].landmarks[:, :2] - frame.landmarks[index]
            errors[index] = np.linalg.norm(away, axis=1).mean() / sizes[index]
    counted = frame.ignore == 0
    return Answers(detections, errors[counted], sizes[counted])


def _answered(frame: Frame, system: System, min_score: float) -> tuple[Face, ...]:
    looks, landmarks = system.detector.looks, system.landmarks
    return find_faces(frame.image, looks, landmarks.network, min_score, landmarks.weights)


def _figures(answers: Sequence[Answers], min_score: float) -> dict[str, Any]:
    sizes = np.concatenate([one.sizes for one in answers])
    errors = np.concatenate([one.errors for one in answers])
    groups = {"all": np.ones(len(sizes), bool), **by_size(sizes)}
    return {
        "detection": figures([one.detections for one in answers], min_score),
        "error": {name: _errors(errors[chosen]) for name, chosen in groups.items()},
    }


def _errors(errors: FloatArray) -> dict[str, float]:
    """Percentiles over all faces and over the found ones; the share with a small error."""
    found = errors[np.isfinite(errors)]
    good = float((errors <= FAILURE_LIMIT).mean()) if len(errors) else np.nan
    values = {"faces": len(errors), "good": good}
    for name, percent in _PERCENTILES.items():
        values[name] = _percentile(errors, percent)
        values[f"found_{name}"] = _percentile(found, percent)
    return values


def _percentile(errors: FloatArray, percent: float) -> float:
    """The next face's above, for there is no number between a found face and a missed one."""
    return float(np.percentile(errors, percent, method="higher")) if len(errors) else np.nan


def _error_table(by_label: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        [group, label, str(row["faces"]), number(row["good"], 3)]
        + [number(row[name]) for name in ("median", "p95", "found_median", "found_p95")]
        for group in next(iter(by_label.values()))["error"]
        for label, row in ((label, values["error"][group]) for label, values in by_label.items())
    ]
    head = ["face size", "network", "faces", f"error to {FAILURE_LIMIT}", "median", "p95"]
    note = "Errors are over sqrt(w * h) of the face; a missed face's is infinite."
    return network_table(
        "Landmarks in the answers", [*head, "found: median", "found: p95"], rows, note
    )


def _worst(
    frames: Frames,
    systems: Sequence[System],
    answers: Mapping[str, Sequence[Answers]],
    min_score: float,
) -> list[Picture]:
    """Of each system, the frames with most faces that are missed or far off, and its answers."""
    pictures = []
    for system in systems:
        bad = np.array([(one.errors > FAILURE_LIMIT).sum() for one in answers[system.label]])
        for index in np.argsort(-bad, kind="stable")[:WORST].tolist():
            if bad[index]:
                caption = f"{system.label}: frame {index}, {bad[index]} faces missed or far off"
                pictures.append(Picture(caption, _drawn(frames[index], system, min_score)))
    return pictures


def _drawn(frame: Frame, system: System, min_score: float) -> bytes:
    """The answers, and in green the boxes that are to be found."""
    canvas = paint_faces(frame.image, _answered(frame, system, min_score))
    factor = scale_factor(frame.image.width, frame.image.height)
    for x1, y1, x2, y2 in (frame.boxes[frame.ignore == 0] * factor).astype(int).tolist():
        cv2.rectangle(canvas, (x1, y1), (x2, y2), GREEN, 1)
    return encode_png(canvas)
