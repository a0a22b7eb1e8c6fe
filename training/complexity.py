"""What a network costs: parameters, and multiply-adds of one image.

The paper (MLCM-KD, section III.B, Tables I and II) and MMPose call multiply-adds GFLOPs: one
multiplication with its addition counts once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

FLOPS_A_MULTIPLY_ADD: Final = 2


@dataclass(frozen=True)
class Complexity:
    """parameters: numbers to learn. multiply_adds: of one image through the network."""

    parameters: int
    multiply_adds: int

    def figures(self) -> Mapping[str, float]:
        """In the units of the paper: millions, and 10^9."""
        return {"params_m": self.parameters / 1e6, "gmacs": self.multiply_adds / 1e9}


def complexity(network: nn.Module, input_size: int = 256, channels: int = 3) -> Complexity:
    """Counted while one empty image float32 `[1, channels, input_size, input_size]` runs through.

    Counted are convolutions and matrix products (linear layers, and the attention's, half a percent
    of RTMPose-t); norms, activations and sums are not, as is the custom. The network stays in its
    mode; it is run in eval mode.
    """
    was_training = network.training
    device = next(network.parameters()).device
    try:
        network.eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, channels, input_size, input_size, device=device))
    finally:
        network.train(was_training)
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Complexity(parameters, counter.get_total_flops() // FLOPS_A_MULTIPLY_ADD)
