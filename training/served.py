"""Networks as they serve, as plain functions: from an ONNX file, a repository or a checkpoint."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
import onnxruntime as ort

from service.card import ModelCard, parse_card
from service.entities import Box, ByteArray, Face, FloatArray, ThermalFrame
from service.vision.crop import letterbox
from service.vision.detection import Look, merge_looks, select_faces
from service.vision.face_score import FaceScore, candidate_score
from service.vision.faces import Crop, crop_faces, to_faces
from service.vision.refine import faces_to_answer, keep_better, second_looks

BATCH: Final = 16  # images at once, so that a large set does not fill the memory

Outputs = Mapping[str, FloatArray]
# uint8 `[N, 1, H, W]` to the outputs by name, each `[N, ...]`
Network = Callable[[ByteArray], Outputs]
CALIBRATION: Final = "calibration"  # the note of `training.calibrate` inside an exported file
DETECTOR: Final = "face_detector"  # as repositories call it
FINER: Final = "_640"  # its larger input
ANSWERS: Final = {"landmarks": "keypoints", "detector": "boxes"}  # an output that tells the task


class WrongNetwork(ValueError):
    """The file holds no network for the task; the message says what it gives."""


def open_network(path: Path, task: str) -> Network:
    """A network for `landmarks` or `detector` from a file: ONNX by its suffix, else a checkpoint.

    WrongNetwork if it is missing or for something else.
    """
    if not path.is_file():
        raise WrongNetwork(f"{path}: no such file")
    return (onnx_network if path.suffix == ".onnx" else checkpoint_network)(path, task)


def _check_task(path: Path, names: Collection[str], task: str | None) -> None:
    if task is not None and ANSWERS[task] not in names:
        raise WrongNetwork(f"{path}: gives {sorted(names)}, but {task} need {ANSWERS[task]!r}")


def onnx_network(path: Path, task: str | None = None) -> Network:
    """An exported network on ONNX Runtime, on the CPU.

    A detector takes square images of any size: they are resized to its input, and its boxes come
    back in their pixels.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    _check_task(path, names, task)
    given = session.get_inputs()[0].name

    def run(images: ByteArray) -> Outputs:
        return dict(zip(names, session.run(names, {given: images}), strict=True))

    side = session.get_inputs()[0].shape[-1]
    return _in_batches(_resizing(run, side) if "boxes" in names else run)


def _resizing(run: Network, side: int) -> Network:
    """A detector of `side` pixels for images of any other size."""

    def resized(images: ByteArray) -> Outputs:
        size = images.shape[-1]
        if size == side:
            return run(images)
        outputs = run(np.stack([cv2.resize(i[0], (side, side)) for i in images])[:, None])
        scale, half = np.float32(size / side), np.float32(0.5)  # edges keep their place
        return {**outputs, "boxes": (outputs["boxes"] + half) * scale - half}

    return resized


def checkpoint_network(path: Path, task: str | None = None) -> Network:
    """A checkpoint's averaged weights, in torch and the graph that would be exported."""
    import torch  # only here: publishing and evaluating ONNX files needs no torch

    from training.checkpoint import CheckpointError, load_model
    from training.models.expected_error import ExpectedError
    from training.models.graphs import DetectorGraph, LandmarkGraph

    try:
        model, checkpoint = load_model(path)
    except CheckpointError as error:
        raise WrongNetwork(str(error)) from None
    landmarks = checkpoint["task"] == "landmarks"
    calibration = checkpoint.get("calibration")
    curve = ExpectedError.of(calibration["sigma"]) if calibration else None
    graph = (LandmarkGraph(model, curve) if landmarks else DetectorGraph(model)).eval()  # type: ignore[arg-type]
    names = ("keypoints", "simcc_x", "simcc_y") if landmarks else ("boxes", "scores")
    _check_task(path, names, task)

    def run(images: ByteArray) -> Outputs:
        with torch.no_grad():
            outputs = graph(torch.from_numpy(images))
        return {name: output.numpy() for name, output in zip(names, outputs, strict=True)}

    return _in_batches(run)


def calibration_note(path: Path) -> dict[str, Any] | None:
    """What `training.calibrate` found for a network, of an ONNX file or a checkpoint."""
    if path.suffix == ".onnx":
        notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        return dict(json.loads(notes[CALIBRATION])) if CALIBRATION in notes else None
    from training.checkpoint import load  # only here: ONNX files need no torch

    return load(path).get("calibration")


def face_score(note: Mapping[str, Any] | None) -> FaceScore | None:
    """The weights in a note of calibration, if there are any."""
    weights = (note or {}).get("face_score")
    return FaceScore(**weights) if weights else None


def published(repository: Path, name: str) -> tuple[Path, ModelCard]:
    """The weights that a repository serves under `name`, and their card."""
    folder = repository / name
    card = parse_card((folder / "card.json").read_text(encoding="utf-8"))
    return folder / str(card.version) / "model.onnx", card


def published_detectors(repository: Path) -> tuple[dict[int, Network], int]:
    """The detectors of a repository by the side of their input, the smallest first; the version.

    OSError or CardError if there is none.
    """
    detectors, versions = {}, []
    for name in (DETECTOR, f"{DETECTOR}{FINER}"):
        if name == DETECTOR or (repository / name).is_dir():
            path, card = published(repository, name)
            detectors[card.input_size[0]] = onnx_network(path, "detector")
            versions.append(card.version)
    return detectors, versions[0]


def find_boxes(
    frame: ThermalFrame, detectors: Mapping[int, Network], min_score: float
) -> tuple[Box, ...]:
    """Faces in frame pixels, the best score first: the steps of `LandmarkService.predict`.

    detectors: by the side of their input in pixels, the smallest first.
    """
    looks = []
    for side, detector in detectors.items():
        view, to_network = letterbox(frame.values, "auto", black_hot=frame.black_hot, size=side)
        outputs = detector(view[None, None])
        looks.append(Look(outputs["boxes"][0], outputs["scores"][0], to_network))
        if side >= max(frame.width, frame.height):
            break
    look = merge_looks(looks)
    return select_faces(
        look.boxes,
        look.scores,
        look.to_network,
        width=frame.width,
        height=frame.height,
        min_score=min_score,
        max_faces=256,
    )


def find_faces(
    frame: ThermalFrame,
    detectors: Mapping[int, Network],
    landmarks: Network,
    min_score: float,
    weights: FaceScore | None,
) -> tuple[Face, ...]:
    """What serving answers without boxes from the caller. weights: of the landmark network."""
    boxes = find_boxes(frame, detectors, candidate_score(min_score, weights))
    faces = find_landmarks(frame, boxes, landmarks, detected=True)
    return faces_to_answer(faces, weights, min_score, frame.width, frame.height)


def find_landmarks(
    frame: ThermalFrame, boxes: tuple[Box, ...], landmarks: Network, *, detected: bool = False
) -> tuple[Face, ...]:
    """One face a box, landmarks in frame pixels.

    detected: the boxes are the detector's, and get all second looks that serving gives them.
    """
    if not boxes:
        return ()
    crops = crop_faces(frame, boxes, "auto")
    keypoints = landmarks(np.stack([view for view, _ in crops])[:, None])["keypoints"]
    crops, keypoints = look_again(frame, boxes, crops, keypoints, landmarks, detected=detected)
    return to_faces(frame, boxes, crops, keypoints, rotate=0, include=())


def look_again(
    frame: ThermalFrame,
    boxes: Sequence[Box],
    crops: list[Crop],
    keypoints: FloatArray,
    landmarks: Network,
    *,
    detected: bool,
) -> tuple[list[Crop], FloatArray]:
    """Crops and keypoints `[N, 68, 4]` after the second looks that serving takes: see `refine`."""
    looks = second_looks(boxes, crops, keypoints, detected=detected)
    if not looks:
        return crops, keypoints
    again = crop_faces(frame, looks.values(), "auto")
    answers = landmarks(np.stack([view for view, _ in again])[:, None])["keypoints"]
    second = dict(zip(looks, zip(again, answers, strict=True), strict=True))
    return keep_better(crops, keypoints, second)


def _in_batches(run: Network) -> Network:
    def batched(images: ByteArray) -> Outputs:
        parts = [run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return batched
