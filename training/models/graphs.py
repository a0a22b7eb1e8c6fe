"""The networks as they are served: uint8 image in, keypoints or boxes out, all in one graph.

The steps around a network are modules of their own, so that their nodes carry the names
`normalise/...`, `decode/...` and `select/...`: what lowers precision leaves those alone.
"""

from typing import Final

import torch
from torch import Tensor, nn

from training.models.expected_error import ExpectedError
from training.models.inputs import normalise_input
from training.models.rtmdet import STRIDES, RTMDet, cell_points, flatten_levels, to_boxes
from training.models.rtmpose import SPLIT_RATIO, RTMPose

REACH: Final = 2  # bins on each side of the maximum that make up the peak
CANDIDATES: Final = 100  # boxes the detector answers, before suppression
DETECTOR_INPUT: Final = 320  # pixels, both sides, unless another size is asked for


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


class Normalise(nn.Module):
    """`normalise_input` as a module; `channels` gives each channel its own (mean, deviation)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, channels: tuple[tuple[float, float], ...] | None = None) -> None:
        super().__init__()
        self.coloured = channels is not None
        if channels is not None:
            mean, deviation = torch.tensor(channels, dtype=torch.float32).T.reshape(2, 3, 1, 1)
            self.register_buffer("mean", mean, persistent=False)
            self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        if self.coloured:
            return normalise_input(image, self.mean, self.deviation)
        return normalise_input(image)


class Decode(nn.Module):
    """`decode_simcc` as a module; with a calibration, sigma is the expected error."""

    def __init__(self, expected_error: ExpectedError | None = None) -> None:
        super().__init__()
        self.expected_error = expected_error

    def forward(self, simcc_x: Tensor, simcc_y: Tensor) -> Tensor:
        keypoints = decode_simcc(simcc_x, simcc_y)
        return keypoints if self.expected_error is None else self.expected_error(keypoints)


class LandmarkGraph(nn.Module):
    """image uint8 `[N, 1, H, W]` to keypoints float32 `[N, K, 4]` and both axes' logits."""

    def __init__(self, network: RTMPose, expected_error: ExpectedError | None = None) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.network = network
        self.decode = Decode(expected_error)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        simcc_x, simcc_y = self.network(self.normalise(image))
        return self.decode(simcc_x, simcc_y), simcc_x, simcc_y


class Select(nn.Module):
    """Raw predictions per level to the best candidates over all levels, best first."""

    points: Tensor

    def __init__(self, candidates: int, input_size: int) -> None:
        super().__init__()
        if input_size % STRIDES[-1] or input_size <= 0:
            raise ValueError(f"the input's side must be a multiple of {STRIDES[-1]} pixels")
        self.candidates = candidates
        sizes = [(input_size // stride, input_size // stride) for stride in STRIDES]
        self.register_buffer("points", cell_points(sizes), persistent=False)

    def forward(
        self, logits: tuple[Tensor, ...], distances: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        boxes = to_boxes(self.points, flatten_levels(distances))
        # Of the logits, not the scores: the sigmoid rounds confident neighbours into ties.
        best, order = flatten_levels(logits).squeeze(-1).float().topk(self.candidates, dim=1)
        return boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4)), best.sigmoid()


class DetectorGraph(nn.Module):
    """image uint8 `[N, 1, S, S]` to the best boxes, best first, before suppression.

    boxes: float32 `[N, 100, 4]`, x1, y1, x2, y2 in input pixels, not clipped to the image.
    scores: float32 `[N, 100]`, 0 to 1.
    channels: (mean, deviation) per channel, for a network trained on coloured pictures.
    input_size: S, pixels. The weights fit any: a larger input sees smaller faces.
    Raises ValueError unless the network has one class and S is a multiple of 32.
    """

    def __init__(
        self,
        network: RTMDet,
        channels: tuple[tuple[float, float], ...] | None = None,
        candidates: int = CANDIDATES,
        input_size: int = DETECTOR_INPUT,
    ) -> None:
        super().__init__()
        if network.bbox_head.classes != 1:
            classes = network.bbox_head.classes
            raise ValueError(f"the served detector has one class, this network {classes}")
        self.normalise = Normalise(channels)
        self.network = network
        self.select = Select(candidates, input_size)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, distances = self.network(self.normalise(image))
        return self.select(logits, distances)
