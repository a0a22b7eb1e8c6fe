"""An exported graph rewritten for the INT8 kernels of ONNX Runtime on a CPU.

Every rewrite keeps the function: only rounding differs. Each was measured (see DECISIONS.md); none
helps the FP32 graph enough to be worth the loss of its plain form.
"""

from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

# The direct u8 x s8 kernel takes at least 16 outputs, and inputs and outputs in fours; all else
# goes a general way that is twice as slow.
BLOCK: Final = 16
FOURS: Final = 4
CONTRIB: Final = "com.microsoft"

Weights = NDArray[np.float32]


def rewrite(model: ModelProto) -> ModelProto:
    """A copy of `model` in the form that quantises best; the same inputs and outputs."""
    model = ModelProto.FromString(model.SerializeToString())
    graph = _Graph(model.graph)
    _read_one_channel(graph)
    _pool_globally(graph)
    _fill_block(graph)
    del model.graph.value_info[:]
    graph.drop_unused()
    # Before the fusion: shapes do not pass an operator that ONNX does not know.
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    _fuse_silu(_Graph(model.graph))
    model.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return model


def silu_inputs(model: ModelProto) -> set[str]:
    """Names of the tensors that go into a fused SiLU."""
    return {node.input[0] for node in model.graph.node if node.op_type == "QuickGelu"}


def unsuited_convolutions(model: ModelProto) -> dict[str, str]:
    """Names of the convolutions that 8 bits do not make faster, and why."""
    graph = _Graph(model.graph)
    unsuited = {}
    for node in graph.nodes("Conv"):
        if _groups(node) > 1:
            unsuited[node.name] = "depthwise: as fast in FP32, and finer"
        elif graph.shape(node)[1] % FOURS:
            unsuited[node.name] = "its inputs do not come in fours: no INT8 kernel, slower"
    return unsuited


class _Graph:
    """A graph with its weights by name. `graph.node` stays the truth: look-ups search it."""

    def __init__(self, graph: GraphProto) -> None:
        self.graph = graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}

    def nodes(self, kind: str) -> list[NodeProto]:
        return [node for node in self.graph.node if node.op_type == kind]

    def readers(self, tensor: str) -> list[NodeProto]:
        return [node for node in self.graph.node if tensor in node.input]

    def weights(self, name: str) -> Weights:
        return np.asarray(numpy_helper.to_array(self._tensors[name]), np.float32)

    def shape(self, convolution: NodeProto) -> tuple[int, ...]:
        """Of its weights: outputs, inputs (of a group), height, width."""
        return tuple(self._tensors[convolution.input[1]].dims)

    def is_constant(self, name: str) -> bool:
        return name in self._tensors

    def set_weights(self, name: str, values: Weights) -> None:
        self._tensors[name].CopyFrom(numpy_helper.from_array(values, name))

    def pad(self, name: str, axis: int, count: int) -> None:
        """Append zeros."""
        values = self.weights(name)
        self.set_weights(
            name, np.pad(values, [(0, count * (a == axis)) for a in range(values.ndim)])
        )

    def silu(self, tensor: str) -> tuple[NodeProto, NodeProto] | None:
        """The sigmoid and the product, if they are all that reads `tensor`."""
        readers = {node.op_type: node for node in self.readers(tensor)}
        if len(self.readers(tensor)) != 2 or set(readers) != {"Sigmoid", "Mul"}:
            return None
        sigmoid, product = readers["Sigmoid"], readers["Mul"]
        alone = self.readers(sigmoid.output[0]) == [product]
        return (sigmoid, product) if alone else None

    def drop_unused(self) -> None:
        used = {name for node in self.graph.node for name in node.input}
        for tensor in [t for t in self.graph.initializer if t.name not in used]:
            self.graph.initializer.remove(tensor)


def _read_one_channel(graph: _Graph) -> None:
    """The first convolution reads the grey image once, not three copies: its weights are added.

    The padding is zero either way, so the border keeps its meaning.
    """
    for node in graph.nodes("Expand"):
        readers = graph.readers(node.output[0])
        if node.name.startswith("normalise/") and [r.op_type for r in readers] == ["Conv"]:
            (first,) = readers
            graph.set_weights(first.input[1], graph.weights(first.input[1]).sum(1, keepdims=True))
            first.input[0] = node.input[0]
            graph.graph.node.remove(node)


def _pool_globally(graph: _Graph) -> None:
    """The mean over height and width by the operator that has an INT8 kernel."""
    for node in graph.nodes("ReduceMean"):
        keeps = all(a.i == 1 for a in node.attribute if a.name == "keepdims")
        if len(node.input) == 2 and graph.is_constant(node.input[1]) and keeps:
            axes = graph.weights(node.input[1]).astype(int)
            if sorted(axes % 4) == [2, 3]:
                node.op_type = "GlobalAveragePool"
                del node.input[1:], node.attribute[:]


def _fill_block(graph: _Graph) -> None:
    """Zero channels between two convolutions that are too narrow for the kernel: exact, faster."""
    for node in graph.nodes("Conv"):
        silu = graph.silu(node.output[0])
        readers = graph.readers(silu[1].output[0]) if silu else []
        if [(r.op_type, _groups(r)) for r in readers] != [("Conv", 1)] or _groups(node) > 1:
            continue
        outputs, inputs = graph.shape(node)[:2]
        if outputs < BLOCK and inputs % FOURS == 0:
            for name in node.input[1:]:  # weights, and the bias if there is one
                graph.pad(name, 0, BLOCK - outputs)
            graph.pad(readers[0].input[1], 1, BLOCK - outputs)


def _groups(node: NodeProto) -> int:
    return next((a.i for a in node.attribute if a.name == "group"), 1)


def _fuse_silu(graph: _Graph) -> None:
    """`x * sigmoid(x)` as one operator (QuickGelu with alpha 1), in FP32 between INT8 ones.

    ONNX Runtime fuses the pair by itself, but not across what quantisation puts around it.
    """
    for node in graph.nodes("Sigmoid"):
        silu = graph.silu(node.input[0])
        if silu is None:
            continue
        _, product = silu
        name = product.name.removesuffix("/Mul") + "/SiLU"
        fused = helper.make_node(
            "QuickGelu", [node.input[0]], [product.output[0]], name, domain=CONTRIB, alpha=1.0
        )
        product.CopyFrom(fused)
        graph.graph.node.remove(node)
