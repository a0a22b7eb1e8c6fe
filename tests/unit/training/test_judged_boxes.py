"""Fitting the score of a detected face, on made boxes and on frames of a tiny pool."""

from pathlib import Path

import numpy as np
import pytest

from service.entities import Box, ByteArray, Face, FloatArray
from service.vision.face_score import FaceScore
from training.judged_boxes import JudgedFrame, face_score_figures, fit_face_score, judge_boxes
from training.served import Outputs
from training.synthesis.frames import Frame
from training.synthesis.pool import write_shard

GENERATOR = np.random.default_rng(0)
NONE = np.zeros((0, 4), np.float32)


def made_face(x: float, score: float, error: float) -> Face:
    xy = np.stack(np.meshgrid(np.linspace(0, 50, 17), np.linspace(0, 50, 4)), -1).reshape(-1, 2)
    rest = np.full((68, 2), [0.5, 50 * error])
    landmarks = np.concatenate([xy + [x, 0], rest], axis=1).astype(np.float32)
    return Face(Box(x, 0, x + 50, 50, score), landmarks)


def frame_of(truth: FloatArray, ignored: bool = False) -> Frame:
    ignore = np.full(len(truth), float(ignored), np.float32)
    return Frame(np.zeros((60, 400), np.float32), truth, ignore, np.zeros((len(truth), 68, 2)))


def made(real: bool) -> JudgedFrame:
    """One box: the detector cannot tell faces from others, the landmark network mostly can."""
    error = float(np.exp(GENERATOR.normal(-3.2 if real else -1.8, 0.5)))
    truth = np.array([[100, 0, 150, 50]], np.float32) if real else NONE
    return JudgedFrame(frame_of(truth), [made_face(100, GENERATOR.uniform(0.2, 0.6), error)])


FRAMES = [made(index % 3 == 0) for index in range(600)]


def test_the_fit_trusts_what_tells_faces_apart() -> None:
    weights = fit_face_score(FRAMES)
    assert weights is not None
    assert weights.error < -2
    assert abs(weights.detector) < 0.6
    told = face_score_figures([made(index % 3 == 0) for index in range(300)], weights)
    assert (told["frames"], told["faces"]) == (300, 100)
    assert told["with_landmarks"]["ap"] > told["detector_alone"]["ap"] + 0.3
    assert told["with_landmarks"]["false_boxes"] < told["detector_alone"]["false_boxes"] / 2
    recalls = [told[how]["recall"] for how in ("detector_alone", "with_landmarks")]
    assert recalls[1] == pytest.approx(recalls[0], abs=0.06)


def test_what_lies_on_an_ignored_face_does_not_count() -> None:
    truth = np.array([[100, 0, 150, 50]], np.float32)
    ignored = JudgedFrame(frame_of(truth, ignored=True), [made_face(100, 0.9, 0.01)])
    assert fit_face_score([ignored]) is None
    few = FRAMES[:60]
    assert fit_face_score([*few, ignored]) == fit_face_score(few)


def test_with_nothing_to_learn_from_there_are_no_weights() -> None:
    assert fit_face_score([JudgedFrame(frame_of(NONE), [])]) is None
    assert fit_face_score([made(True)]) is None


def detector(images: ByteArray) -> Outputs:
    """One box in the middle, one of a score too low to be looked at."""
    side = images.shape[-1]
    boxes = np.array([[0.4, 0.4, 0.6, 0.6], [0.0, 0.0, 0.2, 0.2]], np.float32) * side
    scores = np.array([0.5, 0.05], np.float32)
    return {"boxes": boxes[None], "scores": scores[None]}


def landmarks(images: ByteArray) -> Outputs:
    keypoints = np.full((len(images), 68, 4), [128.0, 128.0, 0.5, 8.0], np.float32)
    keypoints[:, :2, :2] = [[64, 64], [192, 192]]
    return {"keypoints": keypoints}


def test_judging_a_pool(tmp_path: Path) -> None:
    for kind in ("portrait", "figure"):
        write_shard(tmp_path, None, kind, 0, 0, persons=4)
    frames = judge_boxes(str(tmp_path), 3, 1, {320: detector, 640: detector}, landmarks)
    assert [len(frame.scores) for frame in frames] == [1, 1, 1]
    assert all(frame.evidence.shape == (1, 4) for frame in frames)
    again = judge_boxes(str(tmp_path), 3, 1, {320: detector, 640: detector}, landmarks)
    np.testing.assert_array_equal(frames[2].evidence, again[2].evidence)
    told = face_score_figures(frames, FaceScore(0.0, 1.0, -1.0, 0.0, 0.0))
    assert told["frames"] == 3
