import pytest
import torch

from training.models.inputs import DEVIATION, MEAN, normalise_input


def test_grey_levels_become_deviations_from_the_mean_in_three_equal_channels() -> None:
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2)
    given = normalise_input(images)
    assert given.dtype == torch.float32
    assert given.shape == (1, 3, 1, 2)
    wanted = [-MEAN / DEVIATION, (255 - MEAN) / DEVIATION]
    assert given[0, :, 0].tolist() == [wanted] * 3


def test_a_mean_per_channel() -> None:
    mean = torch.tensor([0.0, 10.0, 20.0]).reshape(3, 1, 1)
    given = normalise_input(torch.full((2, 1, 1, 1), 20, dtype=torch.uint8), mean, 10.0)
    assert given[:, :, 0, 0].tolist() == [[2.0, 1.0, 0.0]] * 2


def test_colours_keep_their_order() -> None:
    images = torch.tensor([0, 100, 200], dtype=torch.uint8).reshape(1, 3, 1, 1)
    given = normalise_input(images)
    assert given.shape == (1, 3, 1, 1)
    assert given.flatten().tolist() == [(v - MEAN) / DEVIATION for v in (0, 100, 200)]


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(1, 1, 4, 4),
        torch.zeros(1, 2, 4, 4, dtype=torch.uint8),
        torch.zeros(1, 4, 4, dtype=torch.uint8),
    ],
)
def test_anything_but_grey_or_colour_bytes_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="want uint8"):
        normalise_input(images)
