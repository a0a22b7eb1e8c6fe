"""The use case as streams see it; the doors' tests have the rest."""

import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from service.admission import Admission, Deadline
from service.catalogue import Catalogue
from service.errors import BrokenImage, DeadlineExceeded, Overloaded, ServiceError
from service.imaging.raw import FrameFormat
from service.landmarks import FrameAnswer, LandmarkService, Limits, Result
from service.options import PredictOptions
from service.stream import Frame, Slot
from service.telemetry import Telemetry
from service.workers import Workers
from tests import gateways
from tests.fakes import FakeBackend
from tests.repositories import make_repository

VALUES = gateways.good_values()
GOOD = VALUES.astype("<u2").tobytes()
FORM = FrameFormat("y16", VALUES.shape[1], VALUES.shape[0])


def frame(data: bytes = GOOD, seconds: float = 60) -> Frame:
    return Frame(0, 0, data, Deadline(seconds), time.monotonic())


def slot() -> Slot[Frame]:
    return Slot[Frame](keep_all=False, on_drop=lambda dropped: None)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def admission() -> Admission:
    return Admission(1, 8, Telemetry())


@pytest.fixture
async def service(
    tmp_path: Path, backend: FakeBackend, admission: Admission
) -> AsyncIterator[LandmarkService]:
    telemetry, workers = Telemetry(), Workers(1, "worker")
    catalogue = Catalogue(
        make_repository(tmp_path),
        engines=backend.engines,
        default_variant="t",
        default_precision="auto",
        only=(),
        telemetry=telemetry,
    )
    await catalogue.load(backend)
    yield LandmarkService(
        backend=backend,
        catalogue=catalogue,
        admission=admission,
        workers=workers,
        telemetry=telemetry,
        limits=Limits(max_bytes=1 << 20, max_pixels=1 << 20, deadline=60.0),
    )
    workers.close()


async def answers(service: LandmarkService, frames: Iterable[Frame]) -> list[FrameAnswer]:
    """To all of them, each sent when the one before is answered."""
    waiting, sent, got = slot(), iter(frames), []
    waiting.put(next(sent))
    async for answer in service.predict_stream(waiting, PredictOptions(), FORM):
        got.append(answer)
        if following := next(sent, None):
            waiting.put(following)
        else:
            waiting.close()
    return got


@pytest.mark.parametrize(
    ("bad", "error"), [({"data": b"short"}, BrokenImage), ({"seconds": 0.0}, DeadlineExceeded)]
)
async def test_frames_that_fail_do_not_teach_how_long_work_takes(
    service: LandmarkService,
    backend: FakeBackend,
    admission: Admission,
    bad: dict[str, object],
    error: type[ServiceError],
) -> None:
    backend.delay = 0.1
    sent = [frame(), *(frame(**bad) for _ in range(30))]  # type: ignore[arg-type]
    good, *failed = await answers(service, sent)
    assert isinstance(good.outcome, Result)
    assert {type(answer.outcome) for answer in failed} == {error}
    async with admission.slot(Deadline(60)):
        with pytest.raises(Overloaded, match="the wait would outlast the deadline"):
            async with admission.slot(Deadline(0.05)):
                pytest.fail("it could not have been done in time")


async def test_a_fault_of_ours_costs_its_frame_and_not_the_stream(
    service: LandmarkService, backend: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.error = ZeroDivisionError("secret")
    waiting, got = slot(), []
    waiting.put(frame())
    async for answer in service.predict_stream(waiting, PredictOptions(), FORM):
        got.append(answer.outcome)
        if len(got) == 3:
            backend.error = None
        if len(got) == 4:
            waiting.close()
        waiting.put(frame())
    *failed, good = got
    assert isinstance(good, Result)
    assert [type(outcome) for outcome in failed] == [ServiceError] * 3
    assert "secret" not in str(failed[0])
    assert caplog.text.count("ZeroDivisionError: secret") == 1  # of each kind, once a stream


async def test_the_error_that_the_slot_was_closed_with_ends_the_stream(
    service: LandmarkService,
) -> None:
    frames, got = slot(), []
    frames.put(frame())
    with pytest.raises(Overloaded, match="no room"):
        async for answer in service.predict_stream(frames, PredictOptions(), FORM):
            got.append(answer)
            frames.put(frame())
            frames.close(Overloaded("no room"))
    assert [type(answer.outcome) for answer in got] == [Result]
