"""A small landmark network in the form of the exported ones: same inputs, outputs, node names."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

POINTS = 68


class _Builder:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def constant(self, name: str, values: object, dtype: type = np.float32) -> str:
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind: str, name: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def conv(self, x: str, name: str, shape: tuple[int, ...], stride: int = 1) -> str:
        """shape: outputs, inputs of a group, size; with one input a group it is depthwise."""
        outputs, inputs, size = shape
        spread = (inputs * size * size) ** -0.5
        kernel = self.random.normal(0, 1.5 * spread, (outputs, inputs, size, size))
        weights = self.constant(f"{name}.weight", kernel)
        bias = self.constant(f"{name}.bias", self.random.normal(0, 0.1, outputs))
        return self.add(
            "Conv",
            f"{name}/Conv",
            [x, weights, bias],
            kernel_shape=[size, size],
            strides=[stride] * 2,
            pads=[size // 2] * 4,
            group=outputs if inputs == 1 else 1,
        )

    def silu(self, x: str, name: str) -> str:
        gate = self.add("Sigmoid", f"{name}/Sigmoid", [x])
        return self.add("Mul", f"{name}/Mul", [x, gate])


def small_landmarks(seed: int = 0) -> ModelProto:
    """uint8 `[N, 1, 256, 256]` -> keypoints `[N, 68, 4]`, simcc_x and simcc_y `[N, 68, 512]`.

    A stem of 12 channels, a residual branch with a depthwise convolution, joined and attended to,
    and a head: each of the forms that the rewrite looks for.
    """
    b = _Builder(seed)
    x = b.add("Cast", "normalise/Cast", ["image"], to=TensorProto.FLOAT)
    x = b.add("Sub", "normalise/Sub", [x, b.constant("mean", 127.5)])
    x = b.add("Div", "normalise/Div", [x, b.constant("deviation", 64.0)])
    x = b.add("Expand", "normalise/Expand", [x, b.constant("three", [1, 3, 1, 1], np.int64)])
    x = b.silu(b.conv(x, "backbone/stem/0", (12, 3, 3), 4), "backbone/stem/0/act")
    x = b.silu(b.conv(x, "backbone/stem/1", (12, 12, 3), 4), "backbone/stem/1/act")
    x = b.silu(b.conv(x, "backbone/stem/2", (16, 12, 3)), "backbone/stem/2/act")
    y = b.silu(b.conv(x, "backbone/block/depthwise", (16, 1, 5)), "backbone/block/act")
    y = b.add("Add", "backbone/block/Add", [x, b.conv(y, "backbone/block/point", (16, 16, 1))])
    x = b.add("Concat", "backbone/Concat", [x, y], axis=1)
    axes = b.constant("axes", [-1, -2], np.int64)
    scale = b.add("ReduceMean", "backbone/attention/pool", [x, axes], keepdims=1)
    scale = b.add("HardSigmoid", "backbone/attention/act", [scale])
    x = b.add("Mul", "backbone/attention/Mul", [x, scale])
    maps = b.conv(x, "head/final_layer", (POINTS, 32, 7), 2)
    x = b.add("Reshape", "head/Reshape", [maps, b.constant("rows", [0, POINTS, -1], np.int64)])
    outputs = {"keypoints": 4, "simcc_x": 512, "simcc_y": 512}
    for name, width in outputs.items():
        matrix = b.constant(f"{name}.weight", b.random.normal(0, 1, (64, width)))
        scale = b.constant(f"{name}.scale", 1.0 if "simcc" in name else 8.0)
        product = b.add("MatMul", f"head/{name}/MatMul", [x, matrix])
        b.nodes.append(helper.make_node("Mul", [product, scale], [name], f"decode/{name}/Mul"))
    graph = helper.make_graph(
        b.nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, 256, 256])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", POINTS, width])
            for name, width in outputs.items()
        ],
        b.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def blobs(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 `[count, 256, 256]`: coarse random pictures."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 16, 16), np.uint8)
    return np.asarray(coarse.repeat(16, axis=1).repeat(16, axis=2))
