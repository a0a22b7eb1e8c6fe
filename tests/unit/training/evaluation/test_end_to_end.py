"""Both networks together, on frames with known faces."""

import math
from pathlib import Path

import numpy as np
import pytest

from service.entities import Box
from service.vision.crop import crop_map, letterbox_map
from training.evaluation.candidates import Candidate, System
from training.evaluation.end_to_end import answer, end_to_end_section
from training.evaluation.sections import plain, text
from training.served import Outputs
from training.synthesis.frames import Frame

WIDTH, HEIGHT = 160, 120
FACE, MISSED, IGNORED = Box(40, 30, 80, 70), Box(100, 80, 116, 96), Box(4, 90, 20, 106)
OFF = 2.0  # pixels by which the landmarks are


def pattern(box: Box) -> np.ndarray:
    """Frame pixels `[68, 2]` that fill the box."""
    places = np.random.default_rng(1).uniform(0, 1, (68, 2))
    places[:2] = (0, 0), (1, 1)
    return (places * [box.width, box.height] + [box.x1, box.y1]).astype(np.float32)


class OneFrame:
    protocol = "made up"

    def __init__(self, *boxes: Box) -> None:
        corners = [[box.x1, box.y1, box.x2, box.y2] for box in boxes]
        values = np.random.default_rng(0).normal(30, 1, (HEIGHT, WIDTH)).astype(np.float32)
        ignore = np.array([box is IGNORED for box in boxes], np.float32)
        points = np.array([pattern(box) for box in boxes], np.float32).reshape(-1, 68, 2)
        boxes_of = np.array(corners, np.float32).reshape(-1, 4)
        self._frame = Frame(values, boxes_of, ignore, points)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Frame:
        return self._frame


def detector(images: np.ndarray) -> Outputs:
    """Finds FACE and nothing else, in every frame."""
    boxes, scores = np.zeros((1, 100, 4), np.float32), np.zeros((1, 100), np.float32)
    corners = np.array([[FACE.x1, FACE.y1], [FACE.x2, FACE.y2]], np.float32)
    boxes[0, 0] = letterbox_map(WIDTH, HEIGHT).to_network(corners).ravel()
    scores[0, 0] = 0.5
    return {"boxes": boxes, "scores": scores}


def landmarks(images: np.ndarray) -> Outputs:
    points = crop_map(FACE).to_network(pattern(FACE) + np.array([OFF, 0], np.float32))
    keypoints = np.concatenate([points, np.ones((68, 2), np.float32)], axis=1)
    return {"keypoints": np.stack([keypoints] * len(images))}


SYSTEM = System(
    Candidate("detector", "found", Path("d"), "0" * 64, detector, 320),
    Candidate("landmarks", "shifted", Path("l"), "1" * 64, landmarks, 256),
)


def test_errors_are_of_the_faces_that_count() -> None:
    answered = answer(OneFrame(MISSED, IGNORED, FACE)[0], SYSTEM, 0.3)
    assert answered.errors.tolist() == [math.inf, pytest.approx(OFF / 40, abs=1e-3)]
    assert answered.sizes.tolist() == [16, 40]
    assert answered.detections.scores.tolist() == [0.5]


def test_an_answer_below_the_score_is_none() -> None:
    answered = answer(OneFrame(FACE)[0], SYSTEM, 0.6)
    assert answered.errors.tolist() == [math.inf]
    assert answered.detections.scores.tolist() == [0.5]  # average precision takes all scores


def test_a_missed_face_is_infinitely_far_off() -> None:
    section = end_to_end_section("Chain", OneFrame(MISSED, FACE), [SYSTEM], 0.3, draw=True)
    figures = section.figures["found + shifted"]
    assert figures["detection"]["all"]["recall"] == 0.5
    everyone = figures["error"]["all"]
    assert (everyone["faces"], everyone["good"], everyone["p95"]) == (2, 0.5, math.inf)
    assert everyone["found_median"] == pytest.approx(OFF / 40, abs=1e-3)
    assert figures["error"]["24-48 px"]["median"] == pytest.approx(OFF / 40, abs=1e-3)
    assert "missed" in text(section)
    assert plain(section.figures) is not None
    (worst,) = section.pictures
    assert worst.caption == "found + shifted: frame 0, 1 faces missed or far off"
    assert worst.png.startswith(b"\x89PNG")


def test_frames_without_faces_have_no_errors() -> None:
    section = end_to_end_section("Empty", OneFrame(), [SYSTEM], 0.3, draw=True)
    everyone = section.figures["found + shifted"]["error"]["all"]
    assert everyone["faces"] == 0 and math.isnan(everyone["median"])
    assert section.pictures == []
