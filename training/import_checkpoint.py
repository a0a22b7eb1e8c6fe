"""From a public MMPose or MMDetection checkpoint to an ONNX model that the gateway can serve.

    python -m training.import_checkpoint rtmpose-m.pth --variant m --out landmarks_m/1/model.onnx
    python -m training.import_checkpoint rtmdet_nano.pth --variant nano --out model.onnx

RTMPose (68 keypoints, 256x256) becomes a public RTMPose export: `input` float32 `[N, 3, 256, 256]`
-> `simcc_x`, `simcc_y`; the gateway normalises and decodes. RTMDet-nano (one class) becomes our own
detector contract, with the normalisation it was trained on in the graph.
"""

import argparse
import logging
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from training.agreement import compare_simcc, example_images, require_agreement
from training.export import export_detector
from training.models import rtmdet, rtmpose
from training.tracing import on_cpu, save, trace

KEYPOINTS: Final = 68
INPUT_SIZE: Final = 256  # pixels, both sides
# What MMDetection's RTMDet is trained with, in its channel order (blue, green, red).
RTMDET_CHANNELS: Final = ((103.53, 57.375), (116.28, 57.12), (123.675, 58.395))
# Not weights of the network: a wrapper's input statistics, and the copies that an old averaging
# hook leaves beside the averaged weights.
_IGNORED: Final = ("data_preprocessor.", "ema_")
_SHOWN: Final = 3  # keys an error names

Weights = dict[str, Tensor]
log = logging.getLogger(__name__)


class UnfitCheckpoint(ValueError):
    """The file is not a checkpoint of the network it was given as. Says what differs."""


def read_weights(path: Path) -> Weights:
    """The state dict of a `.pth` file, without its wrappers.

    Files hold the weights bare or under `state_dict`; where both are there, `state_dict` is the
    averaged one (MMEngine swaps them on saving). A `module.` prefix is dropped. Only tensors and
    plain values are unpickled, never code. Raises UnfitCheckpoint for anything else.
    """
    try:
        with torch.serialization.safe_globals(_plain_numpy()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).split("\n")[0]
        raise UnfitCheckpoint(
            f"{path.name} holds more than tensors and plain values: {reason}"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise UnfitCheckpoint(f"{path.name} cannot be read as a checkpoint: {error}") from None
    found = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(found, Mapping):
        raise UnfitCheckpoint(f"{path.name} holds no state dict")
    weights = {str(key).removeprefix("module."): value for key, value in found.items()}
    weights = {key: value for key, value in weights.items() if not key.startswith(_IGNORED)}
    strange = [key for key, value in weights.items() if not isinstance(value, Tensor)]
    if strange or not weights:
        raise UnfitCheckpoint(f"{path.name} holds no state dict: {strange[:_SHOWN]} are no tensors")
    return weights


def load_rtmpose(weights: Weights, variant: str) -> rtmpose.RTMPose:
    """The network of `variant` with `weights`, every key and shape exactly its own, in eval mode.

    Raises UnfitCheckpoint, which says so for another keypoint count or input size.
    """
    network = rtmpose.build(variant, KEYPOINTS, (INPUT_SIZE, INPUT_SIZE))
    given = _shape(weights, "head.final_layer.weight")
    bins = _shape(weights, "head.cls_x.weight"), _shape(weights, "head.cls_y.weight")
    if given and given[0] != KEYPOINTS:
        raise UnfitCheckpoint(f"the checkpoint has {given[0]} keypoints; {KEYPOINTS} are served")
    wanted = network.head.cls_x.out_features
    if all(bins) and any(shape[0] != wanted for shape in bins):
        sizes = " x ".join(str(shape[0] // rtmpose.SPLIT_RATIO) for shape in bins)
        raise UnfitCheckpoint(f"trained on {sizes} input; {INPUT_SIZE} x {INPUT_SIZE} is served")
    _load(network, weights, f"RTMPose-{variant}")
    return network.eval()


def load_rtmdet(weights: Weights, variant: str = "nano") -> rtmdet.RTMDet:
    """The one-class detector with `weights`, in eval mode. Raises UnfitCheckpoint otherwise."""
    network = rtmdet.build(variant)
    given = _shape(weights, "bbox_head.rtm_cls.0.weight")
    if given and given[0] != 1:
        raise UnfitCheckpoint(f"the checkpoint has {given[0]} classes; the served detector has one")
    _load(network, weights, f"RTMDet-{variant}")
    return network.eval()


def export_public_rtmpose(network: rtmpose.RTMPose, path: Path) -> None:
    """Write `path`: `input` float32 `[N, 3, 256, 256]` -> `simcc_x`, `simcc_y`.

    Raises Disagreement, and writes nothing, if ONNX Runtime gives other numbers than torch.
    """
    grey = (example_images(INPUT_SIZE).astype(np.float32) - 127.5) / 64.0
    images = np.repeat(grey, 3, axis=1)
    graph = on_cpu(network)
    outputs = ("simcc_x", "simcc_y")
    model = trace(graph, torch.from_numpy(images), "input", outputs, "rtmpose")
    require_agreement(model, graph, images, compare_simcc)
    save(model, path)


def _load(network: nn.Module, weights: Weights, name: str) -> None:
    """`load_state_dict(strict=True)`, with an error that a reader can act on."""
    own = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in weights.items()}
    problems = (
        ("missing", sorted(own.keys() - given.keys())),
        ("unknown", sorted(given.keys() - own.keys())),
        (
            "of another shape",
            [
                f"{key} {list(given[key])}, not {list(own[key])}"
                for key in own
                if key in given and given[key] != own[key]
            ],
        ),
    )
    said = [
        f"{len(keys)} {what} ({'; '.join(keys[:_SHOWN])}{' ...' if len(keys) > _SHOWN else ''})"
        for what, keys in problems
        if keys
    ]
    if said:
        raise UnfitCheckpoint(f"these are not the weights of {name}: " + ", ".join(said))
    network.load_state_dict(weights, strict=True)


def _shape(weights: Weights, key: str) -> tuple[int, ...]:
    return tuple(weights[key].shape) if key in weights else ()


def _plain_numpy() -> list[Any]:
    """What MMEngine's `meta` needs besides tensors: numpy's own arrays and numbers."""
    from numpy._core import multiarray

    rebuild, scalar = multiarray._reconstruct, multiarray.scalar
    types = (np.float32, np.float64, np.int32, np.int64, np.bool_)
    return [
        rebuild,
        scalar,
        # The same two under the module name that numpy had before version 2.
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (scalar, "numpy.core.multiarray.scalar"),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in types),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    variants = (*rtmpose.VARIANTS, *rtmdet.VARIANTS)
    parser = argparse.ArgumentParser(
        prog="training.import_checkpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="a public .pth file")
    parser.add_argument("--variant", required=True, choices=variants)
    parser.add_argument("--out", type=Path, required=True, help="the ONNX file to write")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        weights = read_weights(options.checkpoint)
        if options.variant in rtmdet.VARIANTS:
            export_detector(load_rtmdet(weights, options.variant), options.out, RTMDET_CHANNELS)
        else:
            export_public_rtmpose(load_rtmpose(weights, options.variant), options.out)
    except UnfitCheckpoint as error:
        parser.exit(1, f"{error}\n")
    log.info("%s: agrees with torch; %d bytes", options.out, options.out.stat().st_size)


if __name__ == "__main__":
    main()
