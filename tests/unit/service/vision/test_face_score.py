"""The score of a detected face by the detector and the landmarks."""

import numpy as np
import pytest

from service.entities import Box, Face
from service.vision.face_score import FaceScore, candidate_score, evidence, rescore

WEIGHTS = FaceScore(bias=-5.0, detector=2.0, error=-1.6, overlap=3.5)


def face(score: float, error: float, shift: float = 0.0) -> Face:
    """Of 100 pixels; error: expected, as a share of the size; shift: of the landmarks, pixels."""
    xy = np.stack(np.meshgrid(np.linspace(0, 100, 17), np.linspace(0, 100, 4)), -1).reshape(-1, 2)
    rest = np.full((68, 2), [0.5, 100 * error])
    landmarks = np.concatenate([xy + [shift, 0], rest], axis=1).astype(np.float32)
    return Face(Box(0, 0, 100, 100, score), landmarks)


def test_evidence() -> None:
    one = face(0.5, 0.05, shift=50)
    np.testing.assert_allclose(
        evidence(one.box, one.landmarks), [0, np.log(0.05), 1 / 3], rtol=1e-4
    )


def test_what_the_landmarks_doubt_falls_and_what_convinces_them_rises() -> None:
    doubted, sure = rescore([face(0.4, 0.25, 40), face(0.4, 0.03)], WEIGHTS, 0.0)
    assert doubted.box.score < 0.3 < 0.6 < sure.box.score
    assert sure.box == Box(0, 0, 100, 100, sure.box.score)
    np.testing.assert_array_equal(sure.landmarks, face(0.4, 0.03).landmarks)


def test_those_below_the_score_go() -> None:
    faces = [face(0.4, 0.25, 40), face(0.4, 0.03)]
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
    with pytest.raises(ValueError, match="overlap"):
        FaceScore(0.0, 1.0, -1.0, wrong)
