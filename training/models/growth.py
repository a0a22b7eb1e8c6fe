"""A larger network that starts as good as a smaller one (Net2Net, arXiv 1511.05641)."""

import torch
from torch import Tensor, nn

from training.models.cspnext import ConvModule, CSPLayer, CSPNeXtBlock, SPPBottleneck
from training.models.rtmpose import RTMPose


def grow(large: RTMPose, small: RTMPose) -> None:
    """Make `large` answer exactly as `small`, in place.

    The small network's channels become the first ones; what the large one has besides keeps its
    random weights but does not reach the small one's channels until training lets it. Added
    residual blocks start as the identity. Raises ValueError unless `large` is at least as wide and
    deep, with new blocks only where they have a residual.
    """
    a, b = large.backbone, small.backbone
    for wide, narrow in zip(a.stem, b.stem, strict=True):
        _grow_module(wide, narrow)
    for name in ("stage1", "stage2", "stage3", "stage4"):
        for wide, narrow in zip(getattr(a, name), getattr(b, name), strict=True):
            _grow_module(wide, narrow)
    head = {key: value for key, value in small.head.state_dict().items() if "final" not in key}
    large.head.load_state_dict(head, strict=False)
    _widen(large.head.final_layer, small.head.final_layer, _first(b.channels[-1]), _first(68))


def _grow_module(wide: nn.Module, narrow: nn.Module) -> None:
    if isinstance(wide, ConvModule) and isinstance(narrow, ConvModule):
        inputs = narrow.conv.in_channels
        _widen_module(wide, narrow, _first(inputs))
    elif isinstance(wide, SPPBottleneck) and isinstance(narrow, SPPBottleneck):
        _grow_module(wide.conv1, narrow.conv1)
        parts = _parts(4, wide.conv1.conv.out_channels, narrow.conv1.conv.out_channels)
        _widen_module(wide.conv2, narrow.conv2, parts)
    elif isinstance(wide, CSPLayer) and isinstance(narrow, CSPLayer):
        _grow_csp(wide, narrow)
    else:
        raise ValueError(f"cannot grow a {type(narrow).__name__}")


def _grow_csp(wide: CSPLayer, narrow: CSPLayer) -> None:
    _grow_module(wide.main_conv, narrow.main_conv)
    _grow_module(wide.short_conv, narrow.short_conv)
    for index, block in enumerate(wide.blocks):
        assert isinstance(block, CSPNeXtBlock)
        if index < len(narrow.blocks):
            twin = narrow.blocks[index]
            assert isinstance(twin, CSPNeXtBlock)
            _grow_module(block.conv1, twin.conv1)
            depthwise, pointwise = block.conv2.depthwise_conv, block.conv2.pointwise_conv
            _grow_module(depthwise, twin.conv2.depthwise_conv)
            _grow_module(pointwise, twin.conv2.pointwise_conv)
        elif block.residual:
            nn.init.zeros_(block.conv2.pointwise_conv.bn.weight)
        else:
            raise ValueError("cannot add a block without a residual")
    parts = _parts(2, wide.main_conv.conv.out_channels, narrow.main_conv.conv.out_channels)
    if wide.attention is not None and narrow.attention is not None:
        _widen(wide.attention.fc, narrow.attention.fc, parts, parts)
    _widen_module(wide.final_conv, narrow.final_conv, parts)


def _widen_module(wide: ConvModule, narrow: ConvModule, inputs: Tensor) -> None:
    outputs = _first(narrow.conv.out_channels)
    _widen(wide.conv, narrow.conv, inputs, outputs)
    for name, value in narrow.bn.state_dict().items():
        target = wide.bn.state_dict()[name]
        if target.ndim:
            target[outputs] = value


def _widen(wide: nn.Conv2d, narrow: nn.Conv2d, inputs: Tensor, outputs: Tensor) -> None:
    """Old outputs read old inputs as before, and new inputs not at all."""
    with torch.no_grad():
        rows = torch.zeros_like(wide.weight[outputs])
        if narrow.groups > 1:
            rows[:] = narrow.weight
        else:
            rows[:, inputs] = narrow.weight
        wide.weight[outputs] = rows
        if wide.bias is not None and narrow.bias is not None:
            wide.bias[outputs] = narrow.bias


def _first(count: int) -> Tensor:
    return torch.arange(count)


def _parts(count: int, wide: int, narrow: int) -> Tensor:
    """Where the narrow channels lie among `count` concatenated parts of `wide` channels."""
    return torch.cat([_first(narrow) + part * wide for part in range(count)])
