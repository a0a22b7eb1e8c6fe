"""SF-TL54: thermal faces in grey and in the iron palette with 54 landmarks.

DIR/{gray,iron}/{train,val,test}/images/100_1_2_1_1134_36_1.png   subject, trial, expression,
                                                                  position, ...; 464 x 348
DIR/{gray,iron}/{train,val,test}/json/100_1_2_1_1134_36_1.json    labelme: `shapes`; one labelled
                                                                  `face` is the box, the points of
                                                                  all others are the 54, in order
DIR/rgb/{train,val,test}/*                                        colour partners, by sorted place
DIR/challenging_images.csv                                        sub_id, trial_id, pos_id

54 of the 68 landmarks are marked; 14 of the lips are not, and have no weight. Images that the
authors call challenging are left out, as they do; the option `challenging=include` keeps them.
`pictures=iron` reads the iron ones. That the colour partners share the thermal pixels is not
documented: those of another size are refused, look at the others before training on pairs.

Licence: its code is MIT; no terms of the data are known here. Ask the authors before any commercial
use of the data or of models trained on it.
"""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import ByteArray, FloatArray, ThermalFrame
from service.errors import ServiceError
from service.imaging.sniff import read_header
from service.landmark_schema import FROM_54
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    read_bytes,
    read_colour,
    read_frame,
    read_text,
    to_68,
)
from training.real_faces import SUFFIXES

POINTS = 54
_PICTURES = ("gray", "iron")
_PARTS = ("train", "val", "test")
_CHALLENGING = "challenging_images.csv"


class SfTl54(FaceSet):
    """Faces by split and name."""

    name: ClassVar[str] = "sf-tl54"
    notes = ("14 points of the lips are not annotated: they do not count",)

    def __init__(
        self, folder: Path, *, split: str = "all", pictures: str = "gray",
        challenging: str = "exclude",
    ) -> None:  # fmt: skip
        self._folder, self.left_out = folder, Counter()
        if pictures not in _PICTURES:
            raise broken(self.name, folder, f"pictures={pictures}", " or ".join(_PICTURES))
        if challenging not in ("exclude", "include"):
            raise broken(self.name, folder, f"challenging={challenging}", "exclude or include")
        chosen = [part for part in _PARTS if split in ("all", part)]
        of_split = {part: _images(folder / pictures / part / "images") for part in chosen}
        skip = set() if challenging == "include" else _read_challenging(folder)
        self._files = []  # image, split, place in the sorted folder
        for part, files in of_split.items():
            for place, file in enumerate(files):
                if _key(file) in skip:
                    self.left_out["called challenging by its authors"] += 1
                else:
                    self._files.append((file, part, place))
        self._counts = {part: len(files) for part, files in of_split.items()}
        self._partners = {part: _images(folder / "rgb" / part) for part in chosen}
        if not self._files:
            where = f"{pictures}/{{{','.join(chosen)}}}/images"
            raise broken(self.name, folder, f"no images in {where}", "PNG files there")

    def __len__(self) -> int:
        return len(self._files)

    def label(self, index: int) -> FaceLabel:
        image, split, _ = self._files[index]
        file = image.parent.parent / "json" / f"{image.stem}.json"
        points, weight = to_68(read_labelme(file), FROM_54)
        return FaceLabel(
            name=image.relative_to(self._folder).as_posix(),
            points=points,
            weight=weight,
            box=box_of(points),
            groups={"split": split, "subject": image.name.partition("_")[0]},
        )

    def frame(self, index: int) -> ThermalFrame:
        return read_frame(self.name, self._files[index][0])

    def colour(self, index: int) -> ByteArray:
        image, split, place = self._files[index]
        partners, expected = self._partners[split], self._counts[split]
        if len(partners) != expected:
            wrong = f"{len(partners)} images"
            folder = self._folder / "rgb" / split
            raise broken(self.name, folder, wrong, f"{expected}, paired by sorted place")
        colour = read_colour(self.name, partners[place])
        try:
            header = read_header(read_bytes(self.name, image))
        except ServiceError as error:
            raise broken(self.name, image, str(error), "a picture") from None
        if colour.shape[:2] != (header.height, header.width):
            wrong = f"{colour.shape[1]} x {colour.shape[0]} pixels"
            size = f"{header.width} x {header.height}, those of its thermal partner"
            raise broken(self.name, partners[place], wrong, size)
        return colour


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def _key(image: Path) -> tuple[str, ...]:
    """Subject, trial and position; shorter for other names, and so never challenging."""
    parts = image.stem.split("_")
    return (*parts[:2], *parts[3:4])


def _read_challenging(folder: Path) -> set[tuple[str, ...]]:
    file, columns = folder / _CHALLENGING, ("sub_id", "trial_id", "pos_id")
    expected = f"columns {', '.join(columns)}; challenging=include does without"
    rows = csv.DictReader(read_text(SfTl54.name, file).removeprefix("\ufeff").splitlines())
    if not set(columns) <= {name.strip() for name in rows.fieldnames or ()}:
        raise broken(SfTl54.name, file, f"columns {rows.fieldnames}", expected)
    rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
    return {tuple((row[name] or "").strip() for name in columns) for row in rows}


def read_labelme(file: Path) -> FloatArray:
    """float32 `[54, 2]`, in the file's order. DataSetError if it holds anything else."""
    try:
        shapes = json.loads(read_text(SfTl54.name, file))["shapes"]
        pairs = [pair for shape in shapes if shape["label"] != "face" for pair in shape["points"]]
        points = np.array(pairs, np.float32).reshape(-1, 2)
    except (ValueError, KeyError, TypeError) as error:
        wrong = f"{type(error).__name__} {error}"
        raise broken(SfTl54.name, file, wrong, "labelme's shapes with points") from None
    if len(points) != POINTS or not np.isfinite(points).all():
        raise broken(SfTl54.name, file, f"{len(points)} points", f"{POINTS} finite ones")
    return points
