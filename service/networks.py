"""What a published network must take and give, and how to speak to each kind.

Landmark networks come in two kinds. Ours: `image` uint8 `[N, 1, 256, 256]` -> `keypoints` float32
`[N, 68, 4]`. A public RTMPose export: float32 `[N, 3, 256, 256]` -> `simcc_x`, `simcc_y`; the
gateway normalises its input and decodes its output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from service.backends.base import Array, ModelMetadata, TensorSpec
from service.entities import ByteArray, FloatArray
from service.errors import InferenceFailed
from service.landmark_schema import KEYPOINTS
from service.vision.crop import DETECTOR_INPUT, LANDMARK_INPUT
from service.vision.simcc import PUBLIC_BETA, decode_simcc

# What public RTMPose exports were trained with, per RGB channel.
_MEAN: Final = np.array([123.675, 116.28, 103.53], np.float32).reshape(1, 3, 1, 1)
_DEVIATION: Final = np.array([58.395, 57.12, 57.375], np.float32).reshape(1, 3, 1, 1)


class NetworkError(ValueError):
    """The network does not take or give what the gateway understands."""


class Network(Protocol):
    """One way to call a model: the input's name, the outputs to ask for, and the input's form."""

    @property
    def input_name(self) -> str: ...

    @property
    def outputs(self) -> tuple[str, ...]: ...

    def encode(self, views: ByteArray) -> Array:
        """Views uint8 `[N, H, W]` as the input tensor."""


class LandmarkNetwork(Network, Protocol):
    def decode(self, outputs: Mapping[str, Array]) -> FloatArray:
        """Outputs as `[N, 68, 4]`: x, y in crop pixels, score, sigma. InferenceFailed if unfit."""


@dataclass(frozen=True)
class KeypointsNetwork:
    """A network of this project: normalisation and decoding are in the graph."""

    input_name: str
    outputs: tuple[str, ...] = ("keypoints",)

    def encode(self, views: ByteArray) -> Array:
        return views[:, None]

    def decode(self, outputs: Mapping[str, Array]) -> FloatArray:
        return _checked(outputs["keypoints"])


@dataclass(frozen=True)
class SimccNetwork:
    """A public RTMPose export."""

    input_name: str
    outputs: tuple[str, ...] = ("simcc_x", "simcc_y")

    def encode(self, views: ByteArray) -> Array:
        return (views[:, None].astype(np.float32) - _MEAN) / _DEVIATION

    def decode(self, outputs: Mapping[str, Array]) -> FloatArray:
        simcc_x, simcc_y = (_finite(outputs[name], name) for name in self.outputs)
        return _checked(decode_simcc(simcc_x, simcc_y, beta=PUBLIC_BETA))


@dataclass(frozen=True)
class DetectorNetwork:
    """`image` uint8 `[N, 1, S, S]` -> `boxes` `[N, K, 4]` and `scores` `[N, K]`.

    input_size: S, pixels.
    """

    input_name: str
    input_size: int = DETECTOR_INPUT
    outputs: tuple[str, ...] = ("boxes", "scores")

    def encode(self, views: ByteArray) -> Array:
        return views[:, None]


def landmark_network(metadata: ModelMetadata) -> LandmarkNetwork:
    """The kind that `metadata` describes. NetworkError says what does not fit."""
    given = {spec.name for spec in metadata.outputs}
    if "keypoints" in given:
        name = _only_input(metadata, np.uint8, (1, LANDMARK_INPUT, LANDMARK_INPUT))
        return KeypointsNetwork(name)
    if {"simcc_x", "simcc_y"} <= given:
        name = _only_input(metadata, np.float32, (3, LANDMARK_INPUT, LANDMARK_INPUT))
        for spec in metadata.outputs:
            if spec.name in ("simcc_x", "simcc_y"):
                _fits(spec, np.float32, (KEYPOINTS, -1))
        return SimccNetwork(name)
    raise NetworkError(f"outputs {sorted(given)} are neither `keypoints` nor `simcc_x`, `simcc_y`")


def detector_network(
    metadata: ModelMetadata, input_size: tuple[int, int] = (DETECTOR_INPUT, DETECTOR_INPUT)
) -> DetectorNetwork:
    """The detector that `metadata` describes. NetworkError says what does not fit.

    input_size: height and width by its card, in pixels; they must be equal.
    """
    if input_size[0] != input_size[1]:
        raise NetworkError(f"the input of {list(input_size)} pixels is not square")
    network = DetectorNetwork(_only_input(metadata, np.uint8, (1, *input_size)), input_size[0])
    if missing := set(network.outputs) - {spec.name for spec in metadata.outputs}:
        raise NetworkError(f"outputs {sorted(missing)} are missing")
    return network


def _only_input(metadata: ModelMetadata, dtype: type, shape: tuple[int, ...]) -> str:
    if len(metadata.inputs) != 1:
        raise NetworkError(f"{len(metadata.inputs)} inputs instead of one")
    _fits(metadata.inputs[0], dtype, shape)
    return metadata.inputs[0].name


def _fits(spec: TensorSpec, dtype: type, shape: tuple[int, ...]) -> None:
    same = len(spec.shape) == len(shape) and all(
        -1 in (a, b) or a == b for a, b in zip(spec.shape, shape, strict=True)
    )
    if spec.dtype != np.dtype(dtype) or not same:
        wanted = f"{np.dtype(dtype).name} {list(shape)}"
        raise NetworkError(f"{spec.name} is {spec.dtype.name} {list(spec.shape)}, not {wanted}")


def _finite(array: Array, name: str) -> FloatArray:
    if not np.isfinite(array).all():
        raise InferenceFailed(f"the landmark network returned {name} that are not finite")
    return np.asarray(array, np.float32)


def _checked(keypoints: Array) -> FloatArray:
    if keypoints.ndim != 3 or keypoints.shape[1:] != (KEYPOINTS, 4):
        raise InferenceFailed("the landmark network returned another shape than [N, 68, 4]")
    return _finite(keypoints, "keypoints")
