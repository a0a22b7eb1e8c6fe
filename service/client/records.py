"""Answers as lines of text: JSON lines and CSV. docs/client.md lists the fields."""

import csv
import json
import sys
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

import numpy as np

from service.client.answers import Answer
from service.entities import Face, FloatArray

_LANDMARKS: Final = 68
_FACE_FIELDS: Final = (
    "frame", "time", "track_id", "box_x1", "box_y1", "box_x2", "box_y2", "score", "verdict",
)  # fmt: skip
CSV_FIELDS: Final = (
    *_FACE_FIELDS,
    *(f"{name}{index}" for index in range(_LANDMARKS) for name in ("x", "y", "sigma")),
)


class Output(Protocol):
    """Something that answers are written to, one by one, in a thread."""

    def write(self, answer: Answer) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """One JSON object a frame. path: `-` is standard output."""

    def __init__(self, path: str) -> None:
        self._own = path != "-"
        self._file: TextIO = open(path, "w", encoding="utf-8") if self._own else sys.stdout

    def write(self, answer: Answer) -> None:
        self._file.write(json.dumps(answer_fields(answer)) + "\n")
        self._file.flush()  # whoever reads along is never behind

    def close(self) -> None:
        if self._own:
            self._file.close()


class Csv:
    """One row a face."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(CSV_FIELDS)

    def write(self, answer: Answer) -> None:
        for face in answer.faces:
            box = face.box
            points = _rounded(face.landmarks[:, [0, 1, 3]], 3).ravel().tolist()
            corners = (round(side, 3) for side in (box.x1, box.y1, box.x2, box.y2))
            track = "" if face.track_id is None else face.track_id
            head = (answer.frame_id, f"{answer.captured:.6f}", track, *corners)
            self._rows.writerow((*head, round(box.score, 4), _verdict(face) or "", *points))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def answer_fields(answer: Answer) -> dict[str, Any]:
    """What a JSON line holds: of a face, the fields of `POST /landmarks` by the same names."""
    prediction, error = answer.prediction, answer.error
    return {
        "frame": answer.frame_id,
        "time": answer.captured,
        "latency_ms": round(1000 * answer.latency_s, 2),
        "dropped": answer.dropped,
        "events": sorted(answer.events),
        "width": prediction.width if prediction else None,
        "height": prediction.height if prediction else None,
        "unit": prediction.unit if prediction else None,
        "normalisation": prediction.normalisation if prediction else None,
        "faces": [_face_fields(face) for face in answer.faces],
        "timings_ms": {name: round(ms, 3) for name, ms in answer.timings_ms.items()},
        "error": {"code": error.code, "detail": error.detail} if error else None,
    }


def _face_fields(face: Face) -> dict[str, Any]:
    box = face.box
    return {
        "track_id": face.track_id,
        "box": [round(side, 3) for side in (box.x1, box.y1, box.x2, box.y2)],
        "score": round(box.score, 4),
        "landmarks": _rounded(face.landmarks[:, :3], 3).tolist(),
        "sigma": _rounded(face.landmarks[:, 3], 3).tolist(),
        "velocities": None if face.velocities is None else _rounded(face.velocities, 2).tolist(),
        "verdict": _verdict(face),
        "reasons": list(face.verdict.reasons) if face.verdict else None,
        "temperatures": None
        if face.temperatures is None
        else {region: round(celsius, 2) for region, celsius in face.temperatures.items()},
    }


def _rounded(values: FloatArray, digits: int) -> FloatArray:
    """In float64: a float32 has no short decimal form."""
    return np.asarray(values.astype(np.float64).round(digits))


def _verdict(face: Face) -> str | None:
    if face.verdict is None:
        return None
    return "reliable" if face.verdict.reliable else "uncertain"
