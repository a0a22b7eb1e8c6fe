"""T-FAKE (thermal partners) and FaceSynthetics (the rendered faces they were made from).

DIR/fake/000000.png            colour, 512 x 512
DIR/fake/000000_ldmks.txt      70 lines `x y`, in its pixels: 68 in iBUG order, then two pupils
DIR/warm/000000_thermal.png    uint16 [512, 512]: Celsius = 20 + 20 v / 65535
DIR/cold/000000_thermal.png    the same face on a cold day

Files belong together by the number before `_` or `.`. The options `rgb`, `warm` and `cold` name
other folders below DIR; without a warm and a cold one, `*_thermal.png` in the colour folder count.
No split is published: every 20th number is held out (`val`), in both seasons.

Layout: README of FaceSynthetics, and `LandmarkerCode/tfan/core/datasets.py` of T-FAKE. That 0 and
65535 stand for 20 and 40 Celsius is inferred from the range its README trains on.

Licence: FaceSynthetics and T-FAKE are for non-commercial research only, and so are models trained
on them.
"""

import re
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import ByteArray, FloatArray, ThermalFrame, Unit
from service.landmark_schema import FROM_70
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    grey_frame,
    read_colour,
    read_counts,
    read_text,
    split_of,
    to_68,
)

SIDE = 512  # pixels; the labels hold in them
POINTS = 70
LOWEST, RANGE = np.float32(20), np.float32(20)  # Celsius
_NUMBER = re.compile(r"(\d+)(?=[_.])")
_CAVEAT = (
    "its landmarks are projected 3-D points, not points on the contour: jaw points lie"
    " systematically elsewhere than those of 300W"
)


class FaceSynthetics(FaceSet):
    """The colour pictures alone."""

    name: ClassVar[str] = "facesynthetics"
    notes = (_CAVEAT,)

    def __init__(self, folder: Path, *, split: str = "all", rgb: str = "fake") -> None:
        self._rgb, self.left_out = folder / rgb, Counter()
        files = sorted(self._rgb.glob("*_ldmks.txt"))
        if not files:
            raise broken(self.name, self._rgb, "no *_ldmks.txt", "landmarks beside each picture")
        self._numbers = [
            number for file in files if split in ("all", split_of(int(number := _number(file))))
        ]

    def __len__(self) -> int:
        return len(self._numbers)

    def label(self, index: int) -> FaceLabel:
        number = self._numbers[index]
        return _label(self.name, self._rgb, number, f"{number}.png", {})

    def frame(self, index: int) -> ThermalFrame:
        return grey_frame(self.colour(index), "png8")

    def colour(self, index: int) -> ByteArray:
        return _colour(self.name, self._rgb, self._numbers[index])


class TFake(FaceSet):
    """The thermal pictures, warm before cold, with the colour pictures as partners."""

    name: ClassVar[str] = "tfake"
    notes = (_CAVEAT,)

    def __init__(
        self, folder: Path, *, split: str = "all", rgb: str = "fake",
        warm: str = "warm", cold: str = "cold",
    ) -> None:  # fmt: skip
        self._rgb, self.left_out = folder / rgb, Counter()
        seasons = {"warm": folder / warm, "cold": folder / cold}
        seasons = {name: path for name, path in seasons.items() if path.is_dir()}
        self._files = [
            (file, season)
            for season, path in (seasons or {"unnamed": self._rgb}).items()
            for file in sorted(path.glob("*thermal.png"))
            if split in ("all", split_of(int(_number(file))))
        ]
        if not self._files:
            found = f"no *_thermal.png of split {split} in {warm}/, {cold}/ or {rgb}/"
            raise broken(self.name, folder, found, "thermal pictures there")

    def __len__(self) -> int:
        return len(self._files)

    def label(self, index: int) -> FaceLabel:
        file, season = self._files[index]
        name = file.relative_to(self._rgb.parent).as_posix()
        return _label(self.name, self._rgb, _number(file), name, {"season": season})

    def frame(self, index: int) -> ThermalFrame:
        """Celsius. DataSetError for anything but 16 bits: cut to 8 they are no temperatures."""
        file, _ = self._files[index]
        stored = read_counts(self.name, file)
        _check_side(self.name, file, stored.shape[1], stored.shape[0])
        celsius = LOWEST + RANGE * stored / np.float32(65535)
        return ThermalFrame(celsius, Unit.CELSIUS, "png16/tfake")

    def colour(self, index: int) -> ByteArray:
        return _colour(self.name, self._rgb, _number(self._files[index][0]))


def _number(file: Path) -> str:
    """The digits that partners share."""
    found = _NUMBER.match(file.name)
    if found is None:
        raise broken(TFake.name, file, "a name without a number", "names as 000000_thermal.png")
    return found[1]


def _label(
    data_set: str, folder: Path, number: str, name: str, groups: dict[str, str]
) -> FaceLabel:
    points, weight = to_68(read_landmarks(data_set, folder / f"{number}_ldmks.txt"), FROM_70)
    groups = {"split": split_of(int(number)), **groups}
    return FaceLabel(name=name, points=points, weight=weight, box=box_of(points), groups=groups)


def read_landmarks(data_set: str, file: Path) -> FloatArray:
    """float32 `[70, 2]`. DataSetError if the file holds anything else."""
    try:
        points = np.array(read_text(data_set, file).split(), np.float32).reshape(-1, 2)
    except ValueError:
        raise broken(data_set, file, "no list of x y", f"{POINTS} lines of them") from None
    if len(points) != POINTS or not np.isfinite(points).all():
        raise broken(data_set, file, f"{len(points)} points", f"{POINTS} finite ones")
    return points


def _colour(data_set: str, folder: Path, number: str) -> ByteArray:
    file = folder / f"{number}.png"
    colour = read_colour(data_set, file)
    _check_side(data_set, file, colour.shape[1], colour.shape[0])
    return colour


def _check_side(data_set: str, file: Path, width: int, height: int) -> None:
    if (width, height) != (SIDE, SIDE):
        raise broken(
            data_set, file, f"{width} x {height} pixels", f"{SIDE} x {SIDE}: those of the labels"
        )
