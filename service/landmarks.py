"""The use case: bytes of a thermal image in, 68 landmarks a face out."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from service.admission import Admission, Deadline
from service.backends.base import Backend
from service.card import ModelCard
from service.catalogue import Catalogue
from service.entities import Box, Face, FloatArray, Prediction, ThermalFrame
from service.entries import Model
from service.errors import ServiceError
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.normalisation import resolve_normalisation
from service.imaging.raw import FrameFormat, decode_frame
from service.imaging.rotation import rotate_frame
from service.inference import Inference
from service.options import PredictOptions
from service.steps import Models, Steps
from service.stream import Frame, Slot
from service.telemetry import Telemetry
from service.vision.faces import Crop, crop_faces, to_faces
from service.vision.refine import drop_repeated
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
        self._steps = Steps(Inference(backend, workers, telemetry), workers)
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
            try:
                async with self._admission.turn(frames.age):  # learns from what succeeds alone
                    frame, dropped = frames.take()
                    outcome: Result | ServiceError = await self._predict_frame(frame, options, form)
            except ServiceError as error:  # of the frame: `turn` raises none of its own
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
        models = models.looking_at(upright)
        with self._telemetry.stage("detect", timings):
            boxes = await self._steps.find_faces(models, sent, upright, options, deadline)
        with self._telemetry.stage("crop", timings):
            crops = await self._workers.run(crop_faces, upright, boxes, models.normalisation)
        with self._telemetry.stage("landmarks", timings):
            crops, keypoints = await self._steps.find_landmarks(
                models, upright, boxes, crops, deadline
            )
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
            models.detectors[-1].card if models.detectors else None,
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
