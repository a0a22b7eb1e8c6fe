"""ONNX networks that answer the same for every image, with the published signatures."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Constants = dict[str, NDArray[np.float32]]


def write_landmarks(path: Path, points: NDArray[np.float32]) -> Path:
    """points: `[68, 2]`, crop pixels."""
    keypoints = np.concatenate([points, np.ones((68, 2), np.float32)], axis=1)
    flat = np.zeros((68, 512), np.float32)
    return _write(path, 256, {"keypoints": keypoints, "simcc_x": flat, "simcc_y": flat})


def write_detector(path: Path, boxes: NDArray[np.float32], score: float = 0.9) -> Path:
    """boxes: `[K, 4]`, input pixels."""
    candidates, scores = np.zeros((100, 4), np.float32), np.zeros(100, np.float32)
    candidates[: len(boxes)], scores[: len(boxes)] = boxes, score
    return _write(path, 320, {"boxes": candidates, "scores": scores})


def _write(path: Path, size: int, constants: Constants) -> Path:
    nodes, tensors = [], [numpy_helper.from_array(np.zeros(1, np.float32), "zero")]
    nodes += [
        helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    for name, value in constants.items():
        shape = np.array([-1, *(1 for _ in value.shape)], np.int64)
        tensors += [
            numpy_helper.from_array(value[None], f"{name}_value"),
            numpy_helper.from_array(shape, f"{name}_shape"),
        ]
        nodes += [
            helper.make_node("Reshape", ["nothing", f"{name}_shape"], [f"{name}_nothing"]),
            helper.make_node("Add", [f"{name}_value", f"{name}_nothing"], [name]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 1, size, size])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *value.shape])
            for name, value in constants.items()
        ],
        tensors,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path
