"""TFW (Thermal Faces in the Wild): boxes and five points of faces in thermal frames.

DIR/{train,val,test}/{indoor,outdoor}.csv       a row a face: name, xs, ys, xe, ye, p1x, p1y ...
                                                p5x, p5y (pixels)
DIR/{train,val,test}/{indoor,outdoor}[_gray]/   the frames, 464 x 348, in a palette or in grey

The option `pictures=gray` reads the folders `_gray`. The five points are the centres of the eyes,
the tip of the nose and the corners of the mouth, the subject's right one first. Boxes are TFW's
own: its annotators' sense of where a face ends is not that of the 68 landmarks' box.

Licence: its code is MIT; no terms of the data are known here. Ask the authors before any commercial
use of the data or of models trained on it.
"""

import csv
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import FloatArray, ThermalFrame
from training.data.faces import FrameLabel, FrameSet, broken, read_frame, read_text

_PARTS, _PLACES = ("train", "val", "test"), ("indoor", "outdoor")
_NUMBERS = 14  # of a row, after the name
_EXPECTED = f"a name and {_NUMBERS} numbers"


class Tfw(FrameSet):
    """Frames with at least one face, by split, place and order of the tables."""

    name: ClassVar[str] = "tfw"
    notes = ("boxes are TFW's own, not those of 68 landmarks",)

    def __init__(self, folder: Path, *, split: str = "all", pictures: str = "colour") -> None:
        if pictures not in ("colour", "gray"):
            raise broken(self.name, folder, f"pictures={pictures}", "colour or gray")
        self.left_out = Counter()
        suffix = "_gray" if pictures == "gray" else ""
        self._frames: list[tuple[Path, str, str, list[FloatArray]]] = []
        for part in _PARTS:
            for place in _PLACES:
                file = folder / part / f"{place}.csv"
                if split in ("all", part) and file.is_file():
                    self._frames += [
                        (folder / part / f"{place}{suffix}" / name, part, place, rows)
                        for name, rows in read_table(file).items()
                    ]
        if not self._frames:
            expected = "train/indoor.csv and so on, with faces"
            raise broken(self.name, folder, f"no frames of split {split}", expected)

    def __len__(self) -> int:
        return len(self._frames)

    def label(self, index: int) -> FrameLabel:
        """DataSetError for a box that is none."""
        file, split, place, faces = self._frames[index]
        rows = np.stack(faces)
        boxes = rows[:, :4]
        if not (np.isfinite(rows).all() and (boxes[:, 2:] > boxes[:, :2]).all()):
            raise broken(self.name, file, "a box without area or a nan", "xs < xe and ys < ye")
        return FrameLabel(
            name=f"{split}/{place}/{file.name}",
            boxes=boxes,
            points=rows[:, 4:].reshape(-1, 5, 2),
            groups={"split": split, "place": place},
        )

    def frame(self, index: int) -> ThermalFrame:
        return read_frame(self.name, self._frames[index][0])


def read_table(file: Path) -> dict[str, list[FloatArray]]:
    """Rows float32 `[14]` by name of the frame. The first line may be a heading."""
    frames: dict[str, list[FloatArray]] = {}
    lines = read_text(Tfw.name, file).removeprefix("\ufeff").splitlines()
    for number, row in enumerate(csv.reader(lines, skipinitialspace=True), start=1):
        if not row:
            continue
        try:
            values = np.array(row[1:], np.float32)
        except ValueError as error:
            if number == 1:
                continue  # a heading
            raise broken(Tfw.name, file, f"line {number}: {error}", _EXPECTED) from None
        if len(values) != _NUMBERS:
            raise broken(Tfw.name, file, f"line {number}: {len(values)} numbers", _EXPECTED)
        frames.setdefault(row[0].strip(), []).append(values)
    return frames
