import numpy as np
import pytest

from service.backends.base import Array, ModelMetadata, TensorSpec
from service.errors import InferenceFailed
from service.networks import (
    KeypointsNetwork,
    NetworkError,
    SimccNetwork,
    detector_network,
    landmark_network,
)
from tests.fakes import DETECTOR, LANDMARKS, LARGE_DETECTOR
from tests.onnx_models import keypoints_grid


def spec(name: str, dtype: type, *shape: int) -> TensorSpec:
    return TensorSpec(name, np.dtype(dtype), shape)


def metadata(inputs: list[TensorSpec], outputs: list[TensorSpec]) -> ModelMetadata:
    return ModelMetadata(tuple(inputs), tuple(outputs), max_batch_size=8, version="1", device="cpu")


RTMPOSE = metadata(
    [spec("input", np.float32, 3, 256, 256)],
    [spec("simcc_x", np.float32, 68, 512), spec("simcc_y", np.float32, 68, 512)],
)


def test_our_own_network() -> None:
    network = landmark_network(LANDMARKS)
    assert isinstance(network, KeypointsNetwork)
    assert network.outputs == ("keypoints",)
    assert network.encode(np.zeros((2, 256, 256), np.uint8)).shape == (2, 1, 256, 256)


def test_public_export_is_normalised_like_in_training() -> None:
    network = landmark_network(RTMPOSE)
    assert isinstance(network, SimccNetwork)
    assert network.input_name == "input"
    tensor = network.encode(np.full((2, 256, 256), 255, np.uint8))
    assert tensor.shape == (2, 3, 256, 256)
    assert tensor.dtype == np.float32
    expected = (255 - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    np.testing.assert_allclose(tensor[0, :, 0, 0], expected, rtol=1e-6)


def test_public_export_is_decoded() -> None:
    grid, bins = keypoints_grid(), np.arange(512)
    outputs: dict[str, Array] = {
        name: -np.abs(bins - 2 * grid[None, :, axis, None]).astype(np.float32)
        for axis, name in enumerate(("simcc_x", "simcc_y"))
    }
    keypoints = landmark_network(RTMPOSE).decode(outputs)
    np.testing.assert_allclose(keypoints[0, :, :2], grid[:, :2], atol=1e-3)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (DETECTOR, "neither"),
        (metadata([spec("image", np.float32, 1, 256, 256)], list(LANDMARKS.outputs)), "uint8"),
        (metadata([spec("image", np.uint8, 1, 192, 256)], list(LANDMARKS.outputs)), "256"),
        (metadata([], list(LANDMARKS.outputs)), "0 inputs"),
        (
            metadata(
                list(RTMPOSE.inputs),
                [spec("simcc_x", np.float32, 106, 512), spec("simcc_y", np.float32, 106, 512)],
            ),
            "68",
        ),
    ],
)
def test_unfit_landmark_networks(made: ModelMetadata, complaint: str) -> None:
    with pytest.raises(NetworkError, match=complaint):
        landmark_network(made)


def test_unfit_detectors() -> None:
    with pytest.raises(NetworkError):
        detector_network(LANDMARKS)
    with pytest.raises(NetworkError, match="scores"):
        detector_network(metadata(list(DETECTOR.inputs), [spec("boxes", np.float32, 100, 4)]))
    with pytest.raises(NetworkError, match="not square"):
        detector_network(DETECTOR, (320, 640))
    with pytest.raises(NetworkError, match="640"):
        detector_network(DETECTOR, (640, 640))
    assert detector_network(LARGE_DETECTOR, (640, 640)).input_size == 640


@pytest.mark.parametrize(
    "keypoints", [np.full((1, 68, 4), np.nan, np.float32), np.zeros((1, 68, 3), np.float32)]
)
def test_unfit_answers(keypoints: Array) -> None:
    with pytest.raises(InferenceFailed):
        landmark_network(LANDMARKS).decode({"keypoints": keypoints})
