import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.entities import Box
from service.vision.crop import letterbox_map
from service.vision.detection import (
    Look,
    merge_looks,
    non_maximum_suppression,
    pairwise_iou,
    select_faces,
)

WIDTH, HEIGHT = 640, 480


def select(boxes: list[list[float]], scores: list[float], **changes: float) -> tuple[Box, ...]:
    """Boxes given in frame pixels, through the letterbox and back."""
    to_network = letterbox_map(WIDTH, HEIGHT)
    points = to_network.to_network(np.array(boxes, np.float32).reshape(-1, 2, 2))
    return select_faces(
        points.reshape(-1, 4),
        np.array(scores, np.float32),
        to_network,
        width=WIDTH,
        height=HEIGHT,
        min_score=changes.get("min_score", 0.3),
        max_faces=int(changes.get("max_faces", 32)),
    )


def look(size: int, boxes: list[list[float]], scores: list[float]) -> Look:
    """Boxes given in frame pixels, as seen through an input of `size`."""
    to_network = letterbox_map(WIDTH, HEIGHT, size)
    points = to_network.to_network(np.array(boxes, np.float32).reshape(-1, 2, 2))
    return Look(points.reshape(-1, 4), np.array(scores, np.float32), to_network)


def test_near_faces_from_the_coarse_look_far_ones_from_the_fine() -> None:
    near, far = [100.0, 100.0, 200.0, 200.0], [300.0, 100.0, 340.0, 140.0]  # 50 and 20 of 320
    coarse = look(320, [near, far], [0.6, 0.4])
    fine = look(640, [[110, 110, 170, 170], far], [0.9, 0.8])
    merged = merge_looks([coarse, fine])
    assert merged.scores.tolist() == [np.float32(0.6), np.float32(0.8)]
    corners = merged.to_network.to_frame(merged.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    np.testing.assert_allclose(corners, [near, far], atol=1e-3)


def test_a_single_look_stays_as_it_is() -> None:
    only = look(640, [[1, 2, 3, 4], [10, 10, 400, 400]], [0.1, 0.2])
    assert merge_looks([only]) is only


def test_broken_candidates_of_a_second_look_are_dropped() -> None:
    broken = look(640, [[np.nan, 0, 10, 10], [50, 50, 20, 20]], [0.9, 0.9])
    merged = merge_looks([look(320, [[100, 100, 200, 200]], [0.5]), broken])
    assert 0.5 in merged.scores
    faces = select_faces(
        merged.boxes,
        merged.scores,
        merged.to_network,
        width=WIDTH,
        height=HEIGHT,
        min_score=0.3,
        max_faces=9,
    )
    assert [round(face.score, 3) for face in faces] == [0.5]


def test_back_to_frame_pixels() -> None:
    (face,) = select([[100, 120, 200, 260]], [0.9])
    corners = (face.x1, face.y1, face.x2, face.y2)
    np.testing.assert_allclose(corners, (100, 120, 200, 260), atol=1e-3)
    assert abs(face.score - 0.9) < 1e-6


def test_clipped_to_the_frame() -> None:
    (face,) = select([[-50, -20, 700, 500]], [0.9])
    assert (face.x1, face.y1, face.x2, face.y2) == (0, 0, WIDTH - 1, HEIGHT - 1)


def test_overlapping_candidates_are_one_face() -> None:
    faces = select([[10, 10, 60, 60], [12, 12, 62, 62], [200, 10, 260, 60]], [0.7, 0.9, 0.5])
    assert [round(face.score, 3) for face in faces] == [0.9, 0.5]


def test_a_box_inside_a_similar_one_is_the_same_face() -> None:
    large, upper_half = [100.0, 100, 200, 220], [110.0, 102, 190, 150]
    assert len(select([large, upper_half], [0.9, 0.8])) == 1
    (kept,) = select([large, upper_half], [0.5, 0.8])  # the better one stays, not the larger
    assert kept.score > 0.7


def test_a_small_face_before_a_large_one_stays() -> None:
    assert len(select([[100, 100, 200, 220], [120, 130, 150, 166]], [0.9, 0.8])) == 2


def test_faces_side_by_side_stay() -> None:
    assert len(select([[100, 100, 200, 220], [170, 110, 240, 200]], [0.9, 0.8])) == 2


def test_min_score_and_max_faces() -> None:
    boxes = [[100.0 * i, 10, 100.0 * i + 50, 60] for i in range(5)]
    scores = [0.2, 0.9, 0.4, 0.8, 0.5]
    assert len(select(boxes, scores)) == 4
    assert [round(f.score, 3) for f in select(boxes, scores, max_faces=2)] == [0.9, 0.8]
    assert len(select(boxes, scores, min_score=0.0)) == 5


def test_useless_candidates() -> None:
    nan, inf = float("nan"), float("inf")
    boxes: list[list[float]] = [
        [nan, 0, 9, 9],
        [0, 0, inf, 9],
        [50, 50, 40, 40],
        [-90, -90, -10, -10],
        [5, 5, 5, 5],
    ]
    assert select(boxes, [0.9] * 5) == ()
    assert select([[10, 10, 60, 60]], [nan]) == ()
    assert select([[10, 10, 60, 60]], [0.0], min_score=0.0) == ()
    assert select([], []) == ()


def test_iou_of_known_boxes() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 0, 0]], np.float32)
    iou = pairwise_iou(boxes)
    assert abs(iou[0, 1] - 1 / 3) < 1e-6
    assert iou[0, 2] == 0
    assert iou[3, 3] == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30), st.integers(1, 30)),
        max_size=20,
    ),
    st.randoms(use_true_random=False),
)
def test_kept_boxes_do_not_overlap(corners: list[tuple[int, ...]], random: object) -> None:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in corners], np.float32).reshape(-1, 4)
    scores = np.linspace(0.1, 0.9, len(boxes), dtype=np.float32)
    kept = non_maximum_suppression(boxes, scores)
    overlap = pairwise_iou(boxes[kept]) - np.eye(len(kept))
    assert (overlap <= 0.5 + 1e-6).all()
    assert (np.diff(scores[kept]) <= 0).all()
    # Nothing was dropped without a better box that it overlaps or is nested with.
    for index in np.setdiff1d(np.arange(len(boxes)), kept):
        low = np.maximum(boxes[index, :2], boxes[kept, :2])
        high = np.minimum(boxes[index, 2:], boxes[kept, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        own, others = areas[index], areas[kept]
        nested = shared > 0.8 * np.minimum(own, others)
        better = scores[kept] >= scores[index]
        assert ((pairwise_iou(boxes[[index]], boxes[kept])[0] > 0.5) | nested)[better].any()
