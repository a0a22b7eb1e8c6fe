"""Charlotte-ThermalFace: about 10,000 radiometric frames of ten subjects.

DIR/S1.csv ... S10.csv     a row a frame: ID, x0, y0 ... x72, y72 (pixels, NaN = absent), and others
DIR/S1/R11185.tiff         uint16: Celsius = v / 100 - 273.15; R, the subject's number, four digits

Front views have all 73 slots: 0-67 are the 68 landmarks, 68-72 lie on the forehead and fall away.
Side views have slots 0-42, and nobody has published which landmarks these are: they are left out,
unless the option `side` names a file that says so (`DIR/side.toml` is taken by itself):

    [slots]       # slot of a view that shows the right side of the face = landmark of the 68
    0 = 0         # of one that shows the left side, the mirrored landmark is taken
    15 = 27

At least one slot each of jaw (0-16) and nose (27-35) must be named: where the nose lies right of
the jaw, the right side is seen.

The groups `High`, `Low` and `Mean` are the published ones: faces wider than 200 pixels, narrower,
or 200 (whole pixels). Whether that is the width of the face or of the frame is not published; here
it is that of all marked points. No split is published: the last subject, S10, is held out (`val`).

Licence: R-UDA: non-commercial research only; neither the data nor models trained on it may improve
a product.
"""

import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from service.entities import FloatArray, ThermalFrame, Unit
from service.landmark_schema import FLIP, FROM_73, KEYPOINTS, REGIONS
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    known_points,
    read_counts,
    read_text,
    to_68,
)

SLOTS, SIDE_SLOTS = 73, 43
FRONT_FROM = 60  # marked slots from which a view is a front view
MEAN_WIDTH = 200  # pixels
HELD_OUT = "S10"
_COLUMNS = [f"{axis}{slot}" for slot in range(SLOTS) for axis in "xy"]
_ID = re.compile(r"R(\d+)\d{4}")


@dataclass(frozen=True)
class _Row:
    """slots: float32 `[73, 2]`, or what is wrong with them."""

    csv: Path
    identity: str
    subject: str
    slots: FloatArray | str

    @property
    def view(self) -> str:
        """front, side, or what is neither; broken rows count as front and fail when read."""
        if isinstance(self.slots, str):
            return "front"
        marked = known_points(self.slots)
        if marked.sum() >= FRONT_FROM:
            return "front"
        if not marked.any():
            return "without points"
        return "neither front nor side" if marked[SIDE_SLOTS:].any() else "side"


class Charlotte(FaceSet):
    """Front views, and side views if a mapping is given, by subject and frame."""

    name: ClassVar[str] = "charlotte"

    def __init__(self, folder: Path, *, split: str = "all", side: str = "") -> None:
        self._folder, self.left_out = folder, Counter()
        mapping = folder / (side or "side.toml")
        self._side = read_side_mapping(mapping) if side or mapping.is_file() else None
        tables = sorted(folder.glob("S*.csv"), key=lambda file: (len(file.name), file.name))
        if not tables:
            raise broken(self.name, folder, "no S*.csv", "S1.csv to S10.csv")
        self._rows = [
            row for table in tables for row in _read_table(table)
            if split in ("all", _split(row.subject)) and self._takes(row.view)
        ]  # fmt: skip
        told = "side views: unmapped, left out (no file side.toml says which landmarks they have)"
        self.notes = (f"side views by {mapping}" if self._side else told,)

    def _takes(self, view: str) -> bool:
        if view == "front" or (view == "side" and self._side):
            return True
        reason = "side view, unmapped: no mapping file" if view == "side" else view
        self.left_out[reason] += 1
        return False

    def __len__(self) -> int:
        return len(self._rows)

    def label(self, index: int) -> FaceLabel:
        row = self._rows[index]
        if isinstance(row.slots, str):
            raise broken(self.name, row.csv, f"row {row.identity}: {row.slots}", "numbers or NaN")
        points, weight = self._mapped(row)
        if not weight.any():
            raise broken(self.name, row.csv, f"row {row.identity}: no mapped point", "some")
        width = round(float(np.ptp(row.slots[known_points(row.slots), 0])))
        groups = {
            "split": _split(row.subject),
            "subject": row.subject,
            "view": row.view,
            "width": "Mean" if width == MEAN_WIDTH else "High" if width > MEAN_WIDTH else "Low",
        }
        name = f"{row.subject}/{row.identity}"
        return FaceLabel(name=name, points=points, weight=weight, box=box_of(points), groups=groups)

    def _mapped(self, row: _Row) -> tuple[FloatArray, FloatArray]:
        assert not isinstance(row.slots, str)
        if row.view == "front":
            return to_68(row.slots, FROM_73)
        assert self._side is not None
        points, weight = to_68(row.slots, self._side)
        return (points, weight) if _shows_right(points) else (points[FLIP,], weight[FLIP,])

    def frame(self, index: int) -> ThermalFrame:
        """Celsius. DataSetError for anything but 16 bits in centikelvin."""
        row = self._rows[index]
        file = self._folder / row.subject / f"{row.identity}.tiff"
        celsius = read_counts(self.name, file).astype(np.float64) / 100 - 273.15
        median = float(np.median(celsius))
        if not -20 <= median <= 60:
            raise broken(self.name, file, f"median {median:.0f} C", "uint16 centikelvin")
        return ThermalFrame(celsius.astype(np.float32), Unit.CELSIUS, "tiff16/centikelvin")


def _split(subject: str) -> str:
    return "val" if subject == HELD_OUT else "train"


def _read_table(file: Path) -> Iterator[_Row]:
    rows = csv.DictReader(read_text(Charlotte.name, file).removeprefix("\ufeff").splitlines())
    missing = [name for name in ("ID", *_COLUMNS) if name not in (rows.fieldnames or ())]
    if missing:
        wrong = f"no column {', '.join(missing[:5])}"
        raise broken(Charlotte.name, file, wrong, f"ID, x0, y0 ... x{SLOTS - 1}, y{SLOTS - 1}")
    for row in rows:
        identity = _ID.fullmatch((row["ID"] or "").strip())
        if identity is None:
            wrong = f"line {rows.line_num}: ID {row['ID']!r}"
            raise broken(Charlotte.name, file, wrong, "R, the subject's number, four digits")
        yield _Row(file, identity[0], f"S{identity[1]}", _slots(row))


def _slots(row: Mapping[str, str | None]) -> FloatArray | str:
    """An empty cell is absent, too."""
    values = [(row[name] or "").strip() if row[name] is not None else None for name in _COLUMNS]
    if None in values:
        return f"ends at column {_COLUMNS[values.index(None)]}"
    try:
        return np.array([value or "nan" for value in values], np.float32).reshape(SLOTS, 2)
    except ValueError as error:
        return str(error)


def read_side_mapping(file: Path) -> dict[int, int]:
    """Slot -> landmark, of a view that shows the right side. DataSetError says what is wrong."""
    expected = "a table [slots] of slot = landmark"
    try:
        table = tomllib.loads(read_text(Charlotte.name, file)).get("slots")
    except tomllib.TOMLDecodeError as error:
        raise broken(Charlotte.name, file, str(error), expected) from None
    if not isinstance(table, dict) or not table:
        raise broken(Charlotte.name, file, "no [slots]", expected)
    for slot, landmark in table.items():
        if not slot.isdecimal() or int(slot) >= SIDE_SLOTS:
            raise broken(Charlotte.name, file, f"slot {slot}", f"0 to {SIDE_SLOTS - 1}")
        if type(landmark) is not int or not 0 <= landmark < KEYPOINTS:
            wrong = f"slot {slot} = {landmark!r}"
            raise broken(Charlotte.name, file, wrong, f"a landmark 0 to {KEYPOINTS - 1}")
    mapping = {int(slot): landmark for slot, landmark in table.items()}
    twice = [mark for mark, count in Counter(mapping.values()).items() if count > 1]
    if twice or len(mapping) < len(table):
        raise broken(Charlotte.name, file, f"named twice: {twice or 'a slot'}", "each but once")
    if not (set(mapping.values()) & _JAW and set(mapping.values()) & _NOSE):
        raise broken(Charlotte.name, file, "no slot of jaw or nose", "one of each, to tell sides")
    return mapping


_JAW = set(range(REGIONS["jaw"][0], REGIONS["jaw"][1] + 1))
_NOSE = set(range(REGIONS["nose_bridge"][0], REGIONS["nostrils"][1] + 1))


def _shows_right(points: FloatArray) -> bool:
    """Whether the nose lies to the right of the jaw in the picture."""
    nose, jaw = (points[sorted(part), 0] for part in (_NOSE, _JAW))
    if np.isnan(nose).all() or np.isnan(jaw).all():
        return True  # nothing to tell by: the mapping as it is written
    return bool(np.nanmean(nose) > np.nanmean(jaw))
