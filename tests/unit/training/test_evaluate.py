import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from service.entities import Box
from service.vision.crop import crop_map, letterbox_map
from training import evaluate
from training.evaluate import RealReport, evaluate_real, print_report, summary
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
    return evaluate_real(folder, detector, landmarks, overlays=tmp_path / "drawn")


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


def test_the_table_is_printed(report: RealReport, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report)
    text = capsys.readouterr().out
    assert "recall >=32px   1/1" in text
    assert "missed" in text
    assert "false faces: 2 in 1 files without faces" in text
    json.dumps(summary(report))


def test_unmarked_people_are_no_false_faces(folder: Path) -> None:
    report = evaluate_real(folder, detector, landmarks, unmarked=["radiometric/empty.png"])
    assert not report.false_faces
    assert report.empty_files == 0


def test_a_low_score_finds_nothing(folder: Path) -> None:
    report = evaluate_real(folder, detector, landmarks, min_score=0.95)
    assert recall(report.faces, 0) == (0, 3)
    assert not report.false_faces


def test_a_box_finds_one_face() -> None:
    marked = [face for face in read_marks_of([FACE, Box(42, 30, 82, 70)])]
    assert match_boxes(marked, [Box(42, 30, 82, 70)]) == [None, 0]
    assert match_boxes(marked, []) == [None, None]


def read_marks_of(boxes: list[Box]) -> list[Any]:
    from training.real_faces import _marked

    return [_marked(entry("a.png", box)) for box in boxes]


def test_points_that_nobody_can_say_never_count(folder: Path) -> None:
    face = read_marks(folder)["faces/one.png"][0]
    face.points[2, 2] = 0
    errors = point_errors(face, landmarks_in(FACE))
    assert np.isnan(errors[2])
    assert errors[[0, 1, 3, 4, 5]] == pytest.approx(np.zeros(5), abs=1e-6)


def test_the_command_line_needs_something_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        evaluate.main([])
    assert "nothing to do" in capsys.readouterr().err
