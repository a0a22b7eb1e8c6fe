import numpy as np
import pytest

from training.evaluation.calibration import claims


def drawn(scale: float) -> tuple[np.ndarray, np.ndarray]:
    """sigma, and errors whose mean is `scale` times as large: `[20000]`."""
    rng = np.random.default_rng(0)
    sigma = np.exp(rng.uniform(-4, -1, 20_000))
    mean = np.sqrt(np.pi / 2)  # of the length of two normal draws
    return sigma, scale * sigma * np.linalg.norm(rng.normal(0, 1 / mean, (20_000, 2)), axis=1)


def test_a_sigma_that_tells_the_truth() -> None:
    sigma, errors = drawn(1.0)
    figures = claims(errors, sigma, 1 / (1 + sigma)).figures()
    assert figures["points"] == 20_000
    assert figures["ratio"] == pytest.approx(1, abs=0.03)
    assert figures["ence"] == pytest.approx(0, abs=0.03)
    assert figures["rank_sigma"] > 0.5
    assert figures["rank_score"] == pytest.approx(-figures["rank_sigma"], abs=1e-9)


def test_far_misses_count_by_their_distance_not_its_square() -> None:
    """Half the points where they belong, the others off by twice what is expected."""
    sigma = np.full(2400, 0.1)
    figures = claims(np.tile([0.0, 0.2], 1200), sigma, sigma).figures()
    assert (figures["ratio"], figures["ence"]) == pytest.approx((1, 0), abs=1e-6)


def test_a_sigma_half_as_long_as_it_should_be() -> None:
    sigma, errors = drawn(2.0)
    figures = claims(errors, sigma, np.ones_like(sigma) - sigma).figures()
    assert figures["ratio"] == pytest.approx(2, abs=0.06)
    assert figures["ence"] == pytest.approx(1, abs=0.06)


def test_bins_hold_equal_counts_in_the_order_of_what_is_said() -> None:
    sigma = np.repeat([3.0, 1.0, 2.0], 12)
    bins = claims(sigma * 2, sigma, sigma).by_sigma()
    assert bins.said.tolist() == [1, 2, 3]
    assert bins.measured.tolist() == bins.median.tolist() == bins.p90.tolist() == [2, 4, 6]


def test_points_that_do_not_count_are_left_out() -> None:
    errors = np.array([[0.1, np.nan], [np.nan, 0.3]])
    kept = claims(errors, np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]]))
    assert (kept.errors.tolist(), kept.sigma.tolist()) == ([0.1, 0.3], [1, 4])
    assert kept.score.tolist() == [5, 8]


def test_too_few_points_say_nothing() -> None:
    figures = claims(np.ones(23), np.ones(23), np.ones(23)).figures()
    assert figures["points"] == 23
    assert np.isnan(figures["ratio"])
    assert len(claims(np.ones(0), np.ones(0), np.ones(0)).by_score().said) == 0
