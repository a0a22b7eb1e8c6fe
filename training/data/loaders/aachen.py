"""The thermal face database of RWTH Aachen: 68 landmarks on 1024 x 768 grey pictures.

DIR/irface_sub001_seq02_frm00006.jpg_lfb.png      and beside it, of the same stem,
DIR/irface_sub001_seq02_frm00006.jpg_lfb.ljson    {"landmarks": {"points": 68 x [y, x]}}

No split is published: every 20th subject is held out (`val`).

Licence: handed out by the institute on registration, under the terms signed there.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import FloatArray, ThermalFrame
from service.landmark_schema import KEYPOINTS
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    known_points,
    read_frame,
    read_text,
    split_of,
)

_SUBJECT = re.compile(r"_sub(\d+)_")


class Aachen(FaceSet):
    """Faces in the order of their names; the box is that of the points."""

    name: ClassVar[str] = "aachen"

    def __init__(self, folder: Path, *, split: str = "all") -> None:
        self._folder, self.left_out = folder, Counter()
        files = [(file, _subject(file)) for file in sorted(folder.glob("*.ljson"))]
        if not files:
            raise broken(self.name, folder, "no .ljson files", "one beside each picture")
        self._files = [
            (file, subject) for file, subject in files if split in ("all", split_of(subject))
        ]

    def __len__(self) -> int:
        return len(self._files)

    def label(self, index: int) -> FaceLabel:
        file, subject = self._files[index]
        points = read_ljson(file)
        weight = np.asarray(known_points(points), np.float32)
        if not weight.any():
            raise broken(self.name, file, "no finite point", f"{KEYPOINTS} pairs y, x")
        return FaceLabel(
            name=file.with_suffix(".png").name,
            points=points,
            weight=weight,
            box=box_of(points),
            groups={"split": split_of(subject), "subject": str(subject)},
        )

    def frame(self, index: int) -> ThermalFrame:
        return read_frame(self.name, self._files[index][0].with_suffix(".png"))


def _subject(file: Path) -> int:
    found = _SUBJECT.search(file.name)
    if found is None:
        raise broken(Aachen.name, file, "a name without _sub", "names as irface_sub001_seq02_...")
    return int(found[1])


def read_ljson(file: Path) -> FloatArray:
    """Points float32 `[68, 2]` as x, y; nan where the file has null for a coordinate."""
    try:
        pairs = json.loads(read_text(Aachen.name, file))["landmarks"]["points"]
        points = np.array(pairs, np.float64).astype(np.float32)
    except (ValueError, KeyError, TypeError) as error:
        wrong = f"{type(error).__name__} {error}"
        raise broken(Aachen.name, file, wrong, '{"landmarks": {"points": [[y, x], ...]}}') from None
    if points.shape != (KEYPOINTS, 2):
        raise broken(Aachen.name, file, f"points {points.shape}", f"{KEYPOINTS} pairs y, x")
    points = np.ascontiguousarray(points[:, ::-1])
    points[~known_points(points)] = np.nan
    return points
