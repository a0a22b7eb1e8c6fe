from pathlib import Path

import cv2
import numpy as np
import pytest

from service.entities import Unit
from tests.data_sets import face, write_picture, write_tfake
from training.data.faces import DataSetError
from training.data.loaders.tfake import FaceSynthetics, TFake


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tfake")
    write_tfake(folder, (0, 1))
    return folder


def test_sixteen_bits_become_celsius(folder: Path) -> None:
    faces = TFake(folder)
    assert len(faces) == 4
    warm, cold = faces[1], faces[3]
    assert warm.frame.unit == Unit.CELSIUS
    stored = cv2.imread(str(folder / "warm/000001_thermal.png"), cv2.IMREAD_UNCHANGED)
    assert stored is not None
    np.testing.assert_allclose(warm.frame.values, 20 + 20 * (stored / 65535.0), atol=1e-5)
    assert len(np.unique(warm.frame.values)) > 900  # 8 bits would leave 256 at most
    assert cold.frame.values.min() == pytest.approx(26, abs=1e-3)
    assert [face.groups["season"] for face in (warm, cold)] == ["warm", "cold"]


def test_pupils_are_dropped_and_the_picture_is_paired(folder: Path) -> None:
    faces = TFake(folder)
    label = faces.label(1)
    np.testing.assert_allclose(label.points, face((256, 256), 200), atol=1e-3)
    assert label.weight.tolist() == [1.0] * 68
    assert label.name == "warm/000001_thermal.png"
    colour = faces.colour(1)
    assert colour.shape == (512, 512, 3)
    assert colour[0, 511].tolist() == [255, 90, 255]  # red first
    assert colour[511, 0].tolist() == [0, 90, 0]
    assert "3-D" in faces.notes[0]


def test_both_seasons_of_a_person_are_in_one_split(folder: Path) -> None:
    assert [TFake(folder, split="val").label(i).name for i in range(2)] == [
        "warm/000000_thermal.png",
        "cold/000000_thermal.png",
    ]
    assert len(TFake(folder, split="train")) == 2


def test_the_colour_pictures_alone(folder: Path) -> None:
    faces = FaceSynthetics(folder)
    assert [faces.label(i).name for i in range(len(faces))] == ["000000.png", "000001.png"]
    assert faces[0].frame.unit == Unit.GREY8
    np.testing.assert_allclose(faces[0].points, face((256, 256), 200), atol=1e-3)


def test_thermal_pictures_may_lie_beside_the_colours_or_elsewhere(folder: Path) -> None:
    write_tfake(alone := folder / "alone", (3,))
    (alone / "warm/000003_thermal.png").rename(alone / "fake/000003_thermal.png")
    (alone / "cold/000003_thermal.png").rename(alone / "winter.png")
    for name in ("warm", "cold"):
        (alone / name).rmdir()
    assert TFake(alone).label(0).groups["season"] == "unnamed"
    write_picture(alone / "winter" / "000003_thermal.png", np.zeros((512, 512), np.uint16))
    assert TFake(alone, cold="winter").label(0).name == "winter/000003_thermal.png"


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.full((512, 512), 128, np.uint8), "png8/counts picture; expected 16-bit grey"),
        (np.full((256, 256), 9000, np.uint16), "256 x 256 pixels; expected 512 x 512"),
        (None, "No such file"),
    ],
)
def test_other_pictures_are_refused(tmp_path: Path, pixels: np.ndarray | None, says: str) -> None:
    write_tfake(tmp_path, (1,))
    file = tmp_path / "warm" / "000001_thermal.png"
    faces = TFake(tmp_path)
    file.unlink()
    if pixels is not None:
        write_picture(file, pixels)
    with pytest.raises(DataSetError, match=rf"^tfake: .*000001_thermal\.png: .*{says}"):
        faces.frame(0)


@pytest.mark.parametrize(
    ("text", "says"),
    [("1 2\n" * 68, "68 points; expected 70"), ("1 2 x", "no list"), ("nan 1\n" * 70, "70 finite")],
)
def test_other_points_are_refused(tmp_path: Path, text: str, says: str) -> None:
    write_tfake(tmp_path, (1,))
    (tmp_path / "fake" / "000001_ldmks.txt").write_text(text)
    with pytest.raises(DataSetError, match=f"000001_ldmks.txt: .*{says}"):
        TFake(tmp_path).label(0)


def test_a_missing_partner_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    write_tfake(tmp_path, (1,))
    (tmp_path / "fake" / "000001.png").unlink()
    faces = TFake(tmp_path)
    assert faces[0].frame.width == 512
    with pytest.raises(DataSetError, match=r"000001\.png: No such file"):
        faces.colour(0)


def test_empty_folders_and_strange_names(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"tfake: .*no \*_thermal.png"):
        TFake(tmp_path)
    with pytest.raises(DataSetError, match="no .*_ldmks.txt"):
        FaceSynthetics(tmp_path)
    write_picture(tmp_path / "warm" / "x_thermal.png", np.zeros((4, 4), np.uint16))
    with pytest.raises(DataSetError, match="name without a number"):
        TFake(tmp_path, split="train")
