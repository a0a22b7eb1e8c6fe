"""Triton's `onnxruntime` backend, in Python, for machines without NVIDIA's image.

NVIDIA's image holds a C++ backend of the same name and serves the same repository. This one exists
because the server that is on PyPI comes with the Python backend alone. It runs in that server's own
environment (`requirements.txt`), one process for each model instance, and takes from the model's
configuration what the C++ one takes: file name and `intra_op_thread_count`.
"""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    """One instance of one version of a model; Triton calls it by these names."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        filename = config["default_model_filename"] or "model.onnx"
        threads = config["parameters"].get("intra_op_thread_count", {"string_value": "0"})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(threads["string_value"])  # 0: one for each core
        options.inter_op_num_threads = 1
        # Threads that wait for work sleep: spinning ones would take cores from the other models.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if _saturates(Path("/proc/cpuinfo").read_text()):
            options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = onnxruntime.InferenceSession(
            Path(args["model_repository"]) / args["model_version"] / filename,
            options,
            providers=["CPUExecutionProvider"],
        )
        self._inputs = [node.name for node in self._session.get_inputs()]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests that Triton's batcher put together, in one run of the network."""
        parts = {
            name: [triton.get_input_tensor_by_name(r, name).as_numpy() for r in requests]
            for name in self._inputs
        }
        wanted = sorted({name for r in requests for name in r.requested_output_names()})
        joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
        outputs = dict(zip(wanted, self._session.run(wanted, joined), strict=True))
        ends = np.cumsum([0, *(len(array) for array in parts[self._inputs[0]])])
        return list(_responses(requests, outputs, ends))


def _saturates(cpuinfo: str) -> bool:
    """As in `service/backends/ort.py`: INT8 must be the same here and there."""
    flags = re.search(r"^flags\s*:.*$", cpuinfo, re.MULTILINE)
    return flags is not None and "vnni" not in flags[0]


def _responses(requests: list[Any], outputs: dict[str, Any], ends: Any) -> Iterator[Any]:
    """To each request its rows of the outputs that it asked for."""
    for request, (start, end) in zip(requests, pairwise(ends), strict=True):
        names = request.requested_output_names()
        tensors = [triton.Tensor(name, outputs[name][start:end]) for name in names]
        yield triton.InferenceResponse(tensors)
