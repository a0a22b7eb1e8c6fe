"""`StreamLandmarks` when the sensor does other things than show the scene."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bootstrap import Gateway
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import moving
from tests.moving import Disc, FindingBackend, camera, config, scene
from tests.rpc_clients import metric

FACE = Disc(60, 60)
GRAY8 = config(pixel_format=pb.PIXEL_FORMAT_GRAY8, y16=None)
OFF = pb.Tracking(mode=pb.Tracking.MODE_OFF)
FROZEN, BLANK = pb.SENSOR_EVENT_FROZEN, pb.SENSOR_EVENT_BLANK


@pytest.fixture
def backend() -> FindingBackend:
    return FindingBackend()


@pytest.fixture
async def served(repository: Path, backend: FindingBackend) -> AsyncIterator[tuple[Gateway, Any]]:
    async with moving.served(repository, backend) as made:
        yield made


def grey(values: moving.Values) -> np.ndarray:
    """8 bits, as after a camera's own gain control."""
    low, high = int(values.min()), int(values.max())
    made: np.ndarray = (20 + 200 * (values.astype(np.float64) - low) / (high - low)).astype("u1")
    return made


async def test_a_freeze_of_four_seconds(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    """Longer than an unseen face stays known: the same faces without a network, an event once it
    lasts, and the same number after it."""
    gateway, stub = served
    watching = await camera(stub)
    for tick in range(3):
        before = await watching.show(scene(FACE, tick=tick))
    calls = len(backend.calls)
    frozen = [await watching.show(scene(FACE, tick=2), passed=0.08) for _ in range(50)]
    assert len(backend.calls) == calls
    for number, answer in enumerate(frozen, start=1):
        assert answer.result.faces == before.result.faces
        assert set(answer.result.timings_ms) == {"decode"}
        assert not answer.models.HasField("detector") and answer.models.HasField("landmarks")
        assert answer.sensor_events == ([FROZEN] if number * 0.08 >= 0.3 else [])
    assert metric(gateway, "frames_uninferred_total", reason="repeated") == 50
    assert metric(gateway, "sensor_events_total", event="frozen") == 1
    assert metric(gateway, "tracked_faces") == 1
    (after,) = await watching.faces(scene(Disc(66, 62), tick=3))
    assert after.track_id == before.result.faces[0].track_id == 1


async def test_a_blank_of_four_seconds(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    gateway, stub = served
    watching = await camera(stub)
    for tick in range(3):
        (before,) = await watching.faces(scene(FACE, tick=tick))
    calls = len(backend.calls)
    for tick in range(50):
        shutter = np.full((moving.HEIGHT, moving.WIDTH), 30215 + tick % 3, np.uint16)
        answer = await watching.show(shutter, passed=0.08)
        assert (list(answer.result.faces), list(answer.sensor_events)) == ([], [BLANK])
    assert len(backend.calls) == calls
    assert metric(gateway, "frames_uninferred_total", reason="blank") == 50
    assert metric(gateway, "sensor_events_total", event="blank") == 1
    assert metric(gateway, "tracked_faces") == 0
    (after,) = await watching.faces(scene(FACE, tick=3))
    assert after.track_id == before.track_id == 1
    assert metric(gateway, "tracks_total") == 1


async def test_each_picture_three_times(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    """As a Lepton's video does: no event, and networks for each picture once."""
    gateway, stub = served
    watching = await camera(stub)
    for tick in range(9):
        for _ in range(3):
            answer = await watching.show(scene(Disc(50 + tick, 60), tick=tick), passed=0.037)
            assert not answer.sensor_events and len(answer.result.faces) == 1
    landmarks = [model for model, _ in backend.calls if model == "landmarks_t"]
    assert len(landmarks) == 9 and backend.looks == 1
    assert metric(gateway, "frames_uninferred_total", reason="repeated") == 18


async def test_a_flip_of_polarity(served: tuple[Gateway, Any]) -> None:
    gateway, stub = served
    watching = await camera(stub, GRAY8)
    white = [grey(scene(FACE, Disc(120, 30, 12), tick=tick)) for tick in range(4)]
    pictures = [white[0], white[1], 255 - white[2], 255 - white[3]]
    events = [list((await watching.show(picture)).sensor_events) for picture in pictures]
    assert events == [[], [], [pb.SENSOR_EVENT_POLARITY_FLIPPED], []]
    assert metric(gateway, "sensor_events_total", event="polarity_flipped") == 1


async def test_saturation(served: tuple[Gateway, Any]) -> None:
    _, stub = served
    watching = await camera(stub, GRAY8)
    picture = grey(scene(FACE))
    assert not (await watching.show(picture)).sensor_events
    picture[: moving.HEIGHT // 3] = 255
    answer = await watching.show(picture)
    assert answer.sensor_events == [pb.SENSOR_EVENT_SATURATED]
    assert len(answer.result.faces) == 1  # still looked for


async def test_events_without_tracking(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    """They are told, and every frame is worked on all the same."""
    _, stub = served
    watching = await camera(stub, config(tracking=OFF))
    answers = [await watching.show(scene(FACE), passed=0.2) for _ in range(3)]
    assert [list(answer.sensor_events) for answer in answers] == [[], [], [FROZEN]]
    assert backend.looks == 3
    assert answers[0].result.faces == answers[2].result.faces
    blank = await watching.show(np.full((moving.HEIGHT, moving.WIDTH), 30000, np.uint16))
    assert blank.sensor_events == [BLANK]
    assert backend.looks == 4
