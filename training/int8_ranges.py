"""Which range of values the 256 steps of each tensor span, from pictures."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import ModelProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    TensorData,
    TensorsData,
    create_calibrator,
)

from service.entities import ByteArray
from training.int8_graph import silu_inputs
from training.tracing import save

# SiLU turns what lies below into nearly nothing, so the steps are spent above it.
SILU_LOWEST: Final = -4.0
_BATCH: Final = 8
# The mean of what the batches span: one odd picture would take steps from all others.
_OPTIONS: Final = {"moving_average": True}


def measure_ranges(graph: ModelProto, images: ByteArray, operators: Sequence[str]) -> TensorsData:
    """Smallest and largest value of every tensor in a batch of `images` uint8 `[N, H, W]`, in the
    mean over the batches."""
    with tempfile.TemporaryDirectory() as folder:
        plain, augmented = Path(folder, "plain.onnx"), Path(folder, "augmented.onnx")
        save(graph, plain)
        calibrator = create_calibrator(plain, operators, str(augmented), extra_options=_OPTIONS)
        calibrator.collect_data(_Images(graph.graph.input[0].name, images))
        ranges = calibrator.compute_data()
    for name in silu_inputs(graph):
        _set(ranges, name, max(ranges[name].lowest, SILU_LOWEST), ranges[name].highest)
    _share_concatenated(graph, ranges)
    return ranges


def _share_concatenated(graph: ModelProto, ranges: TensorsData) -> None:
    """One range for what is joined: then joining copies bytes, where it would rescale them."""
    for node in reversed(graph.graph.node):  # a part may itself be joined
        names = [*node.input, *node.output]
        if node.op_type == "Concat" and all(name in ranges for name in names):
            lowest = min(ranges[name].lowest for name in names)
            highest = max(ranges[name].highest for name in names)
            for name in names:
                _set(ranges, name, lowest, highest)


def _set(ranges: TensorsData, name: str, lowest: Any, highest: Any) -> None:
    ends = {"lowest": np.asarray(lowest, np.float32), "highest": np.asarray(highest, np.float32)}
    ranges.data[name] = TensorData(**ends)


class _Images(CalibrationDataReader):  # type: ignore[misc]
    """Feeds `images` uint8 `[N, H, W]` in batches."""

    def __init__(self, name: str, images: ByteArray) -> None:
        starts = range(0, len(images), _BATCH)
        self._batches = iter([{name: images[i : i + _BATCH, None]} for i in starts])

    def get_next(self) -> dict[str, ByteArray] | None:
        return next(self._batches, None)
