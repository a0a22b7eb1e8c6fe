"""The use case: bytes of a thermal image in, 68 landmarks a face out."""

import logging
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from service.admission import Admission, Deadline
from service.backends.base import Backend
from service.catalogue import Catalogue
from service.entities import Face, Prediction, SensorEvent, ThermalFrame
from service.entries import Model
from service.errors import ServiceError
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.normalisation import resolve_normalisation
from service.imaging.raw import FrameFormat, decode_frame
from service.inference import Inference
from service.options import PredictOptions
from service.session import Following, Session
from service.steps import Job, Models, Picture, Steps
from service.stream import Frame, Slot
from service.telemetry import Telemetry
from service.workers import Workers

log = logging.getLogger("thermal.stream")


@dataclass(frozen=True)
class Limits:
    """max_bytes, max_pixels: of one image. deadline: seconds, for requests that name none."""

    max_bytes: int
    max_pixels: int
    deadline: float


@dataclass(frozen=True)
class Result:
    """A prediction, the models that made it, and the frame if it was asked for."""

    prediction: Prediction
    detector: Model | None
    landmarks: Model
    frame: ThermalFrame | None = None


@dataclass(frozen=True)
class FrameAnswer:
    """dropped: frames of the stream that were dropped since its last answer. events: none with an
    error."""

    frame: Frame
    outcome: Result | ServiceError
    dropped: int
    events: frozenset[SensorEvent] = frozenset()


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
        self._steps = Steps(Inference(backend, workers, telemetry), workers, telemetry)
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

        job = Job(models, options, deadline)
        async with self._admission.slot(deadline), deadline.enforced():
            picture = await self._steps.read(job, decode)
            faces = await self._steps.find_all(job, picture)
            frame = picture.sent if keep_frame else None
            return replace(self._result(job, picture, faces), frame=frame)

    async def predict_stream(
        self,
        frames: Slot[Frame],
        options: PredictOptions,
        form: FrameFormat,
        following: Following | None = None,
    ) -> AsyncGenerator[FrameAnswer, None]:
        """An answer for each frame that is not dropped, one at a time, until `frames` is closed.

        The frame is chosen when the stream's turn has come, not before: what waits in the line is
        the stream, and its frame stays the newest. following: how faces are followed; None answers
        every frame by itself. Raises what `frames` was closed with.
        """
        session = Session(self._steps, self._workers, self._telemetry, options, following)
        faults = _Faults()
        with closing(session):
            while await frames.filled():
                events = frozenset[SensorEvent]()
                try:
                    async with self._admission.turn(frames.age):  # learns from what succeeds alone
                        frame, dropped = frames.take()
                        outcome: Result | ServiceError
                        outcome, events = await self._predict_frame(session, frame, options, form)
                except ServiceError as error:  # of the frame: `turn` raises none of its own
                    outcome = error
                except Exception as error:  # ours: told without internals, like that of a call
                    outcome = faults.outcome(error)
                session.answered(outcome.prediction.faces if isinstance(outcome, Result) else ())
                yield FrameAnswer(frame, outcome, dropped, events)

    async def _predict_frame(
        self, session: Session, frame: Frame, options: PredictOptions, form: FrameFormat
    ) -> tuple[Result, frozenset[SensorEvent]]:
        def decode() -> ThermalFrame:
            return decode_frame(frame.data, form, self._decoding(options))

        with self.chosen(options) as models:  # anew for each frame: models come and go
            job = Job(models, options, frame.deadline)
            async with frame.deadline.enforced():
                picture = await self._steps.read(job, decode)
                seen = await session.see(job, picture, frame)
        result = self._result(job, picture, seen.faces)
        detector = result.detector if seen.looked else None
        return replace(result, detector=detector, landmarks=seen.landmarks), seen.events

    def _result(self, job: Job, picture: Picture, faces: tuple[Face, ...]) -> Result:
        self._telemetry.faces.inc(len(faces))
        models, sent = job.models.looking_at(picture.upright), picture.sent
        prediction = Prediction(
            sent.width, sent.height, sent.unit, models.normalisation, faces, job.timings
        )
        detector = models.detectors[-1] if models.detectors else None
        return Result(prediction, detector, models.landmarks)

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


class _Faults:
    """Errors in one stream's frames that are none of `service.errors`.

    Each kind is logged once: at 25 frames a second tracebacks would fill the disk, and the metrics
    count them all.
    """

    def __init__(self) -> None:
        self._logged = set[type[Exception]]()

    def outcome(self, error: Exception) -> ServiceError:
        """To be called while it is handled."""
        if type(error) not in self._logged:
            self._logged.add(type(error))
            log.exception("unhandled error")
        return ServiceError("an internal error, logged under the stream's id")
