from pathlib import Path

import cv2
import numpy as np
import pytest

from service.vision.crop import LANDMARK_INPUT
from training.evaluation.examples import DataSetExamples
from training.evaluation.faces import DataSetError
from training.evaluation.pts_folder import PtsFolder, read_pts

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
    example = DataSetExamples("300w", folder)[0]
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
    with pytest.raises(DataSetError, match="not a list of x y"):
        read_pts(tmp_path / "a.pts")


def test_missing_and_broken_images_are_named(folder: Path, tmp_path: Path) -> None:
    write(folder, "lonely")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    write(folder, "broken")
    faces = PtsFolder(folder)  # broken, indoor/a, lonely
    with pytest.raises(DataSetError, match=r"broken\.png"):
        faces[0]
    with pytest.raises(DataSetError, match="0 images of that name"):
        faces[2]


def test_an_empty_folder_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"no \.pts files"):
        PtsFolder(tmp_path)
