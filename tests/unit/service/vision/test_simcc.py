import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entities import FloatArray
from service.vision.simcc import PUBLIC_BETA, decode_simcc

BINS = 512


def gaussian(centre: float, deviation: float, bins: int = BINS) -> FloatArray:
    """Logits `[1, 1, bins]` whose softmax is a normal distribution."""
    steps = (np.arange(bins) - centre) / deviation
    return np.asarray(-0.5 * steps**2, np.float32).reshape(1, 1, -1)


def spike(place: int, bins: int = BINS) -> FloatArray:
    return np.where(np.arange(bins) == place, np.float32(60), np.float32(0)).reshape(1, 1, -1)


@given(
    st.floats(min_value=5, max_value=BINS - 6),
    st.floats(min_value=5, max_value=BINS - 6),
    st.floats(min_value=0.6, max_value=0.75),  # bins are too coarse to sample a narrower one
)
def test_a_narrow_peak_is_found_between_the_bins(x: float, y: float, deviation: float) -> None:
    keypoints = decode_simcc(gaussian(x, deviation), gaussian(y, deviation))
    np.testing.assert_allclose(keypoints[0, 0, :2], [x / 2, y / 2], atol=0.01)
    assert keypoints[0, 0, 2] > 0.99
    assert keypoints[0, 0, 3] == pytest.approx(np.sqrt(2) * deviation / 2, rel=0.05)


def test_the_step_is_the_mean_of_five_bins_weighted_by_probability() -> None:
    probabilities = np.full(12, 0.01)
    probabilities[3:8] = [0.05, 0.2, 0.4, 0.25, 0.02]
    probabilities /= probabilities.sum()
    logits = np.log(probabilities).astype(np.float32).reshape(1, 1, -1)
    window = probabilities[3:8]
    x = (window * np.arange(3, 8)).sum() / window.sum()
    mean = (probabilities * np.arange(12)).sum()
    variance = (probabilities * (np.arange(12) - mean) ** 2).sum()
    wanted = [x / 2, x / 2, window.sum(), np.sqrt(2 * variance) / 2]
    np.testing.assert_allclose(decode_simcc(logits, logits)[0, 0], wanted, rtol=1e-5)


@pytest.mark.parametrize("place", [0, 1, 2, 255, 509, 510, 511])
def test_a_spike_is_where_it_is_also_at_the_ends(place: int) -> None:
    x, y, score, sigma = decode_simcc(spike(place), spike(BINS - 1 - place))[0, 0]
    assert x == pytest.approx(place / 2, abs=1e-6)
    assert y == pytest.approx((BINS - 1 - place) / 2, abs=1e-6)
    assert score == pytest.approx(1)
    assert sigma == pytest.approx(0, abs=1e-4)


def test_beyond_the_end_there_is_nothing_to_weigh() -> None:
    logits = gaussian(-10.0, 3.0)
    weights = np.exp(logits[0, 0, :3] - logits[0, 0, 0])
    wanted = (weights * [0, 1, 2]).sum() / weights.sum() / 2
    assert decode_simcc(logits, logits)[0, 0, 0] == pytest.approx(wanted, rel=1e-5)


def test_the_score_is_that_of_the_worse_axis() -> None:
    sharp, flat = gaussian(100, 0.5), np.zeros((1, 1, BINS), np.float32)
    assert decode_simcc(sharp, flat)[0, 0, 2] == pytest.approx(3 / BINS)  # bins 0, 1 and 2
    assert decode_simcc(flat, sharp)[0, 0, 2] == pytest.approx(3 / BINS)
    assert decode_simcc(sharp, sharp)[0, 0, 2] > 0.99


def test_sigma_of_two_peaks_is_half_their_distance() -> None:
    logits = np.maximum(spike(100), spike(300))
    *_, score, sigma = decode_simcc(logits, spike(50))[0, 0]
    assert score == pytest.approx(0.5)
    assert sigma == pytest.approx(100 / 2)


def test_public_logits_need_their_factor() -> None:
    # What KLDiscretLoss(beta=10) draws a network's output towards: a Gaussian of height one.
    logits = np.exp(gaussian(200.25, 5.66))
    plain = decode_simcc(logits, logits)[0, 0]
    public = decode_simcc(logits, logits, beta=PUBLIC_BETA)[0, 0]
    assert plain[2] < 0.03
    assert public[2] > 0.7
    np.testing.assert_allclose(public[:2], 100.125, atol=0.1)


def test_many_at_once_and_none() -> None:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((3, 68, BINS)).astype(np.float32)
    y = generator.standard_normal((3, 68, 300)).astype(np.float32)
    together = decode_simcc(x, y)
    assert together.shape == (3, 68, 4)
    assert together.dtype == np.float32
    for index in range(3):
        alone = decode_simcc(x[index : index + 1], y[index : index + 1])
        np.testing.assert_array_equal(together[index], alone[0])
    assert decode_simcc(x[:0], y[:0]).shape == (0, 68, 4)


def test_large_logits_do_not_overflow() -> None:
    logits = spike(200) * np.float32(1e30)
    np.testing.assert_allclose(decode_simcc(logits, logits)[0, 0], [100, 100, 1, 0])


def test_split_ratio_scales_pixels() -> None:
    x, y, _, sigma = decode_simcc(gaussian(40, 1), gaussian(60, 1), split_ratio=4.0)[0, 0]
    assert (x, y) == (pytest.approx(10), pytest.approx(15))
    assert sigma == pytest.approx(np.sqrt(2) / 4, rel=1e-3)


@pytest.mark.parametrize(
    ("x_shape", "y_shape"),
    [((68, BINS), (68, BINS)), ((1, 68, BINS), (1, 67, BINS)), ((1, 68, 0), (1, 68, 0))],
)
def test_shapes_that_do_not_fit(x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="SimCC logits"):
        decode_simcc(np.zeros(x_shape, np.float32), np.zeros(y_shape, np.float32))


@pytest.mark.parametrize("options", [{"beta": 0.0}, {"split_ratio": -1.0}])
def test_factors_must_be_positive(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        decode_simcc(spike(1), spike(1), **options)
