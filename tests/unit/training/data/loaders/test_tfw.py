from pathlib import Path

import numpy as np
import pytest

from tests.data_sets import tfw_row, write_tfw
from training.data.faces import DataSetError
from training.data.loaders.tfw import Tfw, read_table

ROWS = [tfw_row("a.png", 50, 60), tfw_row("a.png", 200, 80), tfw_row("b.png", 10, 20)]


def test_rows_of_one_picture_are_one_frame(tmp_path: Path) -> None:
    write_tfw(tmp_path, ROWS)
    frames = Tfw(tmp_path)
    assert len(frames) == 2
    label = frames.label(0)
    assert label.boxes.tolist() == [[50, 60, 110, 120], [200, 80, 260, 140]]
    assert label.points.shape == (2, 5, 2)
    assert label.points[0, 0].tolist() == [68, 84]
    assert label.groups == {"split": "train", "place": "indoor"}
    assert label.name == "train/indoor/a.png"
    assert (frames.frame(0).width, frames.frame(0).height) == (464, 348)


def test_both_kinds_of_pictures_show_the_same(tmp_path: Path) -> None:
    write_tfw(tmp_path, ROWS)
    colour, grey = Tfw(tmp_path), Tfw(tmp_path, pictures="gray")
    assert grey.frame(0).source == "png8/grey"
    difference = np.abs(colour.frame(0).values - grey.frame(0).values)
    assert np.median(difference) < 3  # the palette is turned back, not averaged


def test_splits_and_headings(tmp_path: Path) -> None:
    write_tfw(tmp_path, ROWS)
    heading = ["name", "xs", "ys", "xe", "ye", *(f"p{i}{a}" for i in range(1, 6) for a in "xy")]
    write_tfw(tmp_path, [tfw_row("c.png", 1, 1)], "test")
    file = tmp_path / "test" / "indoor.csv"
    file.write_text(",".join(heading) + "\n" + file.read_text())
    assert [Tfw(tmp_path).label(i).groups["split"] for i in range(3)] == ["train", "train", "test"]
    assert len(Tfw(tmp_path, split="test")) == 1
    with pytest.raises(DataSetError, match="no frames of split val"):
        Tfw(tmp_path, split="val")
    with pytest.raises(DataSetError, match="pictures=red; expected colour or gray"):
        Tfw(tmp_path, pictures="red")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("b.png,1,2,3,4", "line 2: 4 numbers; expected a name and 14"),
        ("b.png," + ",".join(["x"] * 14), "line 2: could not convert"),
    ],
)
def test_broken_tables(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(",".join(map(str, ROWS[0])) + "\n" + line + "\n")
    with pytest.raises(DataSetError, match=f"tfw: .*{says}"):
        read_table(file)


def test_boxes_without_area_and_missing_pictures(tmp_path: Path) -> None:
    flat = tfw_row("a.png", 50, 60)
    flat[3] = 40
    write_tfw(tmp_path, [flat, tfw_row("b.png", 1, 1)])
    frames = Tfw(tmp_path)
    with pytest.raises(DataSetError, match=r"a\.png: a box without area"):
        frames.label(0)
    (tmp_path / "train" / "indoor" / "b.png").unlink()
    with pytest.raises(DataSetError, match=r"b\.png: No such file"):
        frames.frame(1)
