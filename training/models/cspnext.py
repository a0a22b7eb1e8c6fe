"""The CSPNeXt backbone (P5), shared by RTMPose and RTMDet.

Source: RTMDet, arXiv 2212.07784, section 3.2: cross-stage partial stages whose blocks end in a 5x5
depthwise convolution, with channel attention. Module names follow the public implementations, so
that their checkpoints load with `strict=True`.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn

# Per stage: input and output channels at width 1, blocks at depth 1, residual blocks, pyramid pool.
_P5: Final = (
    (64, 128, 3, True, False),
    (128, 256, 6, True, False),
    (256, 512, 6, True, False),
    (512, 1024, 3, False, True),
)
STRIDE: Final = 32  # pixels of the input per pixel of the last stage


class ConvModule(nn.Module):
    """Convolution without bias ("same" padding), batch normalisation, SiLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)
        self.activate = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.activate(self.bn(self.conv(x)))


class DepthwiseSeparable(nn.Module):
    """A depthwise ConvModule, then a 1x1 one."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_conv = ConvModule(inputs, inputs, kernel, stride, groups=inputs)
        self.pointwise_conv = ConvModule(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise_conv(self.depthwise_conv(x))


def conv3x3(inputs: int, outputs: int, stride: int = 1, *, depthwise: bool) -> nn.Module:
    """A 3x3 ConvModule, or its depthwise-separable form."""
    if depthwise:
        return DepthwiseSeparable(inputs, outputs, 3, stride)
    return ConvModule(inputs, outputs, 3, stride)


class ChannelAttention(nn.Module):
    """Scales each channel by a hard sigmoid of a linear map of the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.global_avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Conv2d(channels, channels, 1)
        self.act = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.act(self.fc(self.global_avgpool(x)))


class CSPNeXtBlock(nn.Module):
    """3x3 (depthwise if asked), then 5x5 depthwise-separable; with or without the residual."""

    def __init__(self, channels: int, *, residual: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels, depthwise=depthwise)
        self.conv2 = DepthwiseSeparable(channels, channels, 5)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.conv1(x))
        return y + x if self.residual else y


class CSPLayer(nn.Module):
    """Cross-stage partial layer: half of the channels through the blocks, half around them."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        blocks: int,
        *,
        residual: bool,
        depthwise: bool,
        attention: bool,
    ) -> None:
        super().__init__()
        middle = outputs // 2
        self.main_conv = ConvModule(inputs, middle, 1)
        self.short_conv = ConvModule(inputs, middle, 1)
        self.final_conv = ConvModule(2 * middle, outputs, 1)
        self.blocks = nn.Sequential(
            *(CSPNeXtBlock(middle, residual=residual, depthwise=depthwise) for _ in range(blocks))
        )
        self.attention = ChannelAttention(2 * middle) if attention else None

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat((self.blocks(self.main_conv(x)), self.short_conv(x)), dim=1)
        if self.attention is not None:
            y = self.attention(y)
        return self.final_conv(y)


class SPPBottleneck(nn.Module):
    """Spatial pyramid pooling over windows of 5, 9 and 13.

    Two 5-windows in a row see exactly what one of 9 sees, three what one of 13 sees; the cascade
    gives the same numbers for less work.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = channels // 2
        self.conv1 = ConvModule(channels, middle, 1)
        self.conv2 = ConvModule(4 * middle, channels, 1)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        pool5 = self.pool(x)
        pool9 = self.pool(pool5)
        return self.conv2(torch.cat((x, pool5, pool9, self.pool(pool9)), dim=1))


class CSPNeXt(nn.Module):
    """float `[N, 3, H, W]`, H and W multiples of 32, to the four stages' features.

    `stages[i]` is `[N, channels[i], H / s, W / s]` with s = 4, 8, 16, 32.
    """

    def __init__(self, deepen: float, widen: float, *, depthwise: bool = False) -> None:
        super().__init__()
        stem = int(64 * widen)
        self.stem = nn.Sequential(
            ConvModule(3, stem // 2, 3, stride=2),
            ConvModule(stem // 2, stem // 2, 3),
            ConvModule(stem // 2, stem, 3),
        )
        self.channels = tuple(int(outputs * widen) for _, outputs, *_ in _P5)
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            _stage(stage, deepen, widen, depthwise=depthwise) for stage in _P5
        )
        initialise_convolutions(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        stage1 = self.stage1(self.stem(x))
        stage2 = self.stage2(stage1)
        stage3 = self.stage3(stage2)
        return stage1, stage2, stage3, self.stage4(stage3)


def _stage(
    stage: tuple[int, int, int, bool, bool], deepen: float, widen: float, *, depthwise: bool
) -> nn.Sequential:
    inputs, outputs, blocks, residual, pooled = stage
    width_in, width = int(inputs * widen), int(outputs * widen)
    layers = [conv3x3(width_in, width, stride=2, depthwise=depthwise)]
    if pooled:
        layers.append(SPPBottleneck(width))
    depth = max(round(blocks * deepen), 1)
    layers.append(
        CSPLayer(width, width, depth, residual=residual, depthwise=depthwise, attention=True)
    )
    return nn.Sequential(*layers)


def initialise_convolutions(module: nn.Module) -> None:
    """Kaiming-uniform weights (a = sqrt 5, fan in) and zero biases: how public training starts."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
