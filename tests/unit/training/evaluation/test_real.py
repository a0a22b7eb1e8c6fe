import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from service.entities import Box
from service.vision.crop import crop_map, letterbox_map
from service.vision.face_score import FaceScore
from training.evaluation.real import RealReport, evaluate_real, sigma_claims, summary
from training.evaluation.real_section import real_section
from training.evaluation.sections import plain, text
from training.real_faces import (
    POINTS,
    SEEN,
    error_percentiles,
    match_boxes,
    point_errors,
    read_marks,
    recall,
    six_points,
)
from training.served import Outputs

WIDTH, HEIGHT = 160, 120
FACE = Box(40, 30, 80, 70)
SMALL = Box(100, 80, 116, 96)


def landmarks_in(box: Box) -> np.ndarray:
    """Frame pixels `[68, 2]`: a fixed pattern that fills the box."""
    pattern = np.random.default_rng(1).uniform(0, 1, (68, 2)).astype(np.float32)
    return pattern * np.array([box.width, box.height], np.float32) + np.array(
        [box.x1, box.y1], np.float32
    )


def entry(file: str, box: Box, v: int = SEEN, **more: Any) -> dict[str, Any]:
    points = six_points(landmarks_in(box))
    named = {name: [*map(float, xy), v] for name, xy in zip(POINTS, points, strict=True)}
    corners = [box.x1, box.y1, box.x2, box.y2]
    whole = {"file": file, "size": [WIDTH, HEIGHT], "box": corners, "points": named}
    return {**whole, "attributes": [], "difficulty": "easy", **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frame = np.full((HEIGHT, WIDTH), 29500, np.uint16)
    frame[30:70, 40:80] += 1500
    for name in ("faces/one.png", "other/unlisted.png", "radiometric/empty.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), frame)
    (tmp_path / "radiometric" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    faces = [
        entry("faces/one.png", FACE),
        entry("faces/one.png", SMALL, v=1, difficulty="medium"),
        entry("faces/one.png", Box(2, 2, 10, 10), difficulty="hard", attributes=["tiny"]),
    ]
    (tmp_path / "faces.json").write_text(json.dumps(faces))
    return tmp_path


def detector(images: np.ndarray) -> Outputs:
    """Finds FACE, and half a face beside it, in every frame."""
    assert images.shape[1:] == (1, 320, 320)
    to_network = letterbox_map(WIDTH, HEIGHT)
    frame = np.array([[[40, 30], [80, 70]], [[120, 20], [150, 50]]], np.float32)
    boxes = np.zeros((1, 100, 4), np.float32)
    boxes[0, :2] = to_network.to_network(frame).reshape(2, 4)
    scores = np.zeros((1, 100), np.float32)
    scores[0, :2] = 0.9, 0.4
    return {"boxes": boxes, "scores": scores}


def landmarks(images: np.ndarray) -> Outputs:
    """The pattern of FACE, two frame pixels to the right of where it should be, in any crop."""
    assert images.shape[1:] == (1, 256, 256)
    points = crop_map(FACE).to_network(landmarks_in(FACE) + np.array([2, 0], np.float32))
    keypoints = np.concatenate([points, np.ones((68, 2), np.float32)], axis=1)
    return {"keypoints": np.stack([keypoints] * len(images))}


@pytest.fixture
def report(folder: Path, tmp_path: Path) -> RealReport:
    return evaluate_real(folder, {320: detector}, landmarks, None, overlays=tmp_path / "drawn")


def test_faces_are_matched_and_measured(report: RealReport) -> None:
    large, small, tiny = report.faces
    assert large.box is not None
    assert large.detected == pytest.approx(np.full(6, 2 / 40), abs=1e-3)
    assert large.given == pytest.approx(large.detected, abs=1e-3)
    assert small.box is None
    assert np.isinf(small.detected).all()
    assert np.isfinite(small.given).all()
    assert np.isnan(tiny.detected).all()  # no reliable points, found or not


def test_aggregates(report: RealReport, tmp_path: Path) -> None:
    assert recall(report.faces, 32) == (1, 1)
    assert recall(report.faces, 0) == (1, 3)
    seen = error_percentiles(report.faces, "detected", SEEN, ("easy", "medium"))
    assert (seen["faces"], seen["points"]) == (1, 6)
    assert seen["p95_points"] == pytest.approx(0.05, abs=1e-3)
    everyone = error_percentiles(report.faces, "detected", 1, ("easy", "medium", "hard"))
    assert everyone["median_faces"] == np.inf
    nobody = error_percentiles([], "given", SEEN, ("easy",))
    assert nobody["faces"] == 0
    assert np.isnan(nobody["median_points"])


def test_false_faces_and_unreadable_files(report: RealReport, tmp_path: Path) -> None:
    assert [name for name, _ in report.false_faces] == ["radiometric/empty.png"] * 2
    assert [name for name, _ in report.unmatched] == ["faces/one.png"]
    assert report.empty_files == 1
    assert len(report.unreadable) == 1
    assert report.unreadable[0].startswith("radiometric/broken.jpg")
    drawn = sorted(path.name for path in (tmp_path / "drawn").rglob("*.png"))
    assert drawn == ["empty.png.png", "one.png.png", "unlisted.png.png"]


def test_the_section_tells_all(folder: Path, report: RealReport) -> None:
    section = real_section(folder, {"tiny": report}, draw=True)
    shown = text(section)
    assert "1/1" in shown
    assert "missed" in shown
    assert "false faces: 2 in 1 files without faces" in shown
    assert "not readable: radiometric/broken.jpg" in shown
    assert len(section.pictures) == 4  # two faces with points, two false ones
    assert len(section.plots) == 4
    json.dumps(plain(section.figures), allow_nan=False)


def test_without_drawing_there_is_nothing_drawn(folder: Path, report: RealReport) -> None:
    section = real_section(folder, {"tiny": report}, draw=False)
    assert (section.plots, section.pictures) == ((), ())


def test_figures_of_all_faces_and_by_group(report: RealReport) -> None:
    figures = summary(report)
    assert figures["faces with points"] == 2
    assert figures["all faces"]["detected"]["median"] == pytest.approx(0.05, abs=1e-3)
    assert figures["all faces"]["detected"]["p95"] == np.inf
    assert np.isfinite(figures["all faces"]["given"]["p95"])
    assert figures["face size"]["24-48 px"]["found"] == 1
    assert figures["attribute"]["tiny"] == {"faces": 1, "found": 0, "detected": {}, "given": {}}


def test_the_detector_is_measured_over_files_whose_faces_are_known(report: RealReport) -> None:
    everyone = summary(report)["detector"]["all"]
    assert everyone["faces"] == 3
    assert everyone["recall"] == pytest.approx(1 / 3)
    assert everyone["precision"] == pytest.approx(1 / 4)  # not counted: other/unlisted.png


def test_only_seen_points_check_sigma(report: RealReport) -> None:
    claimed = sigma_claims(report)
    assert len(claimed.errors) == 6
    assert claimed.errors == pytest.approx(np.full(6, 2 / 40), abs=1e-3)
    # one crop pixel, in shares of the face: the crop of 256 pixels is 1.25 faces wide
    assert claimed.sigma == pytest.approx(np.full(6, 1.25 / 256), rel=1e-3)


def test_a_folder_without_faces_shows_the_false_ones(folder: Path) -> None:
    (folder / "faces.json").write_text("[]")
    report = evaluate_real(folder, {320: detector}, landmarks, None)
    assert report.empty_files == 2
    section = real_section(folder, {"tiny": report}, draw=True)
    assert len(section.pictures) == 4
    assert "false faces: 4 in 2 files" in text(section)


def test_unmarked_people_are_no_false_faces(folder: Path) -> None:
    report = evaluate_real(
        folder, {320: detector}, landmarks, None, unmarked=["radiometric/empty.png"]
    )
    assert not report.false_faces
    assert report.empty_files == 0


def test_a_low_score_finds_nothing(folder: Path) -> None:
    report = evaluate_real(folder, {320: detector}, landmarks, None, min_score=0.95)
    assert recall(report.faces, 0) == (0, 3)
    assert not report.false_faces


def test_scores_are_those_of_serving(folder: Path) -> None:
    # One crop pixel is 0.004 of a face: the larger the weight, the surer.
    doubts = FaceScore(bias=-6.0, detector=1.0, error=-1.0, size=0.0, error_by_size=0.0)
    report = evaluate_real(folder, {320: detector}, landmarks, doubts)
    (found,) = (face for face in report.faces if face.box)
    assert found.box is not None
    assert 0.75 < found.box.score < 0.85  # the detector says 0.9
    assert recall(report.faces, 0) == (1, 3)
    assert len(report.unmatched) == 0  # it says 0.4 of the half face beside it


def test_a_box_finds_one_face() -> None:
    faces = [FACE, Box(42, 30, 82, 70)]
    assert match_boxes(faces, [Box(42, 30, 82, 70)]) == [None, 0]
    assert match_boxes(faces, []) == [None, None]


def test_points_that_nobody_can_say_never_count(folder: Path) -> None:
    face = read_marks(folder)["faces/one.png"][0]
    face.points[2, 2] = 0
    errors = point_errors(face, landmarks_in(FACE))
    assert np.isnan(errors[2])
    assert errors[[0, 1, 3, 4, 5]] == pytest.approx(np.zeros(5), abs=1e-6)
