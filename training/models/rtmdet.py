"""RTMDet-nano: depthwise CSPNeXt, path-aggregation neck, one separable head per level.

Source: RTMDet, arXiv 2212.07784, section 3; the nano form keeps separate convolutions per level,
no objectness and plain (not exponential) distances. Names follow the public implementation.
"""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.models.cspnext import (
    ConvModule,
    CSPLayer,
    CSPNeXt,
    DepthwiseSeparable,
    initialise_convolutions,
)

STRIDES: Final = (8, 16, 32)  # input pixels per cell, finest level first
CLASS_PRIOR: Final = 0.01  # score of every cell before training: faces are rare
_CHANNELS: Final = 64  # of the neck's outputs and the head
_STACKED: Final = 2  # convolutions before each prediction

# Depth and width of the backbone per variant.
VARIANTS: Final[dict[str, tuple[float, float]]] = {"nano": (0.33, 0.25)}

Levels = tuple[Tensor, ...]


class PathAggregation(nn.Module):
    """Three feature maps, finest first, to three of 64 channels: top-down, then bottom-up."""

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        fine, middle, coarse = channels

        def partial(inputs: int, width: int) -> CSPLayer:
            return CSPLayer(inputs, width, 1, residual=False, depthwise=True, attention=False)

        self.reduce_layers = nn.ModuleList(
            [ConvModule(coarse, middle, 1), ConvModule(middle, fine, 1)]
        )
        self.top_down_blocks = nn.ModuleList([partial(2 * middle, middle), partial(2 * fine, fine)])
        self.downsamples = nn.ModuleList(
            [DepthwiseSeparable(width, width, 3, stride=2) for width in (fine, middle)]
        )
        self.bottom_up_blocks = nn.ModuleList(
            [partial(2 * fine, middle), partial(2 * middle, coarse)]
        )
        self.out_convs = nn.ModuleList(
            [DepthwiseSeparable(width, outputs, 3) for width in channels]
        )
        initialise_convolutions(self)

    def forward(self, stages: Sequence[Tensor]) -> Levels:
        fine, middle, coarse = stages
        coarse = self.reduce_layers[0](coarse)
        middle = self.top_down_blocks[0](torch.cat((_twice(coarse), middle), dim=1))
        middle = self.reduce_layers[1](middle)
        fine = self.top_down_blocks[1](torch.cat((_twice(middle), fine), dim=1))
        middle = self.bottom_up_blocks[0](torch.cat((self.downsamples[0](fine), middle), dim=1))
        coarse = self.bottom_up_blocks[1](torch.cat((self.downsamples[1](middle), coarse), dim=1))
        return tuple(
            conv(level) for conv, level in zip(self.out_convs, (fine, middle, coarse), strict=True)
        )


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class RTMDetHead(nn.Module):
    """Per level: class logits `[N, classes, h, w]` and distances `[N, 4, h, w]`."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()

        def stack() -> nn.Sequential:
            convolutions = [DepthwiseSeparable(channels, channels, 3) for _ in range(_STACKED)]
            return nn.Sequential(*convolutions)

        self.cls_convs = nn.ModuleList([stack() for _ in STRIDES])
        self.reg_convs = nn.ModuleList([stack() for _ in STRIDES])
        self.rtm_cls = nn.ModuleList([nn.Conv2d(channels, classes, 1) for _ in STRIDES])
        self.rtm_reg = nn.ModuleList([nn.Conv2d(channels, 4, 1) for _ in STRIDES])
        self.classes = classes
        self._initialise()

    def forward(self, levels: Sequence[Tensor]) -> tuple[Levels, Levels]:
        logits = [
            predict(convs(level))
            for predict, convs, level in zip(self.rtm_cls, self.cls_convs, levels, strict=True)
        ]
        distances = [
            # Pixels reach hundreds, where bfloat16 steps by 2 and more: scale up in float32.
            predict(convs(level)).float() * float(stride)
            for predict, convs, level, stride in zip(
                self.rtm_reg, self.reg_convs, levels, STRIDES, strict=True
            )
        ]
        return tuple(logits), tuple(distances)

    def _initialise(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        for name, parameter in self.rtm_cls.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(parameter, -math.log((1 - CLASS_PRIOR) / CLASS_PRIOR))


class RTMDet(nn.Module):
    """float `[N, 3, H, W]`, normalised, H and W multiples of 32, to raw predictions per level.

    `forward` returns (class logits, distances), each a tuple over the strides 8, 16, 32. Distances
    are from the cell's point to the box's left, top, right and bottom, in input pixels, float32.
    """

    def __init__(self, deepen: float, widen: float, classes: int) -> None:
        super().__init__()
        self.backbone = CSPNeXt(deepen, widen, depthwise=True)
        self.neck = PathAggregation(self.backbone.channels[1:], _CHANNELS)
        self.bbox_head = RTMDetHead(_CHANNELS, classes)

    def forward(self, images: Tensor) -> tuple[Levels, Levels]:
        return self.bbox_head(self.neck(self.backbone(images)[1:]))


def build(variant: str = "nano", classes: int = 1) -> RTMDet:
    """A new detector, initialised for training from scratch (torch's global generator).

    Raises ValueError for an unknown variant or fewer than one class.
    """
    if variant not in VARIANTS:
        raise ValueError(f"unknown RTMDet variant {variant!r}: choose from {', '.join(VARIANTS)}")
    if classes < 1:
        raise ValueError(f"a detector needs at least one class, got {classes}")
    return RTMDet(*VARIANTS[variant], classes)


def cell_points(sizes: Sequence[tuple[int, int]]) -> Tensor:
    """The points (x, y) the distances start from: float32 `[P, 2]`, input pixels.

    sizes: height and width of each level, finest first. Cell (row, column) stands at
    `(column * stride, row * stride)`: its corner, not its centre, as in the public checkpoints.
    """
    points = []
    for (height, width), stride in zip(sizes, STRIDES, strict=True):
        ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        points.append(torch.stack((xs.flatten(), ys.flatten()), dim=1) * stride)
    return torch.cat(points).float()


def flatten_levels(levels: Sequence[Tensor]) -> Tensor:
    """`[N, C, h, w]` per level to `[N, P, C]`, in the order of `cell_points`."""
    return torch.cat([level.flatten(2) for level in levels], dim=2).transpose(1, 2)


def to_boxes(points: Tensor, distances: Tensor) -> Tensor:
    """Points `[P, 2]` and distances `[N, P, 4]` to boxes `[N, P, 4]` (x1, y1, x2, y2)."""
    return torch.cat((points - distances[..., :2], points + distances[..., 2:]), dim=-1)
