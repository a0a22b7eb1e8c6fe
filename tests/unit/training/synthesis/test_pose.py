import numpy as np
import pytest

from training.synthesis.head import HeadModel
from training.synthesis.pose import MOUTH_REACH, scale_mouth, scale_nose

CORNERS = [48, 54]


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.1])
def test_a_mouth_gets_so_many_times_as_wide_about_its_middle(
    head: HeadModel, factor: float
) -> None:
    before = head.neutral[head.landmarks[CORNERS]]
    after = scale_mouth(head, head.neutral, factor)[head.landmarks[CORNERS]]
    assert np.ptp(after[:, 0]) == pytest.approx(factor * np.ptp(before[:, 0]), rel=1e-5)
    assert after[:, 0].mean() == pytest.approx(before[:, 0].mean(), abs=1e-5)
    np.testing.assert_array_equal(after[:, 1:], before[:, 1:])


def test_what_is_not_near_the_mouth_stays(head: HeadModel) -> None:
    after = scale_mouth(head, head.neutral, 0.7)
    middle = head.neutral[head.landmarks[CORNERS]].mean(axis=0)
    far = np.abs(head.neutral[:, 1] - middle[1]) > 1.0 + MOUTH_REACH[1]
    behind = head.neutral[:, 2] <= 0
    np.testing.assert_array_equal(after[far | behind], head.neutral[far | behind])


def test_the_cheeks_are_stretched_and_not_folded(head: HeadModel) -> None:
    middle = head.neutral[head.landmarks[CORNERS]].mean(axis=0)
    row = (np.abs(head.neutral[:, 1] - middle[1]) < 0.3) & (head.neutral[:, 2] > 0)
    before, after = head.neutral[row, 0], scale_mouth(head, head.neutral, 0.7)[row, 0]
    order = np.argsort(before)
    assert (np.diff(after[order]) >= -1e-5).all()


def test_a_nose_stands_out_so_many_times_as_far(head: HeadModel) -> None:
    root, tip, lip = head.landmarks[[27, 30, 33]]

    def out(factor: float) -> float:
        after = scale_nose(head, head.neutral, factor)
        return float(after[tip, 2] - after[[root, lip], 2].mean())

    # From the middle between root and lip, both of which stay: twice the way for twice the factor.
    assert out(1.0) < out(1.25)
    assert out(1.5) - out(1.0) == pytest.approx(2 * (out(1.25) - out(1.0)), rel=1e-4)


def test_a_longer_nose_moves_nothing_else(head: HeadModel) -> None:
    after = scale_nose(head, head.neutral, 1.5)
    np.testing.assert_array_equal(after[:, :2], head.neutral[:, :2])
    rest = head.landmarks[[8, 33, 36, 45, 48, 51, 54, 57]]
    np.testing.assert_array_equal(after[rest], head.neutral[rest])
