import numpy as np
import pytest

from training.stability import gradient_stability


def test_figures_by_hand() -> None:
    # mean 2, deviations -1 1 -1 1; steps of 2; slope 0.4 over steps 0..3: r2 = 0.2
    found = gradient_stability(np.array([1.0, 3.0, 1.0, 3.0]))
    assert found.std_dev == pytest.approx(1.0)
    assert found.cv_percent == pytest.approx(50.0)
    assert found.mean_step_change == pytest.approx(2.0)
    assert found.r2 == pytest.approx(0.2)


@pytest.mark.parametrize("slope", [0.5, -0.25])
def test_a_line_is_fitted_whole(slope: float) -> None:
    found = gradient_stability(10 + slope * np.arange(8))
    assert found.r2 == pytest.approx(1.0)
    assert found.mean_step_change == pytest.approx(abs(slope))


@pytest.mark.parametrize("value", [0.1, 7.0])
def test_a_constant_sequence_has_no_line_to_explain(value: float) -> None:
    found = gradient_stability(np.full(10, value))
    assert (found.std_dev, found.cv_percent, found.mean_step_change) == (0, 0, 0)
    assert np.isnan(found.r2)


def test_nothing_over_nothing() -> None:
    assert np.isnan(gradient_stability(np.zeros(5)).cv_percent)


@pytest.mark.parametrize("norms", [[], [1.0], [1.0, 2.0], [[1.0, 2.0, 3.0]]])
def test_too_short_or_no_sequence(norms: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 3"):
        gradient_stability(np.array(norms))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_broken_norms_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        gradient_stability(np.array([1.0, bad, 2.0]))
