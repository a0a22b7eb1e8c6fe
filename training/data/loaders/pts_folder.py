"""Images with a `.pts` file of the same stem beside each: the layout of 300W.

version: 1
n_points: 68
{
x y        (68 lines; pixels counted from 1, as Matlab does)
}

In 300W the folders are afw, helen/{trainset,testset}, lfpw/{trainset,testset}, ibug and
Test/{01_Indoor,02_Outdoor}. As usual, the test sets of helen and lfpw are `common`, ibug is
`challenge`, Test is `private`, and the rest is for training. Other folders are `other`: training,
too. Any of these folders can be given alone, under its own name. Every 20th picture for training is
held out (`val`): with all its faces, which are `NAME_1`, `NAME_2`, ... (up to `_99`).

Licence: 300W is for research only; models trained on it may not be used commercially.
"""

import os
import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import ByteArray, FloatArray, ThermalFrame
from service.landmark_schema import KEYPOINTS
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    read_colour,
    read_frame,
    read_text,
    split_of,
)
from training.real_faces import SUFFIXES

_SUBSETS = {"afw": "train", "trainset": "train", "testset": "common", "ibug": "challenge",
            "Test": "private"}  # fmt: skip
_FOR_TRAINING = ("train", "other")
_FACE = re.compile(r"_[1-9]\d?$")  # of a photograph; lfpw's image_0001 is another photograph


class PtsFolder(FaceSet):
    """All faces below a folder, in the order of their names; the box is that of the points."""

    name: ClassVar[str] = "300w"

    def __init__(self, folder: Path, *, split: str = "all") -> None:
        self._folder, self.left_out = folder, Counter()
        files = sorted(folder.rglob("*.pts"))
        if not files:
            raise broken(self.name, folder, "no .pts files", "one beside each image")
        subsets = [self._subset(file) for file in files]
        photographs: dict[Path, int] = {}  # those for training alone, numbered
        self._files: list[tuple[Path, str, str]] = []  # file, split, subset
        for file, subset in zip(files, subsets, strict=True):
            of_file = "test"
            if subset in _FOR_TRAINING:
                photograph = file.with_name(_FACE.sub("", file.stem))
                number = photographs.setdefault(photograph, len(photographs) + 1)
                of_file = split_of(number)
            if split in ("all", of_file):
                self._files.append((file, of_file, subset))

    def _subset(self, file: Path) -> str:
        below = file.relative_to(self._folder).parts[:-1]
        above = (*self._folder.resolve().parts, *Path(os.path.abspath(self._folder)).parts)
        parts = reversed((*above, *below))  # the nearest folder counts
        return next((_SUBSETS[part] for part in parts if part in _SUBSETS), "other")

    def __len__(self) -> int:
        return len(self._files)

    def label(self, index: int) -> FaceLabel:
        """DataSetError for a missing image, or points that are no 68 pairs."""
        file, split, subset = self._files[index]
        points = read_pts(file)
        return FaceLabel(
            name=_image_beside(file).relative_to(self._folder).as_posix(),
            points=points,
            weight=np.ones(KEYPOINTS, np.float32),
            box=box_of(points),
            groups={"split": split, "subset": subset},
        )

    def frame(self, index: int) -> ThermalFrame:
        return read_frame(self.name, _image_beside(self._files[index][0]))

    def colour(self, index: int) -> ByteArray:
        return read_colour(self.name, _image_beside(self._files[index][0]))


def read_pts(file: Path) -> FloatArray:
    """Points float32 `[68, 2]`, pixels from 0. DataSetError if the file holds anything else."""
    body = read_text(PtsFolder.name, file).partition("{")[2].partition("}")[0]
    try:
        points = np.array(body.split(), np.float32).reshape(-1, 2)
    except ValueError:
        raise broken(PtsFolder.name, file, "no list of x y", "68 between braces") from None
    if len(points) != KEYPOINTS or not np.isfinite(points).all():
        raise broken(PtsFolder.name, file, f"{len(points)} points", f"{KEYPOINTS} finite ones")
    return points - np.float32(1)


def _image_beside(file: Path) -> Path:
    found = [path for path in file.parent.glob(f"{file.stem}.*") if path.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise broken(PtsFolder.name, file, f"{len(found)} images of that name", "one")
    return found[0]
