"""An exported landmark network with its precision written into the graph, for TensorRT.

TensorRT 11 networks are strongly typed: every tensor has the type that the ONNX file gives it. FP16
are the backbone and the head's convolution, which is nearly all of the work. FP32 stay the
normalisation and everything from ScaleNorm on (its sum of squares, the SimCC logits, decoding): in
FP16 RTMPose loses accuracy there. INT8 is the same with the backbone's convolutions quantised, by
QDQ pairs as TensorRT wants them: s8, symmetric, per tensor before a convolution, per channel for
its weights; standard operators alone.
"""

from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, version_converter

OPSET: Final = 19  # the first in which FP16 can be quantised
_HALF: Final = ("backbone/", "head/final_layer/")
_LARGEST: Final = 127  # steps to either side of zero
_SMALLEST_SCALE: Final = float(np.finfo(np.float16).tiny)  # below, FP16 loses digits


class NotAnnotated(ValueError):
    """The network cannot be written in that precision; the message says why."""


def to_fp16(model: ModelProto) -> ModelProto:
    """A copy of the FP32 `model`, with the same inputs and outputs."""
    model = _copy(model)
    floats = _float_tensors(model)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    half = {name for node in model.graph.node if _is_half(node) for name in node.output} & floats
    if half & {output.name for output in model.graph.output} or not half:
        raise NotAnnotated("not an exported landmark network: no backbone before its head")
    nodes: list[NodeProto] = []
    made: set[str] = set()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name not in floats or _is_half(node) == (name in half):
                continue
            converted = f"{name}_{'fp16' if _is_half(node) else 'fp32'}"
            node.input[place] = converted
            if converted in made:
                continue
            made.add(converted)
            if name in weights:
                _add(model, converted, _in_fp16(weights[name]))
            else:
                kind = TensorProto.FLOAT16 if _is_half(node) else TensorProto.FLOAT
                nodes.append(helper.make_node("Cast", [name], [converted], converted, to=kind))
        nodes.append(node)
    return _finished(model, nodes)


def rounded(model: ModelProto) -> ModelProto:
    """What `to_fp16(model)` computes, for ONNX Runtime on a CPU: in FP32, with every FP16 tensor
    rounded to FP16, overflows included. (Given FP16 nodes as such, it would compute them in FP32
    and not round.)"""
    model = _copy(model)
    floats = _float_tensors(model)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    half = {name for node in model.graph.node if _is_half(node) for name in node.output} & floats
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        for place, name in enumerate(node.input if _is_half(node) else ()):
            if name in weights and name in floats:
                values = _in_fp16(weights[name]).astype(np.float32)
                weights[name].CopyFrom(numpy_helper.from_array(values, name))
            elif name in floats - half:
                node.input[place] = f"{node.name}_{place}_rounded"
                nodes += _round(name, node.input[place])
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in half:
                node.output[place] = f"{name}_exact"
                nodes += _round(f"{name}_exact", name)
    return _finished(model, nodes)


def insert_int8(
    model: ModelProto, largest: Mapping[str, float], kept: Collection[str] = ()
) -> ModelProto:
    """A copy of the FP32 `model` with QDQ pairs around the inputs of its convolutions.

    largest: magnitude that a tensor reaches, by name; a convolution whose input is not in it stays
    as it is, and so do depthwise ones and those whose names are in `kept`.
    """
    model = version_converter.convert_version(_copy(model), OPSET)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[NodeProto] = []
    done: set[str] = set()
    for node in model.graph.node:
        fits = node.op_type == "Conv" and _is_half(node) and node.name not in kept
        if fits and node.input[0] in largest and _groups(node) == 1:
            for place, axis in ((0, None), (1, 0)):
                name = node.input[place]
                if name not in done:
                    done.add(name)
                    if axis is None:
                        nodes += _quantised(model, name, largest[name], node.name)
                    else:
                        nodes.append(_quantised_weights(model, weights[name], node.name))
                node.input[place] = f"{name}_dequantised"
        nodes.append(node)
    if not done:
        raise NotAnnotated("no convolution with a known range: nothing would be INT8")
    return _finished(model, nodes)


def ranges_of(quantised: ModelProto) -> dict[str, float]:
    """Largest magnitude by tensor, as `training.quantize` measured it: from its QDQ pairs (u8)."""
    values = {t.name: numpy_helper.to_array(t) for t in quantised.graph.initializer}
    found = {}
    for node in quantised.graph.node:
        if node.op_type == "QuantizeLinear":
            tensor, scale, zero = node.input
            steps = max(int(values[zero]), 255 - int(values[zero]))
            found[tensor] = float(values[scale]) * steps
    return found


def _quantised(model: ModelProto, name: str, largest: float, where: str) -> list[NodeProto]:
    scale = np.asarray(_scale(largest), np.float32)
    _add(model, f"{name}_scale", scale)
    _add(model, f"{name}_zero", np.zeros((), np.int8))
    around = [f"{name}_scale", f"{name}_zero"]
    stored, back = f"{name}_quantised", f"{name}_dequantised"
    return [
        helper.make_node("QuantizeLinear", [name, *around], [stored], f"{where}/{stored}"),
        helper.make_node("DequantizeLinear", [stored, *around], [back], f"{where}/{back}"),
    ]


def _quantised_weights(model: ModelProto, tensor: TensorProto, where: str) -> NodeProto:
    """Stored as s8, so that the file and the plan hold no FP32 copy."""
    name, values = tensor.name, numpy_helper.to_array(tensor).astype(np.float32)
    scales = _scale(np.abs(values).max(axis=(1, 2, 3)))
    steps = np.clip(np.rint(values / scales[:, None, None, None]), -_LARGEST, _LARGEST)
    _add(model, f"{name}_quantised", steps.astype(np.int8))
    _add(model, f"{name}_scale", scales)
    _add(model, f"{name}_zero", np.zeros(len(scales), np.int8))
    names = [f"{name}_{part}" for part in ("quantised", "scale", "zero")]
    back = f"{name}_dequantised"
    return helper.make_node("DequantizeLinear", names, [back], f"{where}/{back}", axis=0)


def _scale(largest: float | NDArray[np.float32]) -> NDArray[np.float32]:
    """A step; already rounded to FP16, in which it will be stored."""
    step = np.maximum(np.asarray(largest, np.float32) / _LARGEST, _SMALLEST_SCALE)
    return step.astype(np.float16).astype(np.float32)


def _in_fp16(tensor: TensorProto) -> NDArray[np.float16]:
    values = numpy_helper.to_array(tensor)
    if not np.abs(values).max(initial=0) <= np.finfo(np.float16).max:
        raise NotAnnotated(f"{tensor.name}: a weight is too large for FP16")
    return np.asarray(values, np.float16)


def _round(name: str, rough: str) -> list[NodeProto]:
    half = f"{rough}_half"
    return [
        helper.make_node("Cast", [name], [half], half, to=TensorProto.FLOAT16),
        helper.make_node("Cast", [half], [rough], f"{rough}_back", to=TensorProto.FLOAT),
    ]


def _is_half(node: NodeProto) -> bool:
    return node.name.startswith(_HALF)


def _groups(node: NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def _float_tensors(model: ModelProto) -> set[str]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    tensors = (*graph.value_info, *graph.input, *graph.output)
    found = {t.name for t in tensors if t.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT}


def _add(model: ModelProto, name: str, values: NDArray[np.generic]) -> None:
    model.graph.initializer.append(numpy_helper.from_array(values, name))


def _copy(model: ModelProto) -> ModelProto:
    return ModelProto.FromString(model.SerializeToString())


def _finished(model: ModelProto, nodes: list[NodeProto]) -> ModelProto:
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    for tensor in [t for t in model.graph.initializer if t.name not in used]:
        model.graph.initializer.remove(tensor)
    onnx.checker.check_model(model, full_check=True)
    return model
