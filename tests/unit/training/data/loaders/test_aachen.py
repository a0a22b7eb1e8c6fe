import json
from pathlib import Path

import numpy as np
import pytest

from tests.data_sets import face, write_aachen
from training.data.faces import DataSetError
from training.data.loaders.aachen import Aachen, read_ljson

STEMS = ["irface_sub001_seq02_frm00006.jpg_lfb", "irface_sub020_seq01_frm00001.jpg_lfb"]


def test_points_are_stored_with_y_first(tmp_path: Path) -> None:
    write_aachen(tmp_path, STEMS, face())
    faces = Aachen(tmp_path)
    one = faces[0]
    np.testing.assert_allclose(one.points, face(), atol=1e-4)
    assert one.name == f"{STEMS[0]}.png"
    assert one.groups == {"split": "train", "subject": "1"}
    assert one.frame.width == 160
    assert Aachen(tmp_path, split="val").label(0).groups["subject"] == "20"


def test_points_that_are_absent(tmp_path: Path) -> None:
    points = face()
    points[4, 0] = np.nan
    write_aachen(tmp_path, STEMS, points)
    one = Aachen(tmp_path).label(0)
    assert np.flatnonzero(one.weight == 0).tolist() == [4]
    assert np.isnan(one.points[4]).all()
    write_aachen(tmp_path, STEMS, np.full((68, 2), np.nan))
    with pytest.raises(DataSetError, match="no finite point"):
        Aachen(tmp_path).label(0)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"landmarks": {"points": [[1, 2]] * 67}}, r"points \(67, 2\); expected 68 pairs"),
        ({"landmarks": {"points": [[1, 2], [3]]}}, "ValueError"),
        ({"landmarks": []}, "TypeError"),
        ({}, "KeyError 'landmarks'"),
    ],
)
def test_broken_labels(tmp_path: Path, table: object, says: str) -> None:
    file = tmp_path / "a.ljson"
    file.write_text(json.dumps(table))
    with pytest.raises(DataSetError, match=f"aachen: .*{says}"):
        read_ljson(file)


def test_empty_folders_and_strange_names(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"no \.ljson files"):
        Aachen(tmp_path)
    write_aachen(tmp_path, ["a"], face())
    with pytest.raises(DataSetError, match="name without _sub"):
        Aachen(tmp_path)
