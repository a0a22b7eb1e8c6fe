"""The use case: bytes of a thermal image in, 68 landmarks a face out."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from service.admission import Admission, Deadline
from service.backends.base import Backend
from service.card import ModelCard
from service.catalogue import Catalogue
from service.entities import Box, Face, FloatArray, Prediction, ThermalFrame
from service.entries import Model
from service.errors import InferenceFailed, InvalidOption, ServiceError
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.normalisation import resolve_normalisation
from service.imaging.raw import FrameFormat, decode_frame
from service.imaging.rotation import rotate_box, rotate_frame
from service.inference import Inference
from service.networks import DetectorNetwork
from service.options import PredictOptions
from service.stream import Frame, Slot
from service.telemetry import Telemetry
from service.vision.crop import letterbox
from service.vision.detection import Look, merge_looks, select_faces
from service.vision.faces import Crop, crop_faces, to_faces
from service.vision.refine import boxes_to_try, drop_repeated, keep_better
from service.vision.verdict import VerdictLimits
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
class FrameAnswer:
    """dropped: frames of the stream that were dropped since its last answer."""

    frame: Frame
    outcome: Result | ServiceError
    dropped: int


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
        self._inference = Inference(backend, workers, telemetry)
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

    @contextmanager
    def chosen(self, options: PredictOptions) -> Iterator[Models]:
        """The models of one request, for all of its images; they stay loaded inside the context,
        whatever is published meanwhile. Raises what `check` does."""
        models = self._choose(options)
        with self._catalogue.using((*models.detectors, models.landmarks)):
            yield models

    async def predict(
        self,
        data: bytes,
        models: Models,
        options: PredictOptions,
        deadline: Deadline,
        *,
        keep_frame: bool = False,
    ) -> Result:
        """Landmarks of every face in one image, in the pixel grid that was sent.

        models: as `chosen`, and inside its context.
        Raises any of `service.errors`, except ServiceError itself.
        """

        def decode() -> ThermalFrame:
            return decode_image(data, self._decoding(options))

        async with self._admission.slot(deadline), deadline.enforced():
            return await self._predict(models, decode, options, deadline, keep_frame=keep_frame)

    async def predict_stream(
        self, frames: Slot[Frame], options: PredictOptions, form: FrameFormat
    ) -> AsyncGenerator[FrameAnswer, None]:
        """An answer for each frame that is not dropped, one at a time, until `frames` is closed.

        The frame is chosen when the stream's turn has come, not before: what waits in the line is
        the stream, and its frame stays the newest. Raises what `frames` was closed with.
        """
        while await frames.filled():
            async with self._admission.turn(frames.age):
                frame, dropped = frames.take()
                try:
                    outcome: Result | ServiceError = await self._predict_frame(frame, options, form)
                except ServiceError as error:
                    outcome = error
            yield FrameAnswer(frame, outcome, dropped)

    async def _predict_frame(
        self, frame: Frame, options: PredictOptions, form: FrameFormat
    ) -> Result:
        def decode() -> ThermalFrame:
            return decode_frame(frame.data, form, self._decoding(options))

        with self.chosen(options) as models:  # anew for each frame: models come and go
            async with frame.deadline.enforced():
                return await self._predict(models, decode, options, frame.deadline)

    async def _predict(
        self,
        models: Models,
        decode: Callable[[], ThermalFrame],
        options: PredictOptions,
        deadline: Deadline,
        *,
        keep_frame: bool = False,
    ) -> Result:
        """One image, admitted. `decode` gives it as it was sent."""
        timings = dict[str, float]()
        with self._telemetry.stage("decode", timings):
            sent, upright = await self._workers.run(_upright, decode, options.rotate)
        looks = _looks(upright, models.detectors)
        with self._telemetry.stage("detect", timings):
            boxes = await self._find_faces(
                looks, models.normalisation, sent, upright, options, deadline
            )
        with self._telemetry.stage("crop", timings):
            crops = await self._workers.run(crop_faces, upright, boxes, models.normalisation)
        with self._telemetry.stage("landmarks", timings):
            crops, keypoints = await self._find_landmarks(models, upright, boxes, crops, deadline)
        with self._telemetry.stage("postprocess", timings):
            limits = models.landmarks.card.verdict
            faces = await self._workers.run(
                _faces, upright, boxes, crops, keypoints, options, limits
            )
        self._telemetry.faces.inc(len(faces))
        prediction = Prediction(
            sent.width, sent.height, sent.unit, models.normalisation, faces, timings
        )
        return Result(
            prediction,
            looks[-1].card if looks else None,
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

    def _decoding(self, options: PredictOptions) -> DecodeOptions:
        return DecodeOptions(
            units=options.units,
            emissivity=options.emissivity,
            polarity=options.polarity,
            max_bytes=self._limits.max_bytes,
            max_pixels=self._limits.max_pixels,
        )

    async def _find_faces(
        self,
        detectors: Sequence[Model],
        normalisation: str,
        sent: ThermalFrame,
        upright: ThermalFrame,
        options: PredictOptions,
        deadline: Deadline,
    ) -> tuple[Box, ...]:
        """Boxes in the upright frame: the caller's, or else what all of `detectors` find."""
        given = options.given_boxes()
        if given is not None:
            _check_inside(given, sent)
            return tuple(rotate_box(b, sent.width, sent.height, options.rotate) for b in given)
        look = merge_looks(
            [await self._look(model, normalisation, upright, deadline) for model in detectors]
        )
        return select_faces(
            look.boxes,
            look.scores,
            look.to_network,
            width=upright.width,
            height=upright.height,
            min_score=options.min_score,
            max_faces=options.max_faces,
        )

    async def _look(
        self, model: Model, normalisation: str, upright: ThermalFrame, deadline: Deadline
    ) -> Look:
        assert isinstance(model.network, DetectorNetwork)
        view, to_network = await self._workers.run(
            letterbox,
            upright.values,
            normalisation,
            black_hot=upright.black_hot,
            size=model.network.input_size,
        )
        outputs = await self._inference.run(model, view[None], deadline)
        boxes, scores = (outputs[name] for name in model.network.outputs)
        if boxes.shape[1:] != (*scores.shape[1:], 4) or scores.ndim != 2:
            raise InferenceFailed("the detector returned other shapes than [N, K, 4] and [N, K]")
        return Look(boxes[0], scores[0], to_network)

    async def _infer_landmarks(
        self, model: Model, crops: Sequence[Crop], deadline: Deadline
    ) -> FloatArray:
        """Keypoints `[N, 68, 4]` in crop pixels; N may be 0, and then nothing is sent."""
        if not crops:
            return np.zeros((0, 0, 4), np.float32)
        assert not isinstance(model.network, DetectorNetwork)
        views = np.stack([view for view, _ in crops])
        outputs = await self._inference.run(model, views, deadline)
        keypoints = await self._workers.run(model.network.decode, outputs)
        if len(keypoints) != len(crops):
            raise InferenceFailed("the landmark network returned another number of faces")
        return keypoints

    async def _find_landmarks(
        self,
        models: Models,
        upright: ThermalFrame,
        boxes: Sequence[Box],
        crops: list[Crop],
        deadline: Deadline,
    ) -> tuple[list[Crop], FloatArray]:
        """Keypoints `[N, 68, 4]`, and the crops that they lie in: of faces whose landmarks
        contradict the detector, the better of two looks."""
        keypoints = await self._infer_landmarks(models.landmarks, crops, deadline)
        if not models.detectors:  # a caller's own boxes are taken at their word
            return crops, keypoints
        retried = await self._workers.run(boxes_to_try, boxes, crops, keypoints)
        if not retried:
            return crops, keypoints
        again = await self._workers.run(
            crop_faces, upright, tuple(retried.values()), models.normalisation
        )
        answers = await self._infer_landmarks(models.landmarks, again, deadline)
        second = dict(zip(retried, zip(again, answers, strict=True), strict=True))
        return await self._workers.run(keep_better, crops, keypoints, second)


def _upright(decode: Callable[[], ThermalFrame], rotate: int) -> tuple[ThermalFrame, ThermalFrame]:
    """The frame as it was sent, and the same one upright."""
    sent = decode()
    return sent, rotate_frame(sent, rotate)


def _faces(
    upright: ThermalFrame,
    boxes: Sequence[Box],
    crops: Sequence[Crop],
    keypoints: FloatArray,
    options: PredictOptions,
    limits: VerdictLimits | None,
) -> tuple[Face, ...]:
    """In the grid that was sent; of detected ones, each face once."""
    faces = to_faces(
        upright,
        boxes,
        crops,
        keypoints,
        rotate=options.rotate,
        include=options.include,
        limits=limits,
    )
    return faces if options.boxes is not None else drop_repeated(faces)


def _looks(frame: ThermalFrame, detectors: Sequence[Model]) -> Sequence[Model]:
    """The detectors that look at the frame, of all, the smallest input first: up to the first that
    does not shrink it, since what the frame loses in pixels, small faces lose too."""
    longer = max(frame.width, frame.height)
    too_small = sum(model.card.input_size[0] < longer for model in detectors)
    return detectors[: too_small + 1]


def _check_inside(boxes: Sequence[Box], frame: ThermalFrame) -> None:
    for index, box in enumerate(boxes):
        if box.x2 <= 0 or box.y2 <= 0 or box.x1 >= frame.width - 1 or box.y1 >= frame.height - 1:
            raise InvalidOption(f"boxes: box {index} lies outside the image")
