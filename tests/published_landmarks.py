"""A landmark network with all three published outputs, which answers the same for every image."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def write_landmarks(path: Path, points: NDArray[np.float32]) -> Path:
    """points: `[68, 2]`, crop pixels."""
    flat = np.zeros((1, 68, 512), np.float32)
    keypoints = np.concatenate([points, np.ones((68, 2), np.float32)], axis=1)[None]
    values = {"keypoints": keypoints, "simcc_x": flat, "simcc_y": flat}
    nodes = [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "column"], ["zeros"]),  # [N, 1, 1]
        *(helper.make_node("Add", [f"{name}_value", "zeros"], [name]) for name in values),
    ]
    graph = helper.make_graph(
        nodes,
        "published",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, 256, 256])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *value.shape[1:]])
            for name, value in values.items()
        ],
        [
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(np.array([-1, 1, 1], np.int64), "column"),
            *(numpy_helper.from_array(value, f"{name}_value") for name, value in values.items()),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
