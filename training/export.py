"""From a checkpoint to the ONNX model that is served.

    python -m training.export --checkpoint runs/landmarks_t/best.pt --out model.onnx
    python -m training.export --checkpoint runs/detector/best.pt --input-size 640 --out model.onnx

A landmark network that `training.calibrate` has been over answers expected errors; how well they
hold, and the limits of the verdict, travel as a note inside the file, for publishing. Nothing is
written unless ONNX Runtime agrees with torch number by number, at several batch sizes.
"""

import argparse
import json
import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from training.agreement import (
    Array,
    Compare,
    compare_boxes,
    compare_landmarks,
    example_images,
    require_agreement,
)
from training.checkpoint import load_model
from training.models import rtmdet, rtmpose
from training.models.expected_error import ExpectedError
from training.models.graphs import DETECTOR_INPUT, Decode, DetectorGraph, LandmarkGraph
from training.models.rtmdet import RTMDet
from training.models.rtmpose import SPLIT_RATIO, RTMPose
from training.served import CALIBRATION
from training.tracing import on_cpu, save, trace

LANDMARK_OUTPUTS = ("keypoints", "simcc_x", "simcc_y")
DETECTOR_OUTPUTS = ("boxes", "scores")
log = logging.getLogger(__name__)


def export_landmarks(
    network: nn.Module, path: Path, calibration: Mapping[str, Any] | None = None
) -> None:
    """Write an RTMPose as `path`: uint8 `image` -> `keypoints`, `simcc_x`, `simcc_y`.

    The input must be square, since SimCC's bins are all that is known of its size here.
    calibration: of the checkpoint (`training.calibrate`); without one, sigma is the distribution's
    own deviation.
    Raises Disagreement if ONNX Runtime gives other numbers, ValueError for another network.
    """
    if not isinstance(network, RTMPose):
        raise ValueError(f"not a landmark network: {type(network).__name__}")
    curve = None if calibration is None else ExpectedError.of(calibration["sigma"])
    graph = on_cpu(LandmarkGraph(network, curve))
    images = example_images(network.head.cls_x.out_features // SPLIT_RATIO)
    model = trace(graph, torch.from_numpy(images), "image", LANDMARK_OUTPUTS, "landmarks")
    compare = compare_landmarks if curve is None else _with_decoding_of(graph.decode)
    require_agreement(model, graph, images, compare)
    if calibration is not None:
        told = {key: calibration.get(key) for key in ("verdict", "face_score", "figures")}
        onnx.helper.set_model_props(model, {CALIBRATION: json.dumps(told)})
    save(model, path)


def _with_decoding_of(decode: Decode) -> Compare:
    """The graph's own decoding in torch, since the gateway's knows of no calibration."""

    def run(simcc_x: Array, simcc_y: Array) -> Array:
        return decode(torch.from_numpy(simcc_x), torch.from_numpy(simcc_y)).numpy()

    return partial(compare_landmarks, decode=run)


def export_detector(
    network: nn.Module,
    path: Path,
    channels: tuple[tuple[float, float], ...] | None = None,
    input_size: int = DETECTOR_INPUT,
) -> None:
    """Write an RTMDet as `path`: `image` uint8 `[N, 1, S, S]` -> `boxes`, `scores`.

    channels: (mean, deviation) per channel, for a network that was trained on coloured pictures.
    input_size: S, pixels, a multiple of 32.
    Raises Disagreement if ONNX Runtime gives other numbers, ValueError for another network.
    """
    if not isinstance(network, RTMDet):
        raise ValueError(f"not a detector: {type(network).__name__}")
    images = example_images(input_size)
    graph = on_cpu(DetectorGraph(network, channels, input_size=input_size))
    model = trace(graph, torch.from_numpy(images), "image", DETECTOR_OUTPUTS, "face_detector")
    # All candidates: where scores tie, those within the first hundred are an engine's own choice.
    everything = len(graph.select.points)
    reference = on_cpu(DetectorGraph(network, channels, everything, input_size))
    require_agreement(model, reference, images, compare_boxes)
    save(model, path)


def seeded_landmarks(variant: str, seed: int = 0) -> RTMPose:
    """A network with weights by seed, for variants that nobody has trained: it finds no faces.

    Its peaks are about as sharp as a trained network's and differ from image to image. Torch's
    global generator is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = rtmpose.build(variant)
        _enliven(network)
    with torch.no_grad():
        for classifier in (network.head.cls_x, network.head.cls_y):
            classifier.weight.mul_(150.0)
    return network.eval()


def seeded_detector(variant: str = "nano", seed: int = 0) -> RTMDet:
    """A detector with weights by seed: its boxes and scores mean nothing, but differ by place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = rtmdet.build(variant)
        _enliven(network)
    return network.eval()


def _enliven(network: nn.Module) -> None:
    """Draw convolutions that about keep the size of the signal, as trained ones do.

    Through those of a fresh network it fades from layer to layer, until only rounding is left. What
    residual branches add is kept small, since it piles up over the blocks of a deep variant.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            gain = 0.3 if name.endswith("conv2.pointwise_conv.conv") else 1.5
            nn.init.normal_(module.weight, std=gain / math.sqrt(module.weight[0].numel()))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="training.export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="file of training.train")
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument(
        "--input-size", type=int, default=DETECTOR_INPUT, help="a detector's, in pixels a side"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    network, checkpoint = load_model(options.checkpoint)
    if checkpoint.get("config", {}).get("data", {}).get("modality") == "rgb":
        raise SystemExit(f"{options.checkpoint}: trained on colours; thermal networks are served")
    if checkpoint["task"] == "landmarks":
        calibration = checkpoint.get("calibration")
        log.info("sigma: %s", "calibrated" if calibration else "uncalibrated")
        export_landmarks(network, options.out, calibration)
    else:
        export_detector(network, options.out, input_size=options.input_size)
    log.info("%s: agrees with torch; %d bytes", options.out, options.out.stat().st_size)


if __name__ == "__main__":
    main()
