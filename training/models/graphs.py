"""The networks as they are served: uint8 image in, keypoints or boxes out, all in one graph."""

from typing import Final

import torch
from torch import Tensor, nn

from training.models.inputs import normalise_input
from training.models.rtmdet import STRIDES, RTMDet, cell_points, flatten_levels, to_boxes
from training.models.rtmpose import SPLIT_RATIO, RTMPose

REACH: Final = 2  # bins on each side of the maximum that make up the peak
CANDIDATES: Final = 100  # boxes the detector answers, before suppression
DETECTOR_INPUT: Final = 320  # pixels, both sides


def decode_simcc(simcc_x: Tensor, simcc_y: Tensor) -> Tensor:
    """Logits float `[N, K, bins]` per axis to keypoints float32 `[N, K, 4]`: x, y, score, sigma.

    The same steps as `service.vision.simcc.decode_simcc` with its defaults, which holds the
    definitions; always in float32.
    """
    x, mass_x, variance_x = _decode_axis(simcc_x.float())
    y, mass_y, variance_y = _decode_axis(simcc_y.float())
    sigma = torch.sqrt(variance_x + variance_y)
    return torch.cat(
        (x / SPLIT_RATIO, y / SPLIT_RATIO, torch.minimum(mass_x, mass_y), sigma / SPLIT_RATIO), -1
    )


def _decode_axis(logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Position (bins), mass of the peak and variance (bins squared), each `[N, K, 1]`."""
    bins = torch.arange(logits.shape[-1], dtype=torch.float32, device=logits.device)
    peak = logits.argmax(dim=-1, keepdim=True).float()
    probabilities = logits.softmax(dim=-1)
    offsets = bins - peak
    # A clamp instead of a comparison: 1 within reach, 0 beyond, and no boolean tensors, which
    # engines convert each in its own way.
    inside = probabilities * (REACH + 1 - offsets.abs()).clamp(0.0, 1.0)
    mass = inside.sum(dim=-1, keepdim=True)
    step = (inside * offsets).sum(dim=-1, keepdim=True) / mass
    centred = offsets - (probabilities * offsets).sum(dim=-1, keepdim=True)
    variance = (probabilities * centred * centred).sum(dim=-1, keepdim=True)
    return peak + step, mass.clamp(max=1.0), variance


class LandmarkGraph(nn.Module):
    """image uint8 `[N, 1, H, W]` to keypoints float32 `[N, K, 4]` and both axes' logits."""

    def __init__(self, network: RTMPose) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        simcc_x, simcc_y = self.network(normalise_input(image))
        return decode_simcc(simcc_x, simcc_y), simcc_x, simcc_y


class DetectorGraph(nn.Module):
    """image uint8 `[N, 1, 320, 320]` to the 100 best boxes, best first, before suppression.

    boxes: float32 `[N, 100, 4]`, x1, y1, x2, y2 in input pixels, not clipped to the image.
    scores: float32 `[N, 100]`, 0 to 1.
    """

    def __init__(self, network: RTMDet) -> None:
        super().__init__()
        if network.bbox_head.rtm_cls[0].out_channels != 1:
            raise ValueError("the served detector has one class")
        self.network = network
        sizes = [(DETECTOR_INPUT // stride, DETECTOR_INPUT // stride) for stride in STRIDES]
        self.register_buffer("points", cell_points(sizes), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, distances = self.network(normalise_input(image))
        boxes = to_boxes(self.points, flatten_levels(distances))
        # Of the logits, not the scores: the sigmoid rounds confident neighbours into ties.
        best, order = flatten_levels(logits).squeeze(-1).float().topk(CANDIDATES, dim=1)
        return boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4)), best.sigmoid()
