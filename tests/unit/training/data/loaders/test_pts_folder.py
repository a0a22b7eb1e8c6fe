from pathlib import Path

import cv2
import numpy as np
import pytest

from service.vision.crop import LANDMARK_INPUT
from tests.data_sets import face, write_pts
from training.data.faces import DataSetError
from training.data.loaders.pts_folder import PtsFolder, read_pts
from training.data.sets import parse_source
from training.evaluation.examples import DataSetExamples

POINTS = np.random.default_rng(3).uniform(20, 80, (68, 2)).round(2)


def write(folder: Path, stem: str = "a", points: np.ndarray = POINTS, head: str = "") -> Path:
    lines = "\n".join(f"{x} {y}" for x, y in points)
    file = folder / f"{stem}.pts"
    file.write_text(f"version: 1\nn_points: {len(points)}\n{head}{{\n{lines}\n}}\n")
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "indoor").mkdir()
    image = np.random.default_rng(0).integers(0, 255, (100, 120), np.uint8)
    cv2.imwrite(str(tmp_path / "indoor" / "a.png"), image)
    write(tmp_path / "indoor")
    return tmp_path


def test_pixels_count_from_zero(folder: Path) -> None:
    faces = PtsFolder(folder)
    assert len(faces) == 1
    face = faces[0]
    np.testing.assert_allclose(face.points, POINTS - 1, atol=1e-4)
    assert face.name == "indoor/a.png"
    assert (face.box.x1, face.box.y2) == pytest.approx(
        (POINTS[:, 0].min() - 1, POINTS[:, 1].max() - 1)
    )
    assert (face.frame.width, face.frame.height) == (120, 100)
    assert face.weight.all()


def test_as_examples_the_points_lie_in_the_served_crop(folder: Path) -> None:
    example = DataSetExamples(parse_source(f"300w={folder}"))[0]
    assert example.image.shape == (LANDMARK_INPUT, LANDMARK_INPUT)
    np.testing.assert_allclose(example.points.min(axis=0), example.box[:2], atol=1e-3)
    longer = (example.box[2:] - example.box[:2]).max()
    assert longer == pytest.approx(LANDMARK_INPUT / 1.25, rel=1e-4)
    assert example.size == pytest.approx(np.sqrt(np.prod(np.ptp(POINTS, axis=0))), rel=1e-4)
    assert example.facts is None


@pytest.mark.parametrize(
    ("points", "message"),
    [(POINTS[:51], "51 points"), (np.where(POINTS == POINTS.max(), np.nan, POINTS), "68 finite")],
)
def test_other_points_are_refused(tmp_path: Path, points: np.ndarray, message: str) -> None:
    with pytest.raises(DataSetError, match=message):
        read_pts(write(tmp_path, points=points))


def test_other_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text("{ 1 2 three }")
    with pytest.raises(DataSetError, match="no list of x y"):
        read_pts(tmp_path / "a.pts")


def test_missing_and_broken_images_are_named(folder: Path, tmp_path: Path) -> None:
    write(folder, "lonely")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    write(folder, "broken")
    faces = PtsFolder(folder)  # broken, indoor/a, lonely
    with pytest.raises(DataSetError, match=r"broken\.png"):
        faces[0]
    with pytest.raises(DataSetError, match="0 images of that name; expected one"):
        faces[2]


def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"no \.pts files"):
        PtsFolder(tmp_path)


def test_subsets_of_300w(tmp_path: Path) -> None:
    subsets = {
        "afw": "train", "helen/trainset": "train", "helen/testset": "common",
        "lfpw/testset": "common", "ibug": "challenge", "Test/01_Indoor": "private", "mine": "other",
    }  # fmt: skip
    for folder in subsets:
        write_pts(tmp_path / folder, "a", face())
    faces = PtsFolder(tmp_path)
    found = {Path(one.name).parent.as_posix(): one.groups for one in faces}
    assert {folder: groups["subset"] for folder, groups in found.items()} == subsets
    assert {groups["split"] for groups in found.values()} == {"train", "test"}
    assert len(PtsFolder(tmp_path, split="test")) == 4


@pytest.mark.parametrize("linked", [False, True])
def test_a_subset_given_alone_is_known_by_its_folder(tmp_path: Path, linked: bool) -> None:
    write_pts(tmp_path / "Test" / "01_Indoor", "a", face())
    write_pts(tmp_path / "ibug", "a", face())
    places = {"Test/01_Indoor": "private", "ibug": "challenge"}
    for number, (place, subset) in enumerate(places.items()):
        folder = tmp_path / place
        if linked:
            folder = tmp_path / f"link{number}"
            folder.symlink_to(tmp_path / place)
        assert PtsFolder(folder).label(0).groups == {"split": "test", "subset": subset}


def test_faces_of_one_photograph_stay_together(tmp_path: Path) -> None:
    stems = [f"{photo:02d}_{one}" for photo in range(20) for one in (1, 2)]  # as in helen, afw
    for stem in stems:
        write_pts(tmp_path, stem, face())
    held_out = PtsFolder(tmp_path, split="val")
    assert [held_out.label(n).name for n in range(len(held_out))] == ["19_1.jpg", "19_2.jpg"]
    assert len(PtsFolder(tmp_path, split="train")) == 38


def test_long_numbers_are_of_photographs(tmp_path: Path) -> None:
    for number in range(1, 41):  # as in lfpw
        (tmp_path / f"image_{number:04d}.pts").write_text("")
    assert len(PtsFolder(tmp_path, split="val")) == 2


def test_every_twentieth_training_picture_is_held_out(tmp_path: Path) -> None:
    for number in range(41):
        (tmp_path / f"{number:02d}.pts").write_text("")
    assert len(PtsFolder(tmp_path, split="val")) == 2
    assert len(PtsFolder(tmp_path, split="train")) == 39


def test_the_photograph_in_colour(tmp_path: Path) -> None:
    write_pts(tmp_path, "a", face())
    faces = PtsFolder(tmp_path)
    assert faces.colour(0).shape == (120, 160, 3)
    assert faces.colour(0)[60, 159, 0] > 240 > faces.colour(0)[60, 0, 0]  # red rises by column
    np.testing.assert_allclose(faces.label(0).points, face(), atol=1e-3)
