import numpy as np
import pytest
import torch

from training.models.expected_error import ExpectedError
from training.models.graphs import Decode, decode_simcc

CURVE = ExpectedError([2.0, 4.0, 16.0], [1.0, 3.0, 12.0])


def expected(*deviations: float) -> np.ndarray:
    keypoints = torch.zeros(1, len(deviations), 4)
    keypoints[..., 3] = torch.tensor(deviations)
    return CURVE(keypoints)[0, :, 3].numpy()


def test_the_curve_goes_through_its_points_and_is_level_beyond() -> None:
    np.testing.assert_allclose(expected(2, 4, 16), [1, 3, 12], rtol=1e-5)
    np.testing.assert_allclose(expected(0, 1.9, 17, 500), [1, 1, 12, 12], rtol=1e-5)


def test_between_its_points_it_is_straight_in_logarithms() -> None:
    np.testing.assert_allclose(expected(8.0), [6.0], rtol=1e-5)
    assert (np.diff(expected(*np.linspace(2, 16, 50))) > 0).all()


def test_only_the_last_column_changes() -> None:
    keypoints = torch.rand(2, 68, 4)
    assert torch.equal(CURVE(keypoints)[..., :3], keypoints[..., :3])


def test_the_points_survive_a_checkpoint() -> None:
    again = ExpectedError.of(CURVE.as_plain())
    keypoints = torch.rand(2, 5, 4) * 20
    assert torch.equal(again(keypoints), CURVE(keypoints))


def test_a_calibrated_decoding_is_the_plain_one_and_the_curve() -> None:
    logits = torch.randn(2, 3, 512, generator=torch.manual_seed(0)) * 4
    plain = decode_simcc(logits, logits.flip(1))
    assert torch.equal(Decode()(logits, logits.flip(1)), plain)
    assert torch.equal(Decode(CURVE)(logits, logits.flip(1)), CURVE(plain))


@pytest.mark.parametrize(
    ("deviations", "errors"),
    [
        ([1.0], [1.0]),
        ([1.0, 2.0], [1.0]),
        ([2.0, 1.0], [1.0, 2.0]),
        ([1.0, 2.0], [2.0, 1.0]),
        ([0.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [float("nan"), 2.0]),
    ],
)
def test_no_curve(deviations: list[float], errors: list[float]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        ExpectedError(deviations, errors)
