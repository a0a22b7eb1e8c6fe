"""What a data set on disk holds, and what of it cannot be used."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from service.entities import FloatArray, ThermalFrame
from training.data.faces import DataSetError, FaceLabel, FaceSet, FrameSet
from training.data.sample import MAX_BOXES
from training.data.sets import PAIRED, Source, licence

SHOWN: Final = 10  # broken files that are named


@dataclass
class Findings:
    """faces: those listed; looked_at: those read; usable: those of them that could be. For sets of
    frames the three count frames, and boxes their faces.

    groups: breakdown -> group -> faces. masked: landmark -> faces in which it is not annotated.
    outside: points beyond the edge of their picture. sizes: `640 x 480` -> pictures. sources: how
    pictures are stored -> pictures. values: unit -> smallest and largest value. face_px: smallest,
    median and largest sqrt(w * h) in pixels.
    """

    source: str
    things: str = "faces"
    faces: int = 0
    looked_at: int = 0
    usable: int = 0
    boxes: int = 0
    crowded: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    groups: dict[str, Counter[str]] = field(default_factory=dict)
    masked: Counter[int] = field(default_factory=Counter)
    outside: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    values: dict[str, tuple[float, float]] = field(default_factory=dict)
    face_px: list[float] = field(default_factory=list)
    partners: int | None = None
    broken: list[str] = field(default_factory=list)
    broken_partners: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    licence: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; of the broken ones, how many, and the first."""
        table = dict(vars(self))
        for name in ("broken", "broken_partners"):
            table[name] = {"count": len(table[name]), "first": table[name][:SHOWN]}
        table["face_px"] = _three(self.face_px)
        return table


def check(source: Source, pictures: int = 0) -> Findings:
    """Read every face, or `pictures` of them spread over the set. DataSetError if there is none."""
    opened = source.open()
    found = Findings(str(source), faces=len(opened), licence=licence(source.name))
    found.left_out, found.notes = dict(opened.left_out), list(opened.notes)
    looked_at = range(len(opened))
    if 0 < pictures < len(opened):
        looked_at = np.linspace(0, len(opened) - 1, pictures).astype(int).tolist()
    found.looked_at = len(looked_at)
    if isinstance(opened, FrameSet):
        found.things = "frames"
        _look_at_frames(opened, looked_at, found)
    else:
        found.partners = 0 if source.name in PAIRED else None
        _look_at_faces(opened, looked_at, found)
    return found


def _look_at_faces(faces: FaceSet, indices: Iterable[int], found: Findings) -> None:
    for index in indices:
        try:
            label = faces.label(index)
            frame = faces.frame(index)
        except DataSetError as error:
            found.broken.append(str(error))
            continue
        found.usable += 1
        _add_picture(found, frame)
        _add_groups(found, label.groups)
        _add_points(found, label, frame)
        if found.partners is not None:
            try:
                faces.colour(index)
                found.partners += 1
            except DataSetError as error:
                found.broken_partners.append(str(error))


def _add_points(found: Findings, label: FaceLabel, frame: ThermalFrame) -> None:
    known = label.points[label.weight > 0]
    found.masked.update(np.flatnonzero(label.weight == 0).tolist())
    found.outside += _outside(known, frame)
    found.face_px.append(label.box.size)


def _look_at_frames(frames: FrameSet, indices: Iterable[int], found: Findings) -> None:
    for index in indices:
        try:
            label, frame = frames.label(index), frames.frame(index)
        except DataSetError as error:
            found.broken.append(str(error))
            continue
        found.usable += 1
        found.boxes += len(label.boxes)
        found.crowded += len(label.boxes) > MAX_BOXES
        _add_picture(found, frame)
        _add_groups(found, label.groups)
        found.outside += _outside(label.points.reshape(-1, 2), frame)
        extent = label.boxes[:, 2:] - label.boxes[:, :2]
        found.face_px += np.sqrt(np.prod(extent, axis=1)).tolist()


def _add_picture(found: Findings, frame: ThermalFrame) -> None:
    found.sizes[f"{frame.width} x {frame.height}"] += 1
    found.sources[frame.source] += 1
    low, high = float(frame.values.min()), float(frame.values.max())
    before = found.values.get(frame.unit, (low, high))
    found.values[str(frame.unit)] = (min(low, before[0]), max(high, before[1]))


def _add_groups(found: Findings, groups: Any) -> None:
    for name, group in groups.items():
        found.groups.setdefault(name, Counter())[group] += 1


def _outside(points: FloatArray, frame: ThermalFrame) -> int:
    limits = np.array([frame.width, frame.height]) - 0.5
    return int(((points < -0.5) | (points > limits)).any(axis=1).sum())


def _three(sizes: list[float]) -> list[float]:
    if not sizes:
        return []
    return [round(float(value), 1) for value in (min(sizes), np.median(sizes), max(sizes))]


def described(found: Findings) -> str:
    """For a terminal."""
    usable = f"{found.usable} of {found.looked_at} usable"
    lines = [f"{found.source}: {found.faces} {found.things}, {usable}"]
    lines += [f"left out: {count}, {reason}" for reason, count in found.left_out.items()]
    lines += [f"{name}: {_counts(groups)}" for name, groups in found.groups.items()]
    if found.boxes:
        lines.append(f"boxes: {found.boxes}; {found.crowded} frames with more than {MAX_BOXES},")
        lines[-1] += " which training leaves out"
    lines += _points_lines(found)
    lines.append(f"pictures: {_counts(found.sizes)}; {_counts(found.sources)}")
    lines += [f"values: {unit}, {a:.1f} to {b:.1f}" for unit, (a, b) in found.values.items()]
    if found.partners is not None:
        lines.append(f"colour partners: {found.partners} of {found.usable}")
    lines.append("preparation: none needed, pictures are read when asked for")
    lines += [*(f"note: {note}" for note in found.notes), f"licence: {found.licence}"]
    for title, messages in (("broken", found.broken), ("no partner", found.broken_partners)):
        if messages:
            lines.append(f"{title}: {len(messages)}, the first:")
            lines += [f"  {message}" for message in messages[:SHOWN]]
    return "\n".join(lines)


def _points_lines(found: Findings) -> list[str]:
    lines = []
    if found.masked:
        where = ", ".join(f"{mark}" for mark in sorted(found.masked))
        total = found.masked.total()
        lines.append(f"points not annotated: {total}, of landmarks {where}: they do not count")
    if found.outside:
        lines.append(f"points outside their picture: {found.outside}")
    if found.face_px:
        low, middle, high = _three(found.face_px)
        lines.append(f"face size, sqrt(w * h): {low} to {high} pixels, median {middle}")
    return lines


def _counts(counter: Counter[str]) -> str:
    """Ten of them, the largest first; the rest as a number."""
    shown = [f"{name} {count}" for name, count in counter.most_common(10)]
    more = len(counter) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more else shown)
