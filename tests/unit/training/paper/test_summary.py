import numpy as np
import pytest
from scipy import stats

from training.paper.summary import COLUMNS, Errors, compare, spread, synthetic_subsets


def test_subsets_by_the_median_and_by_yaw() -> None:
    sizes = np.array([10.0, 88.0, 100.0, 114.0, 300.0])
    found = synthetic_subsets(sizes, np.array([0.0, -44.9, 45.0, -90.0, 10.0]))
    assert found["high"].tolist() == [False, False, False, False, True]
    assert found["mean"].tolist() == [False, True, True, True, False]
    assert found["low"].tolist() == [True, False, False, False, False]
    assert found["front"].tolist() == [True, True, False, False, True]
    assert found["side"].tolist() == [False, False, True, True, False]
    assert found["full"].all()


def test_columns_of_errors() -> None:
    subsets = synthetic_subsets(np.array([10.0, 100.0, 300.0]), np.array([0.0, 80.0, 0.0]))
    errors = Errors(np.array([0.1, 9.0, 0.3]), np.array([0.01, 0.02, np.nan]))
    found = {name: errors.column(name, subsets) for name in COLUMNS}
    assert found["tfake"] == pytest.approx(0.2)  # the eyes' distance, front alone
    assert found["full"] == pytest.approx(0.015)
    assert found["side"] == pytest.approx(0.02)
    assert np.isnan(found["high"])  # its one face has no point that counts
    nobody = {**subsets, "low": np.zeros(3, bool)}
    assert np.isnan(errors.column("low", nobody))


def test_spread_is_the_samples() -> None:
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.deviation, found.n) == (2.0, 1.0, 3)
    assert np.isnan(spread([4.0]).deviation)


def test_comparison_by_hand() -> None:
    first = [np.array([1.0, 2.0, np.nan]), np.array([1.0, 4.0, 5.0])]
    second = [np.array([2.0, 5.0, 0.0]), np.array([1.0, 3.0, 5.0])]
    found = compare(first, second)
    assert found.differences == (-2.0, 0.5)  # of the two faces known everywhere
    assert found.mean == -0.75
    assert found.wins == 1
    assert found.p == pytest.approx(stats.ttest_rel([1.5, 2.5], [3.5, 2.0]).pvalue)
    assert found.view_error == pytest.approx(np.std([-0.5, -1.0], ddof=1) / np.sqrt(2))


def test_comparison_of_one_seed_has_no_p() -> None:
    found = compare([np.array([1.0, 2.0])], [np.array([2.0, 2.0])])
    assert np.isnan(found.p)
    assert found.wins == 1


def test_equal_differences_have_no_p() -> None:
    one, other = [np.ones(3)] * 3, [np.zeros(3)] * 3
    assert np.isnan(compare(one, other).p)


def test_what_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="1 seeds against 2"):
        compare([np.ones(2)], [np.ones(2)] * 2)
    with pytest.raises(ValueError, match="no face"):
        compare([np.array([np.nan])], [np.ones(1)])
