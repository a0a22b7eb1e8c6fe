"""Small model repositories on disk."""

import hashlib
import json
from pathlib import Path
from typing import Any

from tests import onnx_models

_CONFIG = """name: "{name}"
backend: "{engine}"
max_batch_size: {max_batch_size}
dynamic_batching {{ default_queue_policy {{ timeout_action: REJECT max_queue_size: 64 }} }}
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
    **card: Any,
) -> Path:
    """Write one model's folder: weights, configuration and a card that fits them."""
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(weights)
    config = _CONFIG.format(name=name, engine=engine, max_batch_size=max_batch_size)
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
