"""Networks as they serve, as plain functions: from an ONNX file, a repository or a checkpoint."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort

from service.card import ModelCard, parse_card
from service.entities import Box, ByteArray, Face, FloatArray, ThermalFrame
from service.vision.crop import letterbox
from service.vision.detection import select_faces
from service.vision.faces import crop_faces, to_faces

BATCH: Final = 16  # images at once, so that a large set does not fill the memory

Outputs = Mapping[str, FloatArray]
# uint8 `[N, 1, H, W]` to the outputs by name, each `[N, ...]`
Network = Callable[[ByteArray], Outputs]


def onnx_network(path: Path) -> Network:
    """An exported network on ONNX Runtime, on the CPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = session.get_inputs()[0].name

    def run(images: ByteArray) -> Outputs:
        return dict(zip(names, session.run(names, {given: images}), strict=True))

    return _in_batches(run)


def checkpoint_network(path: Path) -> Network:
    """A checkpoint's averaged weights, in torch and the graph that would be exported."""
    import torch  # only here: publishing and evaluating ONNX files needs no torch

    from training.checkpoint import load_model
    from training.models.graphs import DetectorGraph, LandmarkGraph

    model, checkpoint = load_model(path)
    landmarks = checkpoint["task"] == "landmarks"
    graph = (LandmarkGraph if landmarks else DetectorGraph)(model).eval()  # type: ignore[arg-type]
    names = ("keypoints", "simcc_x", "simcc_y") if landmarks else ("boxes", "scores")

    def run(images: ByteArray) -> Outputs:
        with torch.no_grad():
            outputs = graph(torch.from_numpy(images))
        return {name: output.numpy() for name, output in zip(names, outputs, strict=True)}

    return _in_batches(run)


def published(repository: Path, name: str) -> tuple[Path, ModelCard]:
    """The weights that a repository serves under `name`, and their card."""
    folder = repository / name
    card = parse_card((folder / "card.json").read_text(encoding="utf-8"))
    return folder / str(card.version) / "model.onnx", card


def find_boxes(frame: ThermalFrame, detector: Network, min_score: float) -> tuple[Box, ...]:
    """Faces in frame pixels, the best score first: the steps of `LandmarkService.predict`."""
    view, to_network = letterbox(frame.values, "auto", black_hot=frame.black_hot)
    outputs = detector(view[None, None])
    return select_faces(
        outputs["boxes"][0],
        outputs["scores"][0],
        to_network,
        width=frame.width,
        height=frame.height,
        min_score=min_score,
        max_faces=256,
    )


def find_landmarks(
    frame: ThermalFrame, boxes: tuple[Box, ...], landmarks: Network
) -> tuple[Face, ...]:
    """One face a box, landmarks in frame pixels."""
    if not boxes:
        return ()
    crops = crop_faces(frame, boxes, "auto")
    keypoints = landmarks(np.stack([view for view, _ in crops])[:, None])["keypoints"]
    return to_faces(frame, boxes, crops, keypoints, rotate=0, include=())


def _in_batches(run: Network) -> Network:
    def batched(images: ByteArray) -> Outputs:
        parts = [run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return batched
