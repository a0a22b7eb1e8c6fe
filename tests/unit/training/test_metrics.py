import numpy as np
import pytest

from training.metrics import (
    average_precision,
    bounding_boxes,
    box_diagonal,
    box_size,
    error_figures,
    interocular,
    match_detections,
    nme_diagonal,
    nme_io,
    normalised_errors,
    precision_recall_curve,
    recall_and_precision,
    summarise_detection,
    summarise_errors,
    summarise_landmarks,
)

FACES = np.array([[0, 0, 40, 40], [100, 100, 120, 120]], np.float32)
NONE = np.zeros(2, bool)


def detections(*rows: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of x1, y1, x2, y2, score."""
    array = np.array(rows, np.float32).reshape(-1, 5)
    return array[:, :4], array[:, 4]


def test_scales_of_faces() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, 36], points[0, 45] = (10, 5), (40, 45)
    assert interocular(points).tolist() == [50]
    boxes = bounding_boxes(points)
    assert boxes.tolist() == [[0, 0, 40, 45]]
    assert box_size(boxes)[0] == pytest.approx(np.sqrt(40 * 45))
    assert box_diagonal(boxes)[0] == pytest.approx(np.hypot(40, 45))


def test_errors_count_weighted_points_alone() -> None:
    target, predicted = np.zeros((2, 3, 2), np.float32), np.zeros((2, 3, 2), np.float32)
    predicted[0] = [[3, 4], [0, 0], [999, 999]]
    weight = np.array([[1, 1, 0], [0, 0, 0]], np.float32)
    errors = normalised_errors(predicted, target, weight, np.full(2, 10.0, np.float32))
    assert errors[0] == pytest.approx(0.25)
    assert np.isnan(errors[1])


def test_errors_over_the_eyes_and_over_the_diagonal() -> None:
    target = np.zeros((1, 68, 2), np.float32)
    target[0, 36], target[0, 45], target[0, 8] = (0, 0), (40, 0), (30, 30)
    predicted = target + np.array([3, 4], np.float32)
    weight = np.ones((1, 68), np.float32)
    assert nme_io(predicted, target, weight)[0] == pytest.approx(5 / 40)
    assert nme_diagonal(predicted, target, weight)[0] == pytest.approx(5 / 50)
    assert np.isnan(nme_io(predicted, target, weight * 0)).all()


def test_shapes_must_match() -> None:
    with pytest.raises(ValueError, match="shapes differ"):
        normalised_errors(np.zeros((1, 3, 2)), np.zeros((2, 3, 2)), np.zeros((2, 3)), np.ones(2))


def test_summary_counts_missed_faces_as_failures() -> None:
    figures = summarise_errors(np.array([0.0, 0.04, 0.2, np.inf, np.nan]), limit=0.08)
    assert figures["failure_rate"] == 0.5
    assert figures["auc"] == pytest.approx((1 + 0.5) / 4)
    assert summarise_errors(np.array([np.nan], np.float32)) == {}


def test_error_figures_at_both_limits() -> None:
    figures = error_figures(np.array([0.0, 0.04, 0.09, np.inf, np.nan]))
    assert figures["mean"] == np.inf
    assert figures["median"] == 0.04  # a rank: no mean of a number and infinity
    assert figures["p95"] == np.inf
    assert (figures["failure_rate_0.08"], figures["failure_rate_0.10"]) == (0.5, 0.25)
    assert figures["auc_0.08"] == pytest.approx((1 + 0.5) / 4)
    assert figures["auc_0.10"] == pytest.approx((1 + 0.6 + 0.1) / 4)
    assert error_figures(np.array([np.nan])) == {}


def test_landmark_summary_normalises_both_ways() -> None:
    points = np.random.default_rng(0).uniform(0, 200, (2, 68, 2)).astype(np.float32)
    figures = summarise_landmarks(points + np.float32(3), points, np.ones((2, 68), np.float32))
    size = box_size(bounding_boxes(points))
    assert figures["nme_box_mean"] == pytest.approx(np.mean(np.sqrt(18) / size), rel=1e-4)
    assert figures["nme_io_median"] > 0


def test_a_face_is_found_once_by_the_best_score() -> None:
    boxes, scores = detections((0, 0, 40, 41, 0.6), (1, 0, 40, 40, 0.9), (100, 100, 121, 120, 0.5))
    matching = match_detections(boxes, scores, FACES, NONE)
    assert matching.hit.tolist() == [False, True, True]
    assert matching.counted.all()
    np.testing.assert_allclose(matching.found, [0.9, 0.5])
    assert average_precision([matching]) == pytest.approx((1 + 2 / 3) / 2)


def test_the_curve_goes_down_the_scores() -> None:
    boxes, scores = detections(
        (0, 0, 40, 40, 0.9), (200, 0, 240, 40, 0.8), (100, 100, 120, 120, 0.7)
    )
    recall, precision = precision_recall_curve([match_detections(boxes, scores, FACES, NONE)])
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    nobody = match_detections(boxes, scores, FACES[:0], NONE[:0])
    assert len(precision_recall_curve([nobody])[0]) == 0


def test_an_ignored_face_absorbs() -> None:
    boxes, scores = detections((0, 0, 40, 40, 0.9), (102, 102, 108, 108, 0.8), (0, 0, 39, 40, 0.7))
    matching = match_detections(boxes, scores, FACES, np.array([False, True]))
    assert matching.hit.tolist() == [True, False, False]
    assert matching.counted.tolist() == [True, False, True]  # half inside an ignored box
    assert matching.target.tolist() == [True, False]
    recall, precision = recall_and_precision([matching], 0.3)
    assert (recall, precision) == (1.0, 0.5)


def test_size_range_ignores_what_lies_outside() -> None:
    boxes, scores = detections(
        (0, 0, 40, 40, 0.9), (100, 100, 120, 120, 0.8), (200, 200, 290, 290, 0.7)
    )
    matching = match_detections(boxes, scores, FACES, NONE, (0.0, 24.0))
    assert matching.counted.tolist() == [False, True, False]
    assert average_precision([matching]) == 1.0


def test_recall_and_precision_hold_at_a_score() -> None:
    boxes, scores = detections((0, 0, 40, 40, 0.9), (100, 100, 120, 120, 0.2))
    matching = match_detections(boxes, scores, FACES, NONE)
    assert recall_and_precision([matching], 0.3) == (0.5, 1.0)
    assert recall_and_precision([matching], 0.1) == (1.0, 1.0)


def test_nothing_found_and_nothing_to_find() -> None:
    boxes, scores = detections()
    empty = np.zeros((0, 4), np.float32)
    assert average_precision([match_detections(boxes, scores, FACES, NONE)]) == 0.0
    assert np.isnan(average_precision([match_detections(boxes, scores, empty, NONE[:0])]))


def test_detection_summary_suppresses_doubles() -> None:
    boxes = np.array([[[0, 0, 40, 40], [1, 0, 40, 40], [100, 100, 120, 120]]], np.float32)
    scores = np.array([[0.9, 0.8, 0.6]], np.float32)
    faces = np.concatenate([FACES, np.zeros((1, 4), np.float32)])[None]
    valid, ignore = np.array([[True, True, False]]), np.zeros((1, 3), bool)
    figures = summarise_detection(boxes, scores, faces, valid, ignore)
    assert (figures["ap"], figures["recall"], figures["precision"]) == (1.0, 1.0, 1.0)
    assert (figures["recall_small"], figures["recall_medium"]) == (1.0, 1.0)
    assert np.isnan(figures["recall_large"])


def test_points_that_nobody_marked_measure_nothing() -> None:
    points = np.random.default_rng(0).uniform(0, 200, (2, 68, 2)).astype(np.float32)
    weight = np.ones((2, 68), np.float32)
    points[0, [36, 50]], weight[0, [36, 50]] = np.nan, 0
    predicted = np.where(np.isnan(points), 7, points + np.float32(3))
    figures = summarise_landmarks(predicted, points, weight)
    size = box_size(bounding_boxes(points))
    assert np.isfinite(size).all()
    assert figures["nme_box_mean"] == pytest.approx(np.mean(np.sqrt(18) / size), rel=1e-4)
    eyes = float(interocular(points[1:])[0])  # the other face has no outer corner
    assert figures["nme_io_mean"] == pytest.approx(np.sqrt(18) / eyes, rel=1e-4)
