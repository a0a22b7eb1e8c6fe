"""The facts in tests/data/reference, and the weights by formula that they were computed with."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDER = Path(__file__).parents[3] / "data" / "reference"
TOLERANCE = 1e-4  # of the largest absolute value of a tensor


def facts(name: str) -> Mapping[str, Any]:
    """`digests.json` or `<network>.keys.json`."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def tensors(network: str) -> Mapping[str, NDArray[np.float32]]:
    with np.load(FOLDER / f"{network}.npz") as archive:
        return dict(archive)


def shapes(network: nn.Module) -> dict[str, list[int]]:
    return {key: list(value.shape) for key, value in network.state_dict().items()}


def digest(network: nn.Module) -> dict[str, Any]:
    lines = [f"{key} {shape}" for key, shape in sorted(shapes(network).items())]
    return {
        "keys": len(lines),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def formula(key: str, shape: tuple[int, ...]) -> NDArray[Any]:
    g = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith(".num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith(".running_var"):
        values = 0.5 + g.random(shape)
    elif key.endswith(".running_mean"):
        values = 0.1 * g.standard_normal(shape)
    elif len(shape) >= 2:
        values = g.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    elif key.endswith((".weight", ".g", "gamma", "scale")):
        values = 0.8 + 0.4 * g.random(shape)
    else:
        values = 0.1 * g.standard_normal(shape)
    return np.asarray(values, np.float32)


def formula_weights(network: nn.Module) -> dict[str, Tensor]:
    own = network.state_dict()
    return {key: torch.from_numpy(formula(key, tuple(v.shape))) for key, v in own.items()}


def formula_input(size: int) -> Tensor:
    values = np.random.default_rng(0).standard_normal((1, 3, size, size))
    return torch.from_numpy(values.astype(np.float32))


def relative_error(got: Tensor, wanted: NDArray[np.float32]) -> float:
    assert got.shape == wanted.shape
    return float(np.abs(got.numpy() - wanted).max() / np.abs(wanted).max())
