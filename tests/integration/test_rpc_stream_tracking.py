"""`StreamLandmarks` with tracking, over a real connection: identities, looks, boxes, smoothing."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bootstrap import Gateway
from service.errors import InferenceFailed
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests import moving
from tests.moving import Disc, FindingBackend, camera, config, scene
from tests.rpc_clients import metric

LEFT, RIGHT = Disc(45, 60), Disc(110, 55)
OFF = pb.Tracking(mode=pb.Tracking.MODE_OFF)


@pytest.fixture
def backend() -> FindingBackend:
    return FindingBackend()


@pytest.fixture
async def served(repository: Path, backend: FindingBackend) -> AsyncIterator[tuple[Gateway, Any]]:
    async with moving.served(repository, backend) as made:
        yield made


def middle(face: pb.Face) -> tuple[float, float]:
    points = np.array([(point.x, point.y) for point in face.landmarks])
    x, y = ((points.min(axis=0) + points.max(axis=0)) / 2).tolist()
    return x, y


async def test_identities_are_kept(served: tuple[Gateway, Any]) -> None:
    """Two faces that move, one comes in late; each keeps its number, and has its velocity."""
    gateway, stub = served
    watching = await camera(stub)
    for tick in range(30):
        discs = [Disc(45 + tick, 80), Disc(110 - tick, 30)][: 1 + (tick >= 12)]
        faces = {face.track_id: face for face in await watching.faces(scene(*discs, tick=tick))}
        assert 1 in faces
        assert middle(faces[1]) == pytest.approx((45 + tick, 80), abs=1.5)
    assert set(faces) == {1, 2}
    assert middle(faces[2]) == pytest.approx((110 - tick, 30), abs=1.5)
    right, left = (np.mean([p.vx for p in faces[track].landmarks]) for track in (1, 2))
    assert right == pytest.approx(25, abs=8) and left == pytest.approx(-25, abs=8)
    assert metric(gateway, "tracks_total") == 2
    assert metric(gateway, "tracked_faces") == 2
    await watching.end()
    assert metric(gateway, "tracked_faces") == 0


@pytest.mark.parametrize("every", [1, 4, 10])
async def test_the_detector_looks_every_few_frames(
    served: tuple[Gateway, Any], backend: FindingBackend, every: int
) -> None:
    gateway, stub = served
    watching = await camera(stub, config(tracking=pb.Tracking(detect_every=every)))
    looked = []
    for tick in range(2 * every + 1):
        before = backend.looks
        answer = await watching.show(scene(LEFT, tick=tick))
        looked.append(backend.looks > before)
        assert answer.models.HasField("detector") is looked[-1]
        assert ("detect" in answer.result.timings_ms) is looked[-1]
        assert answer.models.landmarks.name == "landmarks_t"
    assert looked == [tick % every == 0 for tick in range(2 * every + 1)]
    assert metric(gateway, "detections_total") == 3


async def test_a_loss_makes_it_look(served: tuple[Gateway, Any], backend: FindingBackend) -> None:
    """A face that jumps is found again within two frames, not after the hundred that were asked."""
    _, stub = served
    watching = await camera(stub, config(tracking=pb.Tracking(detect_every=100)))
    for tick in range(3):
        await watching.faces(scene(LEFT, tick=tick))
    assert backend.looks == 1
    answers = [await watching.faces(scene(RIGHT, tick=tick)) for tick in range(3, 6)]
    assert backend.looks > 1
    (face,) = answers[-1]
    assert middle(face) == pytest.approx((110, 55), abs=1.5)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
async def test_grids_of_turned_frames(
    served: tuple[Gateway, Any], backend: FindingBackend, rotate: int
) -> None:
    """The sender's grid in and out, whichever way is up; the networks see the face upright."""
    _, stub = served
    watching = await camera(stub, config(options=pb.PredictOptions(rotate=rotate)))
    upright_first = {0: (0, 0), 90: (0, 1), 180: (1, 1), 270: (1, 0)}[rotate]  # of the box
    for tick in range(6):
        disc = Disc(40 + 3 * tick, 80 - 2 * tick, 14)
        (face,) = await watching.faces(scene(disc, tick=tick))
        assert middle(face) == pytest.approx((disc.x, disc.y), abs=1.5)
        assert (face.box.x1, face.box.y2) == pytest.approx((disc.x - 14, disc.y + 14), abs=1.5)
        first = face.landmarks[0]
        corner = disc.x - 14 + 28 * upright_first[0], disc.y - 14 + 28 * upright_first[1]
        assert (first.x, first.y) == pytest.approx(corner, abs=2)
    assert backend.looks == 1


async def test_extras_of_tracked_frames(served: tuple[Gateway, Any]) -> None:
    _, stub = served
    wanted = pb.PredictOptions(include=[pb.INCLUDE_TEMPERATURES, pb.INCLUDE_CROPS])
    watching = await camera(stub, config(options=wanted))
    for tick in range(3):
        (face,) = await watching.faces(scene(LEFT, tick=tick))
        assert face.crop.startswith(b"\x89PNG")
        assert max(face.temperatures.values()) == pytest.approx(34, abs=0.1)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (pb.PredictOptions(), 2),
        (pb.PredictOptions(max_faces=1), 1),
        (pb.PredictOptions(min_score=0.95), 0),
    ],
)
async def test_limits_hold(
    served: tuple[Gateway, Any], options: pb.PredictOptions, count: int
) -> None:
    _, stub = served
    watching = await camera(stub, config(options=options, tracking=pb.Tracking(detect_every=2)))
    for tick in range(6):
        discs = (LEFT, RIGHT) if tick else (LEFT,)
        faces = await watching.faces(scene(*discs, tick=tick))
    assert len(faces) == count


async def test_off_answers_as_detect_does(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    _, stub = served
    watching = await camera(stub, config(tracking=OFF))
    alone = Disc(60, 50)
    first, second = [await watching.show(scene(alone)) for _ in range(2)]  # the same picture
    assert backend.looks == 2
    assert first.result.faces == second.result.faces
    (face,) = first.result.faces
    assert face.track_id == 0 and not any(point.vx or point.vy for point in face.landmarks)


async def test_smoothing(served: tuple[Gateway, Any]) -> None:
    """A face that trembles by a pixel: the stronger the smoothing, the less it does."""
    _, stub = served

    async def jitter(smoothing: Any) -> float:
        watching = await camera(stub, config(smoothing=smoothing))
        at = []
        for tick in range(40):
            (face,) = await watching.faces(scene(Disc(60 + tick % 2, 60, 20), tick=tick))
            at.append(middle(face)[0])
        return float(np.std(at[20:]))

    off, light, strong, default = [
        await jitter(one)
        for one in (pb.SMOOTHING_OFF, pb.SMOOTHING_LIGHT, pb.SMOOTHING_STRONG, None)
    ]
    assert off == pytest.approx(0.5, abs=0.1)
    assert light < off / 2 and strong < light / 1.5
    assert default == light


async def test_trouble_leaves_the_session_whole(
    served: tuple[Gateway, Any], backend: FindingBackend
) -> None:
    gateway, stub = served
    watching = await camera(stub)
    (face,) = await watching.faces(scene(LEFT))
    backend.error = InferenceFailed("engine")
    broken = await watching.show(scene(LEFT, tick=1))
    assert broken.error.code == "inference_failed" and not broken.HasField("models")
    assert metric(gateway, "tracked_faces") == 0
    backend.error = None
    (again,) = await watching.faces(scene(LEFT, tick=1))  # as the frame that failed: no repeat
    short = await watching.show(scene(LEFT)[1:])
    assert short.error.code == "broken_image"
    assert metric(gateway, "tracked_faces") == 0
    (last,) = await watching.faces(scene(LEFT, tick=2))
    assert face.track_id == again.track_id == last.track_id == 1
    assert metric(gateway, "tracked_faces") == 1


async def test_another_version_in_midstream(repository: Path, backend: FindingBackend) -> None:
    async with moving.served(repository, backend) as (gateway, stub):
        watching = await camera(stub)
        first = await watching.show(scene(LEFT))
        publish_again(repository / "landmarks_t")
        await gateway.catalogue.refresh(backend)
        second = await watching.show(scene(LEFT, tick=1))
        versions = [answer.models.landmarks.version for answer in (first, second)]
        assert versions == [1, 2]
        assert [answer.result.faces[0].track_id for answer in (first, second)] == [1, 1]


def publish_again(folder: Path) -> None:
    """The same weights as version 2."""
    (folder / "1").rename(folder / "2")
    card = json.loads((folder / "card.json").read_text())
    (digest,) = card["files"].values()
    card |= {"version": 2, "files": {"2/model.onnx": digest}}
    (folder / "card.json").write_text(json.dumps(card))
