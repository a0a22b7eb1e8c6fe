"""The use case: bytes of a thermal image in, 68 landmarks a face out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from service.admission import Admission, Deadline
from service.backends.base import Array, Backend
from service.card import ModelCard
from service.catalogue import Catalogue, Model
from service.entities import Box, ByteArray, FloatArray, Prediction, ThermalFrame
from service.errors import (
    BackendOverloaded,
    BackendTimeout,
    DeadlineExceeded,
    InferenceFailed,
    InvalidOption,
)
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.normalisation import resolve_normalisation
from service.imaging.rotation import rotate_box, rotate_frame
from service.networks import DetectorNetwork
from service.options import PredictOptions
from service.telemetry import Telemetry
from service.vision.crop import letterbox
from service.vision.detection import select_faces
from service.vision.faces import Crop, crop_faces, to_faces
from service.vision.refine import boxes_to_try, drop_repeated, keep_better
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
    """What one request may run on. No detector when the boxes came with the request, else one an
    input size, the smallest first."""

    detectors: tuple[Model, ...]
    landmarks: Model
    normalisation: str


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
            detector = _detector_for(upright, models.detectors)
            with self._telemetry.stage("detect", timings):
                boxes = await self._find_faces(
                    detector, models.normalisation, sent, upright, options, deadline
                )
            with self._telemetry.stage("crop", timings):
                crops = await self._workers.run(crop_faces, upright, boxes, models.normalisation)
            with self._telemetry.stage("landmarks", timings):
                keypoints = await self._infer_landmarks(models.landmarks, crops, deadline)
                if detector:  # a caller's own boxes are taken at their word
                    crops, keypoints = await self._look_again(
                        models, upright, boxes, crops, keypoints, deadline
                    )
            with self._telemetry.stage("postprocess", timings):
                faces = await self._workers.run(
                    to_faces,
                    upright,
                    boxes,
                    crops,
                    keypoints,
                    rotate=options.rotate,
                    include=options.include,
                    limits=models.landmarks.card.verdict,
                )
                if detector:
                    faces = drop_repeated(faces)
        self._telemetry.faces.inc(len(faces))
        prediction = Prediction(
            sent.width, sent.height, sent.unit, models.normalisation, faces, timings
        )
        return Result(
            prediction,
            detector.card if detector else None,
            models.landmarks.card,
            sent if keep_frame else None,
        )

    def _choose(self, options: PredictOptions) -> Models:
        landmarks = self._catalogue.landmarks(options.variant, options.precision)
        detectors: tuple[Model, ...] = ()
        if options.boxes is None:
            detectors = self._catalogue.detectors(options.precision, options.detector)
        auto = options.normalisation == "auto"
        name = (
            landmarks.card.normalisation if auto else resolve_normalisation(options.normalisation)
        )
        return Models(detectors, landmarks, name)

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
        model: Model | None,
        normalisation: str,
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
        assert model is not None and isinstance(model.network, DetectorNetwork)
        view, to_network = await self._workers.run(
            letterbox,
            upright.values,
            normalisation,
            black_hot=upright.black_hot,
            size=model.network.input_size,
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

    async def _look_again(
        self,
        models: Models,
        upright: ThermalFrame,
        boxes: Sequence[Box],
        crops: list[Crop],
        keypoints: FloatArray,
        deadline: Deadline,
    ) -> tuple[list[Crop], FloatArray]:
        """The better of two looks at each face whose landmarks contradict the detector."""
        retried = await self._workers.run(boxes_to_try, boxes, crops, keypoints)
        if not retried:
            return crops, keypoints
        again = await self._workers.run(
            crop_faces, upright, tuple(retried.values()), models.normalisation
        )
        answers = await self._infer_landmarks(models.landmarks, again, deadline)
        second = dict(zip(retried, zip(again, answers, strict=True), strict=True))
        return await self._workers.run(keep_better, crops, keypoints, second)

    async def _infer(
        self, model: Model, views: ByteArray, deadline: Deadline
    ) -> Mapping[str, Array]:
        """Send views `[N, H, W]`, N >= 1, in batches that the model takes; outputs joined."""
        limit = model.metadata.max_batch_size
        parts = [
            await self._infer_batch(model, views[start : start + limit], deadline)
            for start in range(0, len(views), limit)
        ]
        names = model.network.outputs
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    async def _infer_batch(
        self, model: Model, views: ByteArray, deadline: Deadline
    ) -> Mapping[str, Array]:
        name, network = model.card.name, model.network
        inputs = {network.input_name: await self._workers.run(network.encode, views)}
        try:
            with self._telemetry.inference(name, self._backend.name, len(views)):
                result = await self._backend.infer(
                    name, inputs, outputs=network.outputs, timeout=deadline.remaining()
                )
        except BackendOverloaded:
            self._telemetry.rejected.labels("backend_queue_full").inc()
            raise
        except BackendTimeout:
            if deadline.remaining() > 0:
                raise
            raise DeadlineExceeded("the deadline passed during inference") from None
        return result.outputs


def _detector_for(frame: ThermalFrame, detectors: Sequence[Model]) -> Model | None:
    """The smallest that does not shrink the frame, or else the largest: what the frame loses in
    pixels, small faces lose too. None if there are none to choose from."""
    longer = max(frame.width, frame.height)
    fitting = (model for model in detectors if model.card.input_size[0] >= longer)
    return next(fitting, detectors[-1] if detectors else None)


def _check_inside(boxes: Sequence[Box], frame: ThermalFrame) -> None:
    for index, box in enumerate(boxes):
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= frame.width - 1 or box.y1 >= frame.height - 1:
            raise InvalidOption(f"boxes: box {index} lies outside the image")
