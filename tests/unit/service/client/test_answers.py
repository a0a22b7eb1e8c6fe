from typing import Any

import numpy as np

from service.client.answers import events_of, failure_of, prediction_of
from service.entities import Reason, SensorEvent, Unit, Verdict
from service.imaging.drawing import encode_png
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from tests.unit.service.client.answers import answer, face, failed


def result(**changes: object) -> pb.ImageResult:
    points = [pb.Landmark(x=i, y=2 * i, score=0.5, sigma=1.5, vx=3.0, vy=-3.0) for i in range(68)]
    fields = {"box": pb.Box(x1=1, y1=2, x2=3, y2=4), "score": 0.5, "landmarks": points}
    one = pb.Face(**{**fields, **changes})  # type: ignore[arg-type]
    unit = pb.FRAME_UNIT_COUNTS
    return pb.ImageResult(
        width=8, height=9, unit=unit, normalisation="n", faces=[one], timings_ms={"decode": 1.5}
    )


def test_a_tracked_face() -> None:
    read = prediction_of(result(track_id=2), tracks_before=10)
    assert (read.width, read.height, read.unit) == (8, 9, Unit.COUNTS)
    assert read.timings_ms == {"decode": 1.5}
    (seen,) = read.faces
    assert (seen.track_id, seen.verdict, seen.temperatures, seen.crop) == (12, None, None, None)
    assert seen.box.score == 0.5 and seen.landmarks.dtype == np.float32
    assert seen.landmarks[3].tolist() == [3.0, 6.0, 0.5, 1.5]
    assert seen.velocities is not None and seen.velocities[67].tolist() == [3.0, -3.0]


def test_an_untracked_face() -> None:
    crop = np.arange(256, dtype=np.uint8).repeat(256).reshape(256, 256)
    extras = {
        "verdict": pb.VERDICT_UNCERTAIN,
        "reasons": [pb.REASON_TOO_SMALL],
        "temperatures": {"chin": 30.5},
        "crop": encode_png(crop),
    }
    (seen,) = prediction_of(result(**extras), tracks_before=10).faces
    assert (seen.track_id, seen.velocities) == (None, None)
    assert seen.verdict == Verdict((Reason.TOO_SMALL,)) and not seen.verdict.reliable
    assert seen.temperatures == {"chin": 30.5}
    assert seen.crop is not None and np.array_equal(seen.crop, crop)


def test_a_reliable_face() -> None:
    (seen,) = prediction_of(result(verdict=pb.VERDICT_RELIABLE)).faces
    assert seen.verdict is not None and seen.verdict.reliable


def test_events_that_a_newer_service_has_are_left_out() -> None:
    message = pb.FrameAnswer()
    message.sensor_events.append(pb.SENSOR_EVENT_POLARITY_FLIPPED)
    message.sensor_events.append(99)  # type: ignore[arg-type]
    assert events_of(message) == {SensorEvent.POLARITY_FLIPPED}


def test_reasons_that_a_newer_service_has_are_left_out() -> None:
    """A face that is uncertain for unknown reasons alone must not pass for a reliable one."""
    uncertain: dict[str, Any] = {"verdict": pb.VERDICT_UNCERTAIN}
    (some,) = prediction_of(result(**uncertain, reasons=[99, pb.REASON_CUT])).faces
    assert some.verdict == Verdict((Reason.CUT,))
    (none,) = prediction_of(result(**uncertain, reasons=[99])).faces
    assert none.verdict is None


def test_failures() -> None:
    read = failure_of(pb.Error(code="overloaded", detail="full", retry_after_s=2))
    assert (read.code, read.detail, read.retry_after_s) == ("overloaded", "full", 2)


def test_an_answer_with_and_without_faces() -> None:
    good, bad = answer(1, face(), captured=2.5), failed()
    assert (good.captured, len(good.faces), good.timings_ms) == (2.5, 1, {"detect": 6.25})
    assert (bad.faces, bad.timings_ms) == ((), {})
