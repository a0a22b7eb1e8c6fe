"""COCO-WholeBody: faces of people in photographs, 68 landmarks each.

DIR/annotations/coco_wholebody_{train,val}_v1.0.json    COCO's person file with `face_box`
                                                        [x, y, w, h], `face_kpts` 68 x (x, y, v)
                                                        and `face_valid`
DIR/{train2017,val2017}/000000000139.jpg

Faces that are not valid, or without a point, are left out, as mmpose does. A point's weight is
min(1, v). The box is that of the points if all have weight, else `face_box`. The file
is large and read once, at the start; what is kept of it is small.

Licence: the annotations are for research only; models trained on them may not be used commercially.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from service.entities import Box, ByteArray, FloatArray, ThermalFrame
from service.landmark_schema import KEYPOINTS
from training.data.faces import (
    FaceLabel,
    FaceSet,
    box_of,
    broken,
    grey_frame,
    read_bytes,
    read_colour,
)

_EXPECTED = "68 x (x, y, v), finite, and a box x, y, w, h with an area"
PARTS = {"train": "train2017", "val": "val2017"}


@dataclass(frozen=True)
class _Face:
    """keypoints: float32 `[68, 3]`, x, y, v. box: x, y, w, h; or what is wrong with them."""

    name: str
    split: str
    file: Path
    keypoints: FloatArray | str
    box: tuple[float, ...]


class CocoWholeBody(FaceSet):
    """Valid faces, in the order of the annotation files."""

    name: ClassVar[str] = "coco-wholebody"

    def __init__(self, folder: Path, *, split: str = "all") -> None:
        self.left_out = Counter()
        self._faces: list[_Face] = []
        for part in PARTS if split == "all" else [split]:
            file = folder / "annotations" / f"coco_wholebody_{part}_v1.0.json"
            if split != "all" or file.is_file():
                self._read(file, part, folder / PARTS.get(part, part))
        if not self._faces:
            expected = "annotations/coco_wholebody_train_v1.0.json, or val"
            raise broken(self.name, folder, "no valid face", expected)

    def _read(self, file: Path, split: str, pictures: Path) -> None:
        try:
            table = json.loads(read_bytes(self.name, file))
            names = {image["id"]: image["file_name"] for image in table["images"]}
            for person in table["annotations"]:
                reason = _reason_against(person)
                if reason:
                    self.left_out[reason] += 1
                else:
                    picture = names[person["image_id"]]
                    self._faces.append(_face(person, split, pictures / picture))
        except (ValueError, KeyError, TypeError) as error:
            wrong = f"{type(error).__name__} {error}"
            expected = "COCO's images and annotations with face_valid, face_box, face_kpts"
            raise broken(self.name, file, wrong, expected) from None

    def __len__(self) -> int:
        return len(self._faces)

    def label(self, index: int) -> FaceLabel:
        face = self._faces[index]
        if isinstance(face.keypoints, str):
            raise broken(self.name, face.name, face.keypoints, _EXPECTED)
        weight = np.clip(face.keypoints[:, 2], 0, 1)
        points = np.where(weight[:, None] > 0, face.keypoints[:, :2], np.float32(np.nan))
        x, y, w, h = face.box
        whole = bool((weight > 0).all())
        return FaceLabel(
            name=face.name,
            points=points,
            weight=weight,
            box=box_of(points) if whole else Box(x, y, x + w, y + h),
            groups={"split": face.split},
        )

    def frame(self, index: int) -> ThermalFrame:
        return grey_frame(self.colour(index), "jpeg8")

    def colour(self, index: int) -> ByteArray:
        return read_colour(self.name, self._faces[index].file)


def _reason_against(person: dict[str, Any]) -> str:
    if not person["face_valid"]:
        return "face not valid"
    return "" if any(v > 0 for v in person["face_kpts"][2::3]) else "no point"


def _face(person: dict[str, Any], split: str, file: Path) -> _Face:
    flat = np.array(person["face_kpts"], np.float32)
    box = tuple(float(value) for value in person["face_box"])
    told: FloatArray | str = f"{flat.size} numbers, box {list(box)}"
    whole = flat.size == 3 * KEYPOINTS and np.isfinite(flat).all()
    if whole and len(box) == 4 and min(box[2:]) > 0:
        told = flat.reshape(KEYPOINTS, 3)
    return _Face(f"{split}/{file.name}/person {person.get('id')}", split, file, told, box)
