"""Does ONNX Runtime give the numbers that torch gives? Compared one by one, at several batch sizes.

Two engines add in another order, so logits differ by some millionths of the largest. Landmarks
then agree within 1e-4 of a pixel, except where two far bins share the maximum to that precision:
there either answer is right, and which one an engine takes is chance. So the decoding is held
against the engine's own logits everywhere, and against torch's landmarks wherever one bin leads.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import nn

from service.vision.simcc import decode_simcc

BATCH_SIZES: Final = (1, 2, 5)
LOGIT_TOLERANCE: Final = 1e-4  # of the largest absolute logit
PIXEL_TOLERANCE: Final = 1e-4  # x and y; score and sigma: this, plus this part of their value
BOX_TOLERANCE: Final = 1e-3  # pixels: distances reach hundreds, of which float32 keeps 1e-5
SCORE_TOLERANCE: Final = 1e-4

Array = NDArray[np.float32]
Outputs = dict[str, Array]
Compare = Callable[[Outputs, Outputs], None]
Decode = Callable[[Array, Array], NDArray[np.floating[Any]]]  # both axes' logits to keypoints


class Disagreement(RuntimeError):
    """The exported model does not give torch's numbers. Says which output and by how much."""


def example_images(size: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 `[5, 1, size, size]`: fine and coarse blobs, a ramp, a warm ellipse, a flat grey."""
    generator = np.random.default_rng(seed)
    ramp = np.linspace(0.0, 1.0, size)
    y, x = np.meshgrid(ramp - 0.5, ramp - 0.5, indexing="ij")
    images = (
        _blobs(generator, size, 32),
        _blobs(generator, size, 8),
        np.broadcast_to(ramp, (size, size)),
        1 / (1 + np.exp(40 * (np.hypot(x / 0.7, y) - 0.4))),
        np.full((size, size), 0.5),
    )
    stacked = np.stack(images)[:, None]
    return np.asarray(np.rint(stacked * 255), np.uint8)


def _blobs(generator: np.random.Generator, size: int, cells: int) -> NDArray[np.float64]:
    """Random values at the corners of `cells` by `cells`, interpolated: 0 to 1."""
    places = np.linspace(0.0, cells, size)[:, None]
    weights = np.maximum(0.0, 1 - np.abs(places - np.arange(cells + 1)))
    values = generator.random((cells + 1, cells + 1))
    return np.asarray(weights @ values @ weights.T)


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """The model on the CPU, with the graph optimisations it will be served with."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def require_agreement(
    model: onnx.ModelProto, graph: nn.Module, images: NDArray[np.generic], compare: Compare
) -> None:
    """Run `images` `[5, ...]` through both, in batches of 1, 2 and 5, and `compare` each.

    graph: in eval mode on the CPU; one output per output of `model`, in its order.
    Raises Disagreement. That batched equals single follows: all are held against the same numbers.
    """
    names = [output.name for output in model.graph.output]
    with torch.no_grad():
        given = graph(torch.from_numpy(images))
    expected = {name: value.numpy() for name, value in zip(names, given, strict=True)}
    engine = session(model)
    (input_name,) = (spec.name for spec in engine.get_inputs())
    for size in BATCH_SIZES:
        parts = [
            dict(zip(names, engine.run(names, {input_name: batch}), strict=True))
            for batch in np.split(images, range(size, len(images), size))
        ]
        got = {name: np.concatenate([part[name] for part in parts]) for name in names}
        try:
            _require_same_form(expected, got)
            compare(expected, got)
        except Disagreement as error:
            raise Disagreement(f"batches of {size}: {error}") from None


def compare_simcc(expected: Outputs, got: Outputs) -> None:
    """Both axes' logits, relative to the largest."""
    for name in ("simcc_x", "simcc_y"):
        largest = float(np.abs(expected[name]).max())
        _require_close(name, expected[name], got[name], LOGIT_TOLERANCE * largest)


def compare_landmarks(expected: Outputs, got: Outputs, decode: Decode = decode_simcc) -> None:
    """Logits everywhere; keypoints against the engine's own logits, and torch's where one leads.

    decode: of the graph, if that does more than the gateway's does for public networks.
    """
    compare_simcc(expected, got)
    own = decode(got["simcc_x"], got["simcc_y"])
    _compare_keypoints("keypoints of the engine's own logits", own, got["keypoints"])
    leads = _leads(expected["simcc_x"], got["simcc_x"]) & _leads(
        expected["simcc_y"], got["simcc_y"]
    )
    _compare_keypoints("keypoints", expected["keypoints"][leads], got["keypoints"][leads])


def compare_boxes(expected: Outputs, got: Outputs) -> None:
    """Scores rank by rank, and each box among torch's of about the same score.

    By rank alone would not do: candidates whose scores tie come in either order, also across the
    last place. So `expected` holds all candidates, of which `got` has the best.
    """
    count = got["scores"].shape[1]
    _require_close("scores", expected["scores"][:, :count], got["scores"], SCORE_TOLERANCE)
    for wanted, scores, boxes, own in zip(
        expected["boxes"], expected["scores"], got["boxes"], got["scores"], strict=True
    ):
        apart = np.abs(boxes[:, None] - wanted[None]).max(axis=-1)
        apart[np.abs(own[:, None] - scores[None]) > SCORE_TOLERANCE] = np.inf
        nearest = apart.min(axis=1)
        if not (nearest <= BOX_TOLERANCE).all():
            rank = int(nearest.argmax())
            raise Disagreement(f"boxes: rank {rank} is {nearest[rank]:.3g} pixels from torch's")


def _require_same_form(expected: Outputs, got: Outputs) -> None:
    for name, value in got.items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise Disagreement(f"{name}: not float32, or not finite")
        if value.shape[0] != expected[name].shape[0] or value.ndim != expected[name].ndim:
            raise Disagreement(f"{name}: {value.shape}, torch gives {expected[name].shape}")


def _compare_keypoints(name: str, expected: Array, got: Array) -> None:
    _require_close(f"{name}, x and y", expected[..., :2], got[..., :2], PIXEL_TOLERANCE)
    slack = np.float32(PIXEL_TOLERANCE) * (1 + np.abs(expected[..., 2:]))
    _require_close(f"{name}, score and sigma", expected[..., 2:], got[..., 2:], slack)


def _leads(expected: Array, got: Array) -> NDArray[np.bool_]:
    """Whether an axis' highest bin stays the highest under the differences seen: bool `[N, K]`."""
    best = np.partition(expected, -2, axis=-1)[..., -2:]
    lead = best[..., 1] - best[..., 0]
    return np.asarray(lead > 2 * np.abs(expected - got).max(axis=-1))


def _require_close(name: str, expected: Array, got: Array, tolerance: float | Array) -> None:
    if expected.shape != got.shape:
        raise Disagreement(f"{name}: {got.shape}, torch gives {expected.shape}")
    off = np.abs(expected - got)
    if not (off <= tolerance).all():
        raise Disagreement(f"{name}: off by up to {off.max():.3g}")
