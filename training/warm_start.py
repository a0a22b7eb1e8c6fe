"""Start a network from a served ONNX model, or from a smaller sibling.

An exported model has its batch normalisations folded into the convolutions. To train on, they are
unfolded: each is given the statistics of its convolution's own output on real pictures, and the
scale and shift that cancel them, so that the network answers as before and its next steps are
normalised as usual.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.models.cspnext import ConvModule, CSPLayer, SPPBottleneck
from training.models.inputs import normalise_input
from training.models.rtmpose import RTMPose

_PREFIX = "network."


def load_onnx(model: nn.Module, path: Path, images: Tensor) -> None:
    """Load the weights of an ONNX model that `training.export` wrote into `model`, in place.

    images: uint8 `[N, 1, H, W]`, a few dozen pictures like those of training.
    Raises ValueError when the file lacks a weight of the network, or has it in another shape.
    """
    graph = onnx.load(path).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    found = {
        name.removeprefix(_PREFIX): torch.from_numpy(np.array(value))
        for name, value in values.items()
        if name.startswith(_PREFIX)
    }
    found |= _anonymous_weights(graph, values)
    for name, parameter in model.named_parameters():
        if ".bn." in name:
            continue
        if name not in found or found[name].shape != parameter.shape:
            raise ValueError(f"{path}: has no {name} of shape {tuple(parameter.shape)}")
        parameter.data.copy_(found[name])
    _unfold(model, found, images)


def _anonymous_weights(graph: onnx.GraphProto, values: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """What the exporter renamed: dense layers (transposed) and the attention unit's factors."""
    found: dict[str, Tensor] = {}
    factors: list[Tensor] = []
    for node in graph.node:
        constant = next((values[name] for name in node.input[1:] if name in values), None)
        if constant is None:
            continue
        if node.op_type == "MatMul" and node.name.startswith("head/"):
            name = node.name.removesuffix("/MatMul").replace("/", ".")
            found[f"{name}.weight"] = torch.from_numpy(np.array(constant.T))
        elif node.name.startswith(("head/gau/Mul", "head/gau/Add")):
            factors.append(torch.from_numpy(np.array(constant)))
    if len(factors) == 4:  # query: times, plus; key: times, plus
        found["head.gau.gamma"] = torch.stack(factors[0::2])
        found["head.gau.beta"] = torch.stack(factors[1::2])
    return found


def _unfold(model: nn.Module, found: dict[str, Tensor], images: Tensor) -> None:
    """Batch normalisations that change nothing on average, from the folded biases in `found`."""
    hooks = []

    def calibrate(name: str, norm: nn.BatchNorm2d, output: Tensor) -> None:
        mean = output.mean(dim=(0, 2, 3))
        variance = output.var(dim=(0, 2, 3))
        assert norm.running_mean is not None and norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.data.copy_((variance + norm.eps).sqrt())
        norm.bias.data.copy_(found[f"{name}.conv.weight_bias"] + mean)

    for name, module in model.named_modules():
        if isinstance(module, ConvModule):

            def hook(_: nn.Module, __: object, output: Tensor, name: str = name,
                     norm: nn.BatchNorm2d = module.bn) -> None:  # fmt: skip
                calibrate(name, norm, output)

            hooks.append(module.conv.register_forward_hook(hook))
    training = model.training
    model.eval()
    with torch.no_grad():
        model(normalise_input(images))
    for handle in hooks:
        handle.remove()
    model.train(training)


def grow(large: RTMPose, small: RTMPose) -> None:
    """Make `large` answer exactly as `small`, in place (Net2Net, arXiv 1511.05641).

    The small network's channels become the first ones; what the large one has besides keeps its
    random weights but does not reach the small one's channels until training lets it. Added
    residual blocks start as the identity.
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
        if index < len(narrow.blocks):
            twin = narrow.blocks[index]
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
