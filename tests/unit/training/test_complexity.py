"""Against the paper's Table I, and layers counted by hand."""

import pytest
import torch
from torch import nn

from training.complexity import complexity
from training.models import rtmpose

# MLCM-KD, Table I (its parameters), and its "GFLOPs" counted in products alone
PUBLISHED = {
    "t": (4.33, 0.57),
    "s": (6.79, 1.02),
    "m": (15.54, 2.715),  # l and x: see the tables' test
}


@pytest.mark.parametrize("variant", PUBLISHED)
def test_rtmpose_costs_what_the_paper_says(variant: str) -> None:
    figures = complexity(rtmpose.build(variant)).figures()
    parameters, multiply_adds = PUBLISHED[variant]
    assert figures["params_m"] == pytest.approx(parameters, abs=0.005)
    assert figures["gmacs"] == pytest.approx(multiply_adds, abs=0.005)


def test_layers_counted_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # 8 x 8 places of 8 x 27 products
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),  # depthwise: 8 x 9 products a place
        nn.Flatten(),
        nn.Linear(8 * 8 * 8, 10),
    )
    network[4].bias.requires_grad_(False)
    counted = complexity(network, input_size=16)
    assert counted.multiply_adds == 64 * 8 * 27 + 64 * 8 * 9 + 512 * 10
    assert counted.parameters == (8 * 27 + 8) + 16 + (8 * 9 + 8) + 512 * 10


@pytest.mark.parametrize("training", [True, False])
def test_the_network_stays_as_it_was(training: bool) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    complexity(network, input_size=4, channels=1)
    assert network.training is training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_the_mode_is_restored_after_an_error() -> None:
    network = nn.Conv2d(3, 1, 1).train()
    with pytest.raises(RuntimeError):
        complexity(network, channels=4)
    assert network.training
