"""The score of a detected face by the detector and the landmarks."""

from dataclasses import replace

import numpy as np
import pytest

from service.entities import Box, Face
from service.vision.face_score import FaceScore, candidate_score, evidence, rescore

WEIGHTS = FaceScore(bias=-3.2, detector=2.0, error=-2.1, size=-1.8, error_by_size=-0.7)


def face(score: float, error: float) -> Face:
    """Of 100 pixels; error: expected, as a share of the size."""
    xy = np.stack(np.meshgrid(np.linspace(0, 100, 17), np.linspace(0, 100, 4)), -1).reshape(-1, 2)
    rest = np.full((68, 2), [0.5, 100 * error])
    landmarks = np.concatenate([xy, rest], axis=1).astype(np.float32)
    return Face(Box(0, 0, 100, 100, score), landmarks)


def test_evidence() -> None:
    one = face(0.5, 0.05)
    size = np.log(100 / 24)
    expected = [0, np.log(0.05), size, np.log(0.05) * size]
    np.testing.assert_allclose(evidence(one.box, one.landmarks), expected, rtol=1e-4)


def test_what_the_landmarks_doubt_falls_and_what_convinces_them_rises() -> None:
    doubted, sure = rescore([face(0.4, 0.25), face(0.4, 0.03)], WEIGHTS, 0.0)
    assert doubted.box.score < 0.3 < 0.6 < sure.box.score
    assert sure.box == Box(0, 0, 100, 100, sure.box.score)
    np.testing.assert_array_equal(sure.landmarks, face(0.4, 0.03).landmarks)


def test_doubts_mean_less_of_small_faces() -> None:
    small = replace(face(0.4, 0.25), box=Box(0, 0, 10, 10, 0.4))
    small = replace(small, landmarks=small.landmarks / 10)
    (doubted, excused) = rescore([face(0.4, 0.25), small], WEIGHTS, 0.0)
    assert excused.box.score > 2 * doubted.box.score


def test_those_below_the_score_go() -> None:
    faces = [face(0.4, 0.25), face(0.4, 0.03)]
    (kept,) = rescore(faces, WEIGHTS, 0.3)
    assert kept.box.score > 0.3
    assert rescore([], WEIGHTS, 0.3) == ()


def test_without_weights_nothing_changes() -> None:
    faces = [face(0.4, 0.25)]
    assert rescore(faces, None, 0.3) == tuple(faces)
    assert candidate_score(0.3, None) == 0.3
    assert candidate_score(0.3, WEIGHTS) == pytest.approx(0.2)


@pytest.mark.parametrize(("score", "error"), [(0.0, 0.0), (1.0, 1e9), (0.5, 1e-30)])
def test_extremes_stay_probabilities(score: float, error: float) -> None:
    (one,) = rescore([face(score, error)], WEIGHTS, 0.0)
    assert 0 < one.box.score < 1


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "1", None, True])
def test_weights_are_numbers(wrong: float) -> None:
    with pytest.raises(ValueError, match="error_by_size"):
        FaceScore(0.0, 1.0, -1.0, 0.0, wrong)
