"""What one stream remembers from frame to frame, and which frames need a network at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from service.entities import Face, SensorEvent
from service.entries import Model
from service.imaging.rotation import rotate_box, unrotate_box
from service.imaging.sensor_events import SensorWatch, measure
from service.options import PredictOptions
from service.steps import Job, Picture, Steps
from service.stream import Frame, FrameClock
from service.telemetry import Telemetry
from service.vision.face_score import FaceScore, rescore
from service.vision.faces import shown
from service.vision.smoothing import Smoother, Smoothing
from service.vision.tracking import Plan, Tracker, TrackingConfig
from service.workers import Workers

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Following:
    """How a stream's faces are followed. detect_every: frames from one look of the detector to the
    next at most."""

    detect_every: int = TrackingConfig.detect_every
    smoothing: Smoothing = Smoothing.LIGHT


@dataclass(frozen=True)
class Seen:
    """What a frame shows. landmarks: the model that found them. looked: whether a detector did."""

    faces: tuple[Face, ...]
    landmarks: Model
    looked: bool
    events: frozenset[SensorEvent] = frozenset()


class Session:
    """One stream's memory: a few numbers a face and the last answer, never a frame.

    Frames come one by one, in their order; one that fails leaves the tracks as they are, one of
    another size than the last begins anew.
    """

    def __init__(
        self,
        steps: Steps,
        workers: Workers,
        telemetry: Telemetry,
        options: PredictOptions,
        following: Following | None,
    ) -> None:
        """following: None answers every frame by itself."""
        self._steps = steps
        self._workers = workers
        self._telemetry = telemetry
        self._clock = FrameClock()
        self._watch = SensorWatch()
        self._size = (0, 0)  # width and height of the last frame
        self._follower = _Follower(steps, workers, options, following) if following else None
        self._last: Seen | None = None  # of the last frame, unless it failed
        self._events = frozenset[SensorEvent]()
        self._tracks = 0  # so far
        self._shown = 0  # in the last answer

    async def see(self, job: Job, picture: Picture, frame: Frame) -> Seen:
        """Faces in the grid that was sent. picture: of `frame`. Raises what the steps do."""
        last, self._last = self._last, None  # if this frame fails, there is nothing to repeat
        measured = await self._workers.run(measure, picture.sent)
        now = self._clock.at(frame.capture_time_ns, frame.arrived)
        size = picture.sent.width, picture.sent.height
        if size != self._size:  # nothing to compare with; the tracker sees to its own
            self._size, self._watch = size, SensorWatch()
        finding = self._watch.look(measured, now)
        self._count_events(finding.events)
        follower = self._follower
        if follower is None:
            faces = await self._steps.find_all(job, picture)
            seen = Seen(faces, job.models.landmarks, bool(job.models.detectors))
        elif SensorEvent.BLANK in finding.events:
            await follower.hold(now)
            seen = Seen((), job.models.landmarks, False)
            self._telemetry.frames_uninferred.labels("blank").inc()
        elif finding.repeats and last is not None:
            if SensorEvent.FROZEN in finding.events:
                await follower.hold(now)
            seen = replace(last, looked=False)
            self._telemetry.frames_uninferred.labels("repeated").inc()
        else:
            seen = await follower.follow(job, picture, now)
        self._telemetry.detections.inc(seen.looked)
        seen = replace(seen, events=finding.events)
        if follower is not None:
            self._last = seen
        return seen

    def answered(self, faces: Sequence[Face]) -> None:
        """A frame is answered by these, or by an error and none."""
        numbers = [face.track_id for face in faces if face.track_id is not None]
        self._telemetry.tracks.inc(sum(number > self._tracks for number in numbers))
        self._tracks = max((self._tracks, *numbers))
        self._telemetry.tracked_faces.inc(len(numbers) - self._shown)
        self._shown = len(numbers)

    def close(self) -> None:
        """The stream has ended."""
        self._count_events(frozenset())
        self.answered(())

    def _count_events(self, events: frozenset[SensorEvent]) -> None:
        for event in events - self._events:
            self._telemetry.sensor_events.labels(event).inc()
            self._telemetry.disturbed.labels(event).inc()
        for event in self._events - events:
            self._telemetry.disturbed.labels(event).dec()
        self._events = events


class _Follower:
    """Tracking and smoothing, joined to the steps. Both know the grid that was sent alone.

    Both take milliseconds for many faces, so they run in a thread, where a step goes on when the
    frame's time is up. Whatever comes next waits for it: frames change the tracks in their order.
    """

    def __init__(
        self, steps: Steps, workers: Workers, options: PredictOptions, following: Following
    ) -> None:
        self._steps = steps
        self._workers = workers
        self._tracker = Tracker(
            TrackingConfig(
                following.detect_every, max_faces=options.max_faces, min_score=options.min_score
            )
        )
        self._smoother = Smoother(following.smoothing)
        self._running: asyncio.Task[object] | None = None  # the last step

    async def hold(self, now: float) -> None:
        """Nothing to be seen now."""
        await self._run(self._tracker.hold, now)

    async def follow(self, job: Job, picture: Picture, now: float) -> Seen:
        landmarks, sent = job.models.landmarks, picture.sent
        plan = await self._run(self._tracker.plan, now, sent.width, sent.height)
        while True:  # twice at most: after a look there is no doubt
            if plan.detect:
                plan = await self._look(job, picture, plan)
            found = await self._find_landmarks(job, picture, plan)
            faces = await self._run(self._update, now, plan, found, landmarks.card.face_score)
            if faces is not None:
                return Seen(shown(faces, sent.width, sent.height), landmarks, plan.detect)
            plan = replace(plan, detect=True)  # this frame still has its faces

    async def _look(self, job: Job, picture: Picture, plan: Plan) -> Plan:
        """The plan with what the detector finds."""
        sent, rotate = picture.sent, job.options.rotate
        found = await self._steps.find_faces(job, picture)
        found = tuple(unrotate_box(box, sent.width, sent.height, rotate) for box in found)
        return await self._run(self._tracker.join, plan, found)

    async def _find_landmarks(self, job: Job, picture: Picture, plan: Plan) -> tuple[Face, ...]:
        sent, rotate = picture.sent, job.options.rotate
        boxes = tuple(rotate_box(box, sent.width, sent.height, rotate) for box in plan.boxes)
        return await self._steps.find_landmarks(job, picture, boxes)

    def _update(
        self, now: float, plan: Plan, faces: Sequence[Face], weights: FaceScore | None
    ) -> tuple[Face, ...] | None:
        """The faces to answer; None where the detector should look first."""
        if plan.detect:  # with scores for what they show; which newcomers stay, the tracker decides
            faces = rescore(faces, weights, 0.0)
        elif self._tracker.doubts(plan, faces):
            return None
        return self._smoother.smooth(now, self._tracker.update(now, plan, faces))

    async def _run(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """In a thread, once the last step is over, even that of a frame that was given up."""
        if self._running is not None:
            await asyncio.wait([self._running])
        running = asyncio.create_task(self._workers.run(step, *args, **kwargs))
        self._running = running
        return await asyncio.shield(running)
