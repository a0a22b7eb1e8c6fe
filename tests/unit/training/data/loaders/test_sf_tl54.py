import json
from pathlib import Path

import numpy as np
import pytest

from service.entities import Unit
from tests.data_sets import colour_picture, face, write_picture, write_sf_tl54
from training.data.faces import DataSetError
from training.data.loaders.sf_tl54 import SfTl54, read_labelme

NAMES = {"train": ["10_1_2_1_5_1_1", "7_1_1_3_5_1_1", "7_2_1_3_5_1_1"], "test": ["8_1_1_1_5_1_1"]}
SIZE = (160, 120)
MISSING = [49, 50, 52, 53, 55, 56, 58, 59, 60, 61, 63, 64, 65, 67]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sf_tl54(tmp_path, NAMES, SIZE)
    return tmp_path


def test_54_points_and_the_mask_of_the_others(folder: Path) -> None:
    faces = SfTl54(folder)
    one = faces[0]
    known = one.weight > 0
    assert np.flatnonzero(~known).tolist() == MISSING
    np.testing.assert_allclose(one.points[known], face((80, 60), 40)[known], atol=1e-4)
    assert np.isnan(one.points[~known]).all()
    assert one.box.x1 == pytest.approx(face((80, 60), 40)[:, 0].min())
    assert one.frame.unit == Unit.GREY8
    assert one.groups == {"split": "train", "subject": "10"}


def test_challenging_images_are_left_out_unless_asked_for(folder: Path) -> None:
    faces = SfTl54(folder)
    assert [faces.label(i).name.split("/")[-1] for i in range(len(faces))] == [
        "10_1_2_1_5_1_1.png", "7_2_1_3_5_1_1.png", "8_1_1_1_5_1_1.png",
    ]  # fmt: skip
    assert dict(faces.left_out) == {"called challenging by its authors": 1}
    assert len(SfTl54(folder, challenging="include")) == 4
    (folder / "challenging_images.csv").unlink()
    with pytest.raises(DataSetError, match=r"challenging_images\.csv: No such file"):
        SfTl54(folder)
    (folder / "challenging_images.csv").write_text("a,b\n")
    with pytest.raises(DataSetError, match="challenging=include does without"):
        SfTl54(folder)


def test_splits_and_palettes(folder: Path) -> None:
    assert SfTl54(folder, split="test").label(0).groups["split"] == "test"
    assert SfTl54(folder, pictures="iron").label(0).name.startswith("iron/train/images/")
    with pytest.raises(DataSetError, match=r"no images in gray/\{val\}/images"):
        SfTl54(folder, split="val")
    with pytest.raises(DataSetError, match="pictures=blue; expected gray or iron"):
        SfTl54(folder, pictures="blue")
    with pytest.raises(DataSetError, match="challenging=yes"):
        SfTl54(folder, challenging="yes")


def test_colour_partners_by_sorted_place(folder: Path) -> None:
    partners = sorted((folder / "rgb" / "train").iterdir())
    marked = colour_picture(120, 160)
    marked[:] = 7
    write_picture(partners[2], marked)  # of 7_2, though 7_1 before it is left out
    faces = SfTl54(folder)
    assert (faces.colour(1) == 7).all()
    assert faces.colour(0).shape == (120, 160, 3)
    write_picture(partners[2], colour_picture(60, 80))
    with pytest.raises(DataSetError, match="80 x 60 pixels; expected 160 x 120"):
        faces.colour(1)
    partners[0].unlink()
    with pytest.raises(DataSetError, match="2 images; expected 3, paired by sorted place"):
        SfTl54(folder).colour(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"shapes": [{"label": "jaw"}]}', "KeyError 'points'"),
        ('{"shapes": [{"label": "jaw", "points": [[1, 2], [3]]}]}', "ValueError"),
        ('{"shapes": [{"label": "face", "points": [[1, 2], [3, 4]]}]}', "0 points; expected 54"),
    ],
)
def test_broken_labels(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(DataSetError, match=rf"sf-tl54: .*a\.json: {says}"):
        read_labelme(file)


def test_other_points_are_refused(folder: Path) -> None:
    file = folder / "gray" / "train" / "json" / "10_1_2_1_5_1_1.json"
    table = json.loads(file.read_text())
    table["shapes"][2]["points"][0][0] = float("nan")
    file.write_text(json.dumps(table))
    with pytest.raises(DataSetError, match="54 points; expected 54 finite"):
        SfTl54(folder).label(0)
    file.unlink()
    with pytest.raises(DataSetError, match="No such file"):
        SfTl54(folder).label(0)
