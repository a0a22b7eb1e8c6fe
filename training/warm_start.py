"""Where a training starts from (`--init`): a checkpoint, a served ONNX model, a smaller sibling.

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
from torch.nn import functional as F

from training import checkpoint
from training.checkpoint import CheckpointError, build_model
from training.gate import GATE
from training.models import rtmdet, rtmpose
from training.models.cspnext import ConvModule
from training.models.growth import grow
from training.models.inputs import normalise_input

_PREFIX = "network."
_VARIANTS = {"landmarks": rtmpose.VARIANTS, "detector": rtmdet.VARIANTS}


def initialise(
    model: nn.Module, task: str, variant: str, path: Path, *, backbone_alone: bool = False
) -> None:
    """Give `model` the weights of a checkpoint, or of an ONNX model of `training.export`.

    Weights of a smaller landmark network are grown into it. backbone_alone: only those of the
    backbone of a network of the same variant. Raises CheckpointError for anything else.
    """
    source, found = read_network(path, task)
    try:
        if backbone_alone:
            if found != (task, variant):
                raise ValueError("a backbone alone is taken from the same variant")
            weights = source.get_submodule("backbone").state_dict()
            model.get_submodule("backbone").load_state_dict(weights)
            return
        if found == (task, variant):
            model.load_state_dict(source.state_dict())
            return
        if not (isinstance(model, rtmpose.RTMPose) and isinstance(source, rtmpose.RTMPose)):
            raise ValueError("only landmark networks grow")
        grow(model, source)
    except (ValueError, IndexError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: is for {found}, this run trains {(task, variant)}: {error}"
        ) from None


@torch.random.fork_rng()
def read_network(path: Path, task: str) -> tuple[nn.Module, tuple[str, str]]:
    """The network of a file, and its task and variant. An ONNX file is taken for one of `task`.

    Torch's generators are left as they were: what a run draws does not depend on what it reads.
    Raises CheckpointError for a file that holds none.
    """
    if path.suffix != ".onnx":
        model, saved = checkpoint.load_model(path)
        return model, (saved["task"], saved["variant"])
    if not path.is_file():
        raise CheckpointError(f"{path}: no such model")
    with np.load(GATE / f"{task}.npz") as gate:
        images = torch.from_numpy(gate["images"][:, None])
    size = onnx.load(path).graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    if task == "landmarks" and size != images.shape[-1]:
        images = F.interpolate(images.float(), size=(size, size), mode="area").byte()
    for variant in _VARIANTS[task]:
        network = build_model(task, variant, size)
        try:
            load_onnx(network, path, images)
        except ValueError:
            continue
        return network, (task, variant)
    raise CheckpointError(f"{path}: is no {task} network of {sorted(_VARIANTS[task])}")


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
