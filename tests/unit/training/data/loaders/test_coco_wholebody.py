import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.entities import Unit
from tests.data_sets import coco_person, face, write_coco
from training.data.faces import DataSetError
from training.data.loaders.coco_wholebody import CocoWholeBody

POINTS = face()


def keypoints(**visibility: float) -> list[float]:
    """Of `POINTS`, with v of some landmarks changed: `_3=0.5`."""
    table = np.concatenate([POINTS, np.full((68, 1), 2.0)], 1)
    for name, v in visibility.items():
        table[int(name[1:]), 2] = v
    return list(table.reshape(-1).tolist())


def test_visibility_becomes_weight(tmp_path: Path) -> None:
    write_coco(tmp_path, [coco_person(POINTS, face_kpts=keypoints(_3=0.25, _5=0, _6=-1))])
    one = CocoWholeBody(tmp_path)[0]
    assert one.weight[[3, 4, 5, 6]].tolist() == [0.25, 1, 0, 0]
    assert np.isnan(one.points[[5, 6]]).all()
    np.testing.assert_allclose(one.points[3], POINTS[3], atol=1e-4)
    assert one.frame.unit == Unit.GREY8
    assert one.groups == {"split": "val"}
    assert CocoWholeBody(tmp_path).colour(0).shape == (120, 160, 3)


def test_the_box_is_of_the_points_if_all_are_there(tmp_path: Path) -> None:
    given = [10.0, 20.0, 30.0, 40.0]
    persons = [
        coco_person(POINTS, face_box=given),
        coco_person(POINTS, face_box=given, face_kpts=keypoints(_8=0)),
    ]
    write_coco(tmp_path, persons)
    whole, part = CocoWholeBody(tmp_path)
    assert whole.box.x1 == pytest.approx(POINTS[:, 0].min(), abs=1e-3)
    assert (part.box.x1, part.box.y1, part.box.x2, part.box.y2) == (10, 20, 40, 60)


def test_faces_without_a_label_are_left_out(tmp_path: Path) -> None:
    persons = [
        coco_person(POINTS, 1, face_valid=False),
        coco_person(POINTS, 2, face_kpts=[0.0] * 204),
        coco_person(POINTS, 3),
    ]
    write_coco(tmp_path, persons)
    faces = CocoWholeBody(tmp_path)
    assert [faces.label(i).name for i in range(len(faces))] == ["val/000000000139.jpg/person 3"]
    assert dict(faces.left_out) == {"face not valid": 1, "no point": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"face_kpts": [1.0] * 201},
        {"face_kpts": [float("nan")] + [1.0] * 203},
        {"face_box": [1, 2, 0, 4]},
        {"face_box": [1, 2, 3]},
    ],
)
def test_a_broken_face_is_told_when_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_coco(tmp_path, [coco_person(POINTS), coco_person(POINTS, 7, **changes)])
    faces = CocoWholeBody(tmp_path)
    assert len(faces) == 2
    with pytest.raises(DataSetError, match=r"person 7: 20\d numbers.*expected 68 x \(x, y, v\)"):
        faces.label(1)


def test_splits(tmp_path: Path) -> None:
    write_coco(tmp_path, [coco_person(POINTS)], "val")
    assert len(CocoWholeBody(tmp_path)) == 1
    with pytest.raises(DataSetError, match=r"coco_wholebody_train_v1\.0\.json: No such file"):
        CocoWholeBody(tmp_path, split="train")
    write_coco(tmp_path, [coco_person(POINTS)] * 2, "train")
    assert len(CocoWholeBody(tmp_path)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        (json.dumps({"images": []}), "KeyError 'annotations'"),
        (json.dumps({"images": [], "annotations": [coco_person(POINTS)]}), "KeyError 139"),
        (json.dumps({"images": [], "annotations": [{}]}), "KeyError 'face_valid'"),
    ],
)
def test_broken_annotations(tmp_path: Path, text: str, says: str) -> None:
    write_coco(tmp_path, []).write_text(text)
    with pytest.raises(DataSetError, match=f"coco_wholebody_val_v1.0.json: {says}"):
        CocoWholeBody(tmp_path)


def test_empty_folders_and_missing_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no valid face"):
        CocoWholeBody(tmp_path)
    write_coco(tmp_path, [coco_person(POINTS)])
    (tmp_path / "val2017" / "000000000139.jpg").unlink()
    with pytest.raises(DataSetError, match=r"000000000139\.jpg: No such file"):
        CocoWholeBody(tmp_path).frame(0)
