"""Small model repositories on disk."""

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from tests import onnx_models

_TYPES: dict[int, str] = {TensorProto.UINT8: "TYPE_UINT8", TensorProto.FLOAT: "TYPE_FP32"}

_CONFIG = """name: "{name}"
backend: "{engine}"
max_batch_size: {max_batch_size}
{tensors}
parameters {{ key: "intra_op_thread_count" value {{ string_value: "1" }} }}
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{
  default_queue_policy {{
    timeout_action: REJECT allow_timeout_override: true max_queue_size: {max_queue_size}
  }}
}}
"""


def add_model(
    repository: Path,
    name: str,
    weights: bytes,
    *,
    task: str = "landmarks",
    variant: str = "t",
    precision: str = "fp32",
    engine: str = "onnxruntime",
    max_batch_size: int = 4,
    max_queue_size: int = 64,
    **card: Any,
) -> Path:
    """Write one model's folder: weights, configuration and a card that fits them."""
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(weights)
    config = _CONFIG.format(
        name=name,
        engine=engine,
        max_batch_size=max_batch_size,
        max_queue_size=max_queue_size,
        tensors=_tensors(weights),
    )
    (folder / "config.pbtxt").write_text(config)
    whole = {
        "name": name,
        "task": task,
        "variant": variant,
        "precision": precision,
        "schema": "ibug68" if task == "landmarks" else None,
        "input_size": [256, 256] if task == "landmarks" else [320, 320],
        "version": 1,
        "files": {"1/model.onnx": hashlib.sha256(weights).hexdigest()},
        **card,
    }
    (folder / "card.json").write_text(json.dumps(whole))
    return folder


def _tensors(weights: bytes) -> str:
    """Inputs and outputs of a network as Triton's configuration wants them; broken ones: none."""
    try:
        graph = onnx.load_from_string(weights).graph
    except DecodeError:
        return ""
    lines = []
    for kind, tensors in (("input", graph.input), ("output", graph.output)):
        for tensor in tensors:
            described = tensor.type.tensor_type
            dims = [axis.dim_value for axis in described.shape.dim][1:]
            dtype = _TYPES[described.elem_type]
            lines.append(f'{kind} [ {{ name: "{tensor.name}" data_type: {dtype} dims: {dims} }} ]')
    return "\n".join(lines)


def make_repository(repository: Path) -> Path:
    """A detector and the landmark variants t and s (s in two precisions), in tiny networks."""
    weights = onnx_models.landmarks_model()
    add_model(
        repository, "face_detector", onnx_models.detector_model(), task="detector", variant="nano"
    )
    add_model(repository, "landmarks_t", weights)
    add_model(repository, "landmarks_s", weights, variant="s")
    add_model(repository, "landmarks_s_int8", weights, variant="s", precision="int8")
    return repository
