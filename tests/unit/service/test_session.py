"""What a stream remembers, when its frames fail as well; the doors' tests have the rest."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pytest

from service.admission import Deadline
from service.entities import Box, Face, FloatArray, SensorEvent, ThermalFrame, Unit
from service.errors import DeadlineExceeded, InferenceFailed
from service.options import PredictOptions
from service.session import Following, Seen, Session
from service.steps import Job, Models, Picture, Steps
from service.stream import Frame
from service.telemetry import Telemetry
from service.workers import Workers
from tests.rpc_clients import until

P = ParamSpec("P")
T = TypeVar("T")
FACE = Box(40, 30, 80, 80, 0.9)


class Networks(Steps):
    """One face, always there; after `delay` seconds, and unless there is an `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.delay = 0.0
        self.sigma = 0.5  # pixels
        self.runs = 0

    async def find_faces(self, job: Job, picture: Picture) -> tuple[Box, ...]:
        return (FACE,)

    async def find_landmarks(
        self, job: Job, picture: Picture, boxes: Sequence[Box]
    ) -> tuple[Face, ...]:
        self.runs += 1
        await asyncio.sleep(self.delay)
        if self.error:
            raise self.error
        across, down = np.arange(68) % 9 / 8, np.arange(68) // 9 / 7
        x, y = FACE.x1 + across * FACE.width, FACE.y1 + down * FACE.height
        points = np.stack((x, y, np.full(68, 0.8), np.full(68, self.sigma)), axis=1)
        return tuple(Face(box, points.astype(np.float32)) for box in boxes)


class Held(Workers):
    """Threads in which the step named `held` waits until it is let go. done: steps, by name."""

    def __init__(self) -> None:
        super().__init__(4, "worker")
        self.held = ""
        self.go_on = threading.Event()
        self.begun = list[str]()
        self.done = list[str]()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def step() -> T:
            self.begun.append(function.__name__)
            if function.__name__ == self.held:
                assert self.go_on.wait(30)
            result = function(*args, **kwargs)
            self.done.append(function.__name__)
            return result

        return await super().run(step)


@pytest.fixture
def networks() -> Networks:
    return Networks()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def session(networks: Networks, telemetry: Telemetry) -> Iterator[Session]:
    workers = Workers(1, "worker")
    yield Session(networks, workers, telemetry, PredictOptions(), Following())
    workers.close()


def values(seed: int) -> FloatArray:
    return np.random.default_rng(seed).uniform(20, 36, (24, 32)).repeat(5, 0).repeat(5, 1)


def picture(seed: int) -> Picture:
    return shown(values(seed))


def shown(celsius: FloatArray) -> Picture:
    frame = ThermalFrame(celsius.astype(np.float32), Unit.CELSIUS, "test")
    return Picture(frame, frame)


BLANK = shown(np.full((120, 160), 25.0))


async def see(session: Session, picture: Picture, number: int, seconds: float = 60) -> Seen:
    """The answer to the frame `number` of 25 a second."""
    model: Any = SimpleNamespace(card=SimpleNamespace(face_score=None))
    job = Job(Models((model,), model, "linear-v1"), PredictOptions(), Deadline(seconds))
    frame = Frame(number, 40_000_000 * number, b"", job.deadline, 100 + number / 25)
    async with job.deadline.enforced():
        seen = await session.see(job, picture, frame)
    session.answered(seen.faces)
    return seen


async def test_the_same_picture_needs_no_network(session: Session, networks: Networks) -> None:
    first, second = [await see(session, picture(1), number) for number in range(2)]
    assert networks.runs == 1
    assert second == replace(first, looked=False)
    await see(session, picture(2), 2)
    assert networks.runs == 2


async def test_landmarks_that_have_lost_a_face_bring_the_detector_at_once(
    session: Session, networks: Networks
) -> None:
    frames = [await see(session, picture(number), number) for number in range(2)]
    networks.sigma = 15.0
    frames.append(await see(session, picture(2), 2))
    assert [frame.looked for frame in frames] == [True, False, True]
    assert [[face.track_id for face in frame.faces] for frame in frames] == [[1], [1], [1]]
    assert networks.runs == 4  # the crop of the motion, then that of the detection


@pytest.mark.parametrize("wrong", [InferenceFailed("engine"), None])
async def test_a_picture_that_failed_is_not_answered_by_an_older_one(
    session: Session, networks: Networks, wrong: Exception | None
) -> None:
    """Neither after an error nor past a deadline: it is worked on when it comes again."""
    before = await see(session, picture(1), 0)
    networks.error, networks.delay = wrong, 0.0 if wrong else 5.0
    with pytest.raises((InferenceFailed, DeadlineExceeded)):
        await see(session, picture(2), 1, seconds=0.05 if wrong is None else 60)
    networks.error, networks.delay = None, 0.0
    after = await see(session, picture(2), 2)
    assert networks.runs == 3
    assert [face.track_id for face in (*before.faces, *after.faces)] == [1, 1]


async def test_the_first_picture_may_fail(session: Session, networks: Networks) -> None:
    networks.error = InferenceFailed("engine")
    for number in range(2):
        with pytest.raises(InferenceFailed):
            await see(session, picture(1), number)
    networks.error = None
    seen = await see(session, picture(1), 2)
    assert [face.track_id for face in seen.faces] == [1]


async def test_no_frame_is_kept(session: Session) -> None:
    for number in range(3):
        given = picture(number)
        kept = weakref.ref(given.sent.values)
        await see(session, given, number)
        del given
        gc.collect()
        assert kept() is None


async def test_events_are_counted_when_they_begin(session: Session, telemetry: Telemetry) -> None:
    async def blank(number: int) -> None:
        seen = await see(session, BLANK, number)
        assert SensorEvent.BLANK in seen.events and not seen.faces and not seen.looked

    for number in range(10):
        await (see(session, picture(number), number) if number in (0, 5) else blank(number))
    count = telemetry.registry.get_sample_value
    assert count("thermal_stream_sensor_events_total", {"event": "blank"}) == 2
    assert count("thermal_stream_frames_uninferred_total", {"reason": "blank"}) == 8


async def test_faces_of_streams_that_ended_are_not_followed(
    session: Session, telemetry: Telemetry
) -> None:
    count = telemetry.registry.get_sample_value
    for number in range(3):
        await see(session, picture(number), number)
    assert count("thermal_stream_tracked_faces") == 1
    assert count("thermal_stream_tracks_total") == 1
    session.close()
    assert count("thermal_stream_tracked_faces") == 0


async def test_faces_that_are_followed_are_those_of_the_last_answer(
    session: Session, telemetry: Telemetry
) -> None:
    followed = []
    for number, one in enumerate([picture(0), picture(0), BLANK, picture(1)]):
        await see(session, one, number)
        followed.append(telemetry.registry.get_sample_value("thermal_stream_tracked_faces"))
    assert followed == [1, 1, 0, 1]
    session.answered(())  # by an error
    assert telemetry.registry.get_sample_value("thermal_stream_tracked_faces") == 0
    assert telemetry.registry.get_sample_value("thermal_stream_tracks_total") == 1


@pytest.mark.parametrize("step", ["plan", "join", "_update"])
async def test_a_step_that_a_deadline_cut_short_is_over_before_the_next_frame_begins(
    networks: Networks, telemetry: Telemetry, step: str
) -> None:
    """And the event loop, which this test shares, is free meanwhile."""
    workers = Held()
    session = Session(networks, workers, telemetry, PredictOptions(), Following(detect_every=1))
    await see(session, picture(0), 0)
    before, workers.held = len(workers.done), step
    cut = asyncio.create_task(see(session, picture(1), 1))
    await until(lambda: workers.begun.count(step) == 2)
    cut.cancel()  # as a deadline does
    await asyncio.wait([cut])
    after = asyncio.create_task(see(session, picture(2), 2))
    await until(lambda: workers.done.count("measure") == 3)
    await asyncio.sleep(0.02)
    assert workers.begun.count("plan") == 2
    workers.go_on.set()
    assert [face.track_id for face in (await after).faces] == [1]
    steps = ["plan", "join", "_update"]
    late = [name for name in workers.done[before:] if name != "measure"]
    assert late == steps[: steps.index(step) + 1] + steps
    workers.close()


async def test_frames_of_another_size_begin_anew(session: Session) -> None:
    """Faces have new numbers; and what would be the last picture's negative is no event."""
    large = 56 - values(1).repeat(2, 0).repeat(2, 1)
    seen = [await see(session, picture(number), number) for number in range(2)]
    seen += [await see(session, shown(large + number), number) for number in (2, 3)]
    assert [[face.track_id for face in one.faces] for one in seen] == [[1], [1], [2], [2]]
    assert [one.looked for one in seen] == [True, False, True, False]
    assert not any(one.events for one in seen)
    (stands, _) = (face.velocities for one in seen[2:] for face in one.faces)
    assert stands is not None and not stands.any()
    (back,) = (await see(session, picture(4), 4)).faces
    assert back.track_id == 3


async def test_cameras_that_show_nothing_now(
    networks: Networks, telemetry: Telemetry, session: Session
) -> None:
    count = telemetry.registry.get_sample_value
    other = Session(networks, session._workers, telemetry, PredictOptions(), None)
    blind = []
    for number, one in enumerate([picture(0), BLANK, BLANK, picture(1)]):
        for stream in (session, other):
            await see(stream, one, number)
        blind.append(count("thermal_stream_disturbed", {"event": "blank"}))
    assert blind == [0, 2, 2, 0]
    for stream in (session, other):
        await see(stream, BLANK, 5)
    session.close()
    assert count("thermal_stream_disturbed", {"event": "blank"}) == 1
    other.close()
    assert count("thermal_stream_disturbed", {"event": "blank"}) == 0
