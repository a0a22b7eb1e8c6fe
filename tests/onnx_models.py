"""Tiny networks with the contracts of the real ones, built in code."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FACE_BOX = (80.0, 80.0, 240.0, 240.0)  # letterboxed pixels, what every tiny detector finds
FACE_SCORE = 0.9


def keypoints_grid() -> NDArray[np.float32]:
    """`[68, 4]`: a grid of points in crop pixels, score 0.8, sigma 1.5.

    It fills most of a square box, as the landmarks of a face that was well detected.
    """
    index = np.arange(68)
    x, y = 40 + 23 * (index % 9), 40 + 27 * (index // 9)
    return np.stack((x, y, np.full(68, 0.8), np.full(68, 1.5)), axis=1).astype(np.float32)


def landmarks_model() -> bytes:
    """uint8 `[N, 1, 256, 256]` -> keypoints: the grid, moved right by a hundredth of the mean."""
    nodes = _mean_of_input()
    constants: dict[str, NDArray[Any]] = {"grid": keypoints_grid()[None]}
    constants["axis"] = np.array([0.01, 0, 0, 0], np.float32).reshape(1, 1, 4)
    nodes += [
        helper.make_node("Reshape", ["mean", "flat"], ["column"]),
        helper.make_node("Mul", ["column", "axis"], ["step"]),
        helper.make_node("Add", ["grid", "step"], ["keypoints"]),
    ]
    constants["flat"] = np.array([-1, 1, 1], np.int64)
    return _model(
        nodes, constants, ("image", TensorProto.UINT8, (1, 256, 256)), {"keypoints": (68, 4)}
    )


def simcc_model() -> bytes:
    """As a public RTMPose export: float32 `[N, 3, 256, 256]` -> logits that peak on the grid."""
    grid, bins = keypoints_grid(), np.arange(512)
    constants: dict[str, NDArray[Any]] = {"flat": np.array([-1, 1, 1], np.int64)}
    nodes = _mean_of_input()
    nodes += [
        helper.make_node("Reshape", ["mean", "flat"], ["column"]),
        helper.make_node("Mul", ["column", "zero"], ["nothing"]),
    ]
    constants["zero"] = np.zeros((1, 1, 1), np.float32)
    for axis, name in enumerate(("simcc_x", "simcc_y")):
        logits = -0.5 * np.abs(bins[None] - 2 * grid[:, axis : axis + 1])
        constants[f"{name}_logits"] = logits[None].astype(np.float32)
        nodes.append(helper.make_node("Add", [f"{name}_logits", "nothing"], [name]))
    outputs = {"simcc_x": (68, 512), "simcc_y": (68, 512)}
    return _model(nodes, constants, ("input", TensorProto.FLOAT, (3, 256, 256)), outputs)


def detector_model(
    boxes: Sequence[tuple[float, float, float, float]] = (FACE_BOX,),
    score: float = FACE_SCORE,
    side: int = 320,
) -> bytes:
    """uint8 `[N, 1, side, side]` -> the same candidates for every image."""
    all_boxes, scores = np.zeros((1, 100, 4), np.float32), np.zeros((1, 100), np.float32)
    all_boxes[0, : len(boxes)], scores[0, : len(boxes)] = boxes, score
    constants: dict[str, NDArray[Any]] = {
        "all_boxes": all_boxes,
        "all_scores": scores,
        "zero": np.zeros(1, np.float32),
        "rows": np.array([-1, 1], np.int64),
        "blocks": np.array([-1, 1, 1], np.int64),
    }
    nodes = _mean_of_input()
    nodes += [
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Reshape", ["nothing", "rows"], ["by_row"]),
        helper.make_node("Reshape", ["nothing", "blocks"], ["by_block"]),
        helper.make_node("Add", ["all_boxes", "by_block"], ["boxes"]),
        helper.make_node("Add", ["all_scores", "by_row"], ["scores"]),
    ]
    outputs = {"boxes": (100, 4), "scores": (100,)}
    return _model(nodes, constants, ("image", TensorProto.UINT8, (1, side, side)), outputs)


def slow_model(steps: int) -> bytes:
    """As `landmarks_model`, but all points near zero, after large matrix products in a row.

    A step is about 30 ms of one core; the engine can leave between two of them.
    """
    nodes = [
        helper.make_node("Cast", ["tensor"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "small"], ["scaled"]),  # or the products would overflow
        helper.make_node("Tile", ["scaled", "tiles"], ["x0"]),  # 1024 x 1024
        *(helper.make_node("MatMul", [f"x{i}", f"x{i}"], [f"x{i + 1}"]) for i in range(steps)),
        helper.make_node("ReduceMean", [f"x{steps}"], ["row"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["row", "first", "last", "axis"], ["part"]),
        helper.make_node("Reshape", ["part", "points"], ["keypoints"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "small": np.array(1e-6, np.float32),
        "tiles": np.array([1, 1, 4, 4], np.int64),
        "first": np.array([0], np.int64),
        "last": np.array([68 * 4], np.int64),
        "axis": np.array([1], np.int64),
        "points": np.array([-1, 68, 4], np.int64),
    }
    return _model(
        nodes, constants, ("image", TensorProto.UINT8, (1, 256, 256)), {"keypoints": (68, 4)}
    )


def int8_sum_model() -> bytes:
    """uint8 `[N, 1, 16, 16]` -> float32 `[N, 8]`: each 127 times the sum of the input, by INT8."""
    nodes = [
        helper.make_node("Reshape", ["tensor", "rows"], ["row"]),
        helper.make_node("MatMulInteger", ["row", "weights"], ["products"]),
        helper.make_node("Cast", ["products"], ["sum"], to=TensorProto.FLOAT),
    ]
    constants: dict[str, NDArray[Any]] = {
        "rows": np.array([-1, 256], np.int64),
        "weights": np.full((256, 8), 127, np.int8),
    }
    return _model(nodes, constants, ("image", TensorProto.UINT8, (1, 16, 16)), {"sum": (8,)})


def _mean_of_input() -> list[Any]:
    """`tensor` -> `mean`, `[N, 1, 1, 1]`."""
    return [
        helper.make_node("Cast", ["tensor"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2, 3], keepdims=1),
    ]


def _model(
    nodes: list[Any],
    constants: Mapping[str, NDArray[Any]],
    given: tuple[str, int, tuple[int, ...]],
    outputs: Mapping[str, tuple[int, ...]],
) -> bytes:
    name, dtype, shape = given
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], ["tensor"]), *nodes],
        "tiny",
        [helper.make_tensor_value_info(name, dtype, ["N", *shape])],
        [
            helper.make_tensor_value_info(key, TensorProto.FLOAT, ["N", *size])
            for key, size in outputs.items()
        ],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
