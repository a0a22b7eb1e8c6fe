import numpy as np
import pytest

from service.entities import Box, FloatArray, Reason
from service.vision.verdict import VerdictLimits, judge

LIMITS = VerdictLimits(max_error=0.08, fine_error=0.05, small_size=15)
BOX = Box(100, 100, 140, 140)  # 40 pixels
FINE, POOR = 0.02 * 40, 0.2 * 40  # pixels of expected error


def face(box: Box = BOX, sigma: float = FINE) -> FloatArray:
    """Landmarks that fill the box."""
    side = np.linspace(0, 1, 68)
    x, y = box.x1 + box.width * side, box.y1 + box.height * side
    return np.stack((x, y, np.full(68, 0.5), np.full(68, sigma)), axis=1).astype(np.float32)


def reasons(
    landmarks: FloatArray, box: Box = BOX, width: int = 320, height: int = 240
) -> tuple[Reason, ...]:
    verdict = judge(landmarks, box, LIMITS, width=width, height=height)
    assert verdict.reliable == (not verdict.reasons)
    return verdict.reasons


def test_a_face_that_is_fine_everywhere_is_reliable() -> None:
    assert reasons(face()) == ()


def test_the_limit_itself_is_reliable() -> None:
    landmarks = face(sigma=0.0)
    landmarks[:, 3] = np.float32(0.08) * 40
    assert reasons(landmarks) == ()
    assert reasons(landmarks * np.array([1, 1, 1, 1.01], np.float32))


def test_uncertain_everywhere() -> None:
    assert reasons(face(sigma=POOR)) == (Reason.NOT_THERMAL_LIKE,)


def test_some_landmarks_are_fine() -> None:
    landmarks = face(sigma=POOR)
    landmarks[:6, 3] = FINE
    assert reasons(landmarks) == (Reason.NOT_THERMAL_LIKE,)
    landmarks[6, 3] = FINE  # the seventh of 68 makes a tenth
    assert reasons(landmarks) == (Reason.OCCLUDED,)


def test_small_faces_are_uncertain_only_by_their_errors() -> None:
    small = Box(100, 100, 110, 110)
    assert reasons(face(small, sigma=0.2), small) == ()
    assert reasons(face(small, sigma=2.0), small) == (Reason.TOO_SMALL,)


@pytest.mark.parametrize(("dx", "dy"), [(-103, 0), (183, 0), (0, -103), (0, 103)])
def test_a_face_cut_by_any_edge(dx: int, dy: int) -> None:
    landmarks = face() + np.array([dx, dy, 0, 0], np.float32)
    box = Box(100 + dx, 100 + dy, 140 + dx, 140 + dy)
    assert reasons(landmarks, box) == (Reason.CUT,)
    landmarks[:, 3] = POOR
    assert reasons(landmarks, box) == (Reason.CUT,)  # which explains that nothing is certain


def test_a_few_landmarks_on_the_edge_do_not_cut() -> None:
    landmarks = face()
    landmarks[:3, 0] = -1
    assert reasons(landmarks) == ()
    landmarks[3, 0] = -1
    assert reasons(landmarks) == (Reason.CUT,)
    landmarks[:, 0] = -0.5  # the outer edge of the first pixels
    assert reasons(landmarks) == ()


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "0.1", True])
def test_limits_are_positive_numbers(value: float) -> None:
    with pytest.raises(ValueError, match="fine_error"):
        VerdictLimits(0.08, value, 15)
