"""The use case: bytes of a thermal image in, 68 landmarks a face out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.admission import Admission, Deadline
from service.backends.base import Array, Backend
from service.card import ModelCard
from service.catalogue import Catalogue, Model
from service.entities import Box, ByteArray, Face, FloatArray, Prediction, ThermalFrame, Unit
from service.errors import BackendOverloaded, InferenceFailed, InvalidOption
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.normalisation import resolve_normalisation
from service.imaging.rotation import rotate_box, rotate_frame, unrotate_box, unrotate_points
from service.networks import DetectorNetwork
from service.options import PredictOptions
from service.telemetry import Telemetry
from service.vision.crop import AxisMap, landmark_crop, letterbox
from service.vision.detection import select_faces
from service.vision.temperatures import region_temperatures
from service.workers import Workers


@dataclass(frozen=True)
class Limits:
    """max_bytes, max_pixels: of one image. deadline: seconds, for requests that name none."""

    max_bytes: int
    max_pixels: int
    deadline: float


@dataclass(frozen=True)
class Result:
    """A prediction, the cards of the models that made it, and the frame if it was asked for."""

    prediction: Prediction
    detector: ModelCard | None
    landmarks: ModelCard
    frame: ThermalFrame | None = None


@dataclass(frozen=True)
class Models:
    """What one request runs on. No detector when the boxes came with the request."""

    detector: Model | None
    landmarks: Model
    normalisation: str


Crop = tuple[ByteArray, AxisMap]


class LandmarkService:
    """Everything a door needs: one call an image. Safe for concurrent use on one event loop."""

    def __init__(
        self,
        *,
        backend: Backend,
        catalogue: Catalogue,
        admission: Admission,
        workers: Workers,
        telemetry: Telemetry,
        limits: Limits,
    ) -> None:
        self._backend = backend
        self._catalogue = catalogue
        self._admission = admission
        self._workers = workers
        self._telemetry = telemetry
        self._limits = limits

    def deadline(self, options: PredictOptions) -> Deadline:
        """The deadline of a request whose clock starts now."""
        asked = options.deadline_ms
        return Deadline(self._limits.deadline if asked is None else asked / 1000)

    def check(self, options: PredictOptions) -> None:
        """Raise what `predict` would for want of a model, before there is an image."""
        self._choose(options)

    async def predict(
        self, data: bytes, options: PredictOptions, deadline: Deadline, *, keep_frame: bool = False
    ) -> Result:
        """Landmarks of every face in one image, in the pixel grid that was sent.

        Raises any of `service.errors`, except ServiceError itself.
        """
        models, timings = self._choose(options), dict[str, float]()
        async with self._admission.slot(deadline), deadline.enforced():
            with self._telemetry.stage("decode", timings):
                sent, upright = await self._workers.run(self._decode, data, options)
            with self._telemetry.stage("detect", timings):
                boxes = await self._find_faces(models, sent, upright, options, deadline)
            with self._telemetry.stage("crop", timings):
                crops = await self._workers.run(_crop, upright, boxes, models.normalisation)
            with self._telemetry.stage("landmarks", timings):
                keypoints = await self._infer_landmarks(models.landmarks, crops, deadline)
            with self._telemetry.stage("postprocess", timings):
                faces = await self._workers.run(
                    _to_faces, sent, upright, boxes, crops, keypoints, options
                )
        self._telemetry.faces.inc(len(faces))
        prediction = Prediction(
            sent.width, sent.height, sent.unit, models.normalisation, faces, timings
        )
        detector = models.detector.card if models.detector else None
        return Result(prediction, detector, models.landmarks.card, sent if keep_frame else None)

    def _choose(self, options: PredictOptions) -> Models:
        landmarks = self._catalogue.landmarks(options.variant, options.precision)
        detector = self._catalogue.detector(options.precision) if options.boxes is None else None
        auto = options.normalisation == "auto"
        name = (
            landmarks.card.normalisation if auto else resolve_normalisation(options.normalisation)
        )
        return Models(detector, landmarks, name)

    def _decode(self, data: bytes, options: PredictOptions) -> tuple[ThermalFrame, ThermalFrame]:
        """The frame as it was sent, and the same one upright."""
        how = DecodeOptions(
            units=options.units,
            emissivity=options.emissivity,
            polarity=options.polarity,
            max_bytes=self._limits.max_bytes,
            max_pixels=self._limits.max_pixels,
        )
        sent = decode_image(data, how)
        return sent, rotate_frame(sent, options.rotate) if options.rotate else sent

    async def _find_faces(
        self,
        models: Models,
        sent: ThermalFrame,
        upright: ThermalFrame,
        options: PredictOptions,
        deadline: Deadline,
    ) -> tuple[Box, ...]:
        """Boxes in the upright frame: the caller's, or else the detector's."""
        given = options.given_boxes()
        if given is not None:
            _check_inside(given, sent)
            return tuple(rotate_box(b, sent.width, sent.height, options.rotate) for b in given)
        model = models.detector
        assert model is not None and isinstance(model.network, DetectorNetwork)
        view, to_network = await self._workers.run(
            letterbox, upright.values, models.normalisation, black_hot=upright.black_hot
        )
        outputs = await self._infer(model, view[None], deadline)
        boxes, scores = (outputs[name] for name in model.network.outputs)
        if boxes.shape[1:] != (*scores.shape[1:], 4) or scores.ndim != 2:
            raise InferenceFailed("the detector returned other shapes than [N, K, 4] and [N, K]")
        return select_faces(
            boxes[0],
            scores[0],
            to_network,
            width=upright.width,
            height=upright.height,
            min_score=options.min_score,
            max_faces=options.max_faces,
        )

    async def _infer_landmarks(
        self, model: Model, crops: Sequence[Crop], deadline: Deadline
    ) -> FloatArray:
        """Keypoints `[N, 68, 4]` in crop pixels; N may be 0, and then nothing is sent."""
        if not crops:
            return np.zeros((0, 0, 4), np.float32)
        assert not isinstance(model.network, DetectorNetwork)
        outputs = await self._infer(model, np.stack([view for view, _ in crops]), deadline)
        keypoints = await self._workers.run(model.network.decode, outputs)
        if len(keypoints) != len(crops):
            raise InferenceFailed("the landmark network returned another number of faces")
        return keypoints

    async def _infer(
        self, model: Model, views: ByteArray, deadline: Deadline
    ) -> Mapping[str, Array]:
        """Send views `[N, H, W]`, N >= 1, in batches that the model takes; outputs joined."""
        name, network, limit = model.card.name, model.network, model.metadata.max_batch_size
        parts: list[Mapping[str, Array]] = []
        for start in range(0, len(views), limit):
            batch = await self._workers.run(network.encode, views[start : start + limit])
            with self._telemetry.inference(name, self._backend.name, len(batch)):
                try:
                    result = await self._backend.infer(
                        name,
                        {network.input_name: batch},
                        outputs=network.outputs,
                        timeout=deadline.remaining(),
                    )
                except BackendOverloaded:
                    self._telemetry.rejected.labels("backend_queue_full").inc()
                    raise
            parts.append(result.outputs)
        return {key: np.concatenate([part[key] for part in parts]) for key in network.outputs}


def _check_inside(boxes: Sequence[Box], frame: ThermalFrame) -> None:
    for index, box in enumerate(boxes):
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= frame.width - 1 or box.y1 >= frame.height - 1:
            raise InvalidOption(f"boxes: box {index} lies outside the image")


def _crop(frame: ThermalFrame, boxes: Sequence[Box], normalisation: str) -> list[Crop]:
    return [
        landmark_crop(frame.values, box, normalisation, black_hot=frame.black_hot) for box in boxes
    ]


def _to_faces(
    sent: ThermalFrame,
    upright: ThermalFrame,
    boxes: Sequence[Box],
    crops: Sequence[Crop],
    keypoints: FloatArray,
    options: PredictOptions,
) -> tuple[Face, ...]:
    """Crop pixels to upright frame, temperatures there, then back to the grid that was sent."""
    measured = "temperatures" in options.include and upright.unit is Unit.CELSIUS
    faces = []
    for box, (view, to_network), points in zip(boxes, crops, keypoints, strict=True):
        landmarks = points.astype(np.float32)
        landmarks[:, :2] = to_network.to_frame(points[:, :2])
        landmarks[:, 3] = points[:, 3] / to_network.scale  # sigma is a length
        faces.append(
            Face(
                unrotate_box(box, sent.width, sent.height, options.rotate),
                unrotate_points(landmarks, sent.width, sent.height, options.rotate),
                region_temperatures(upright.values, landmarks) if measured else None,
                view if "crops" in options.include else None,
            )
        )
    return tuple(faces)
