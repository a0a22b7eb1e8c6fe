from dataclasses import replace

import numpy as np
import pytest

from service.admission import Deadline
from service.card import parse_card
from service.entities import Box, Face, Prediction, Reason, SensorEvent, Unit, Verdict
from service.entries import Model
from service.errors import BrokenImage, Overloaded
from service.landmarks import FrameAnswer, Result
from service.networks import landmark_network
from service.rpc.answers import detect_response, error_message, frame_answer
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.stream import Frame
from tests.fakes import LANDMARKS

CARD = """{"name": "landmarks_t", "task": "landmarks", "variant": "t", "precision": "fp32",
 "schema": "ibug68", "input_size": [256, 256], "version": 3, "files": {"3/model.onnx": "%s"}}"""


def model() -> Model:
    metadata = replace(LANDMARKS, device="gpu")
    return Model(parse_card(CARD % ("0" * 64)), metadata, landmark_network(metadata))


def result(*faces: Face, unit: Unit = Unit.CELSIUS) -> Result:
    prediction = Prediction(20, 10, unit, "linear-v1", faces, {"decode": 1.5})
    return Result(prediction, None, model())


def face(verdict: Verdict | None) -> Face:
    landmarks = np.arange(272, dtype=np.float32).reshape(68, 4)
    return Face(Box(1, 2, 3, 4, 0.5), landmarks, verdict)


@pytest.mark.parametrize("unit", Unit)
def test_every_unit(unit: Unit) -> None:
    image = detect_response([result(unit=unit)]).images[0].result
    assert pb.FrameUnit.Name(image.unit) == f"FRAME_UNIT_{unit.name}"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, pb.VERDICT_UNSPECIFIED),
        (Verdict(), pb.VERDICT_RELIABLE),
        (Verdict(tuple(Reason)), pb.VERDICT_UNCERTAIN),
    ],
)
def test_verdicts_and_every_reason(verdict: Verdict | None, expected: int) -> None:
    answered = detect_response([result(face(verdict))]).images[0].result.faces[0]
    assert answered.verdict == expected
    names = [pb.Reason.Name(reason) for reason in answered.reasons]
    assert names == [f"REASON_{reason.name}" for reason in (verdict.reasons if verdict else ())]
    assert len(answered.landmarks) == 68
    last = answered.landmarks[67]
    assert (last.x, last.y, last.score, last.sigma) == (268, 269, 270, 271)


def test_tracked_faces() -> None:
    velocities = np.arange(136, dtype=np.float32).reshape(68, 2)
    tracked = replace(face(None), track_id=7, velocities=velocities)
    plain, answered = detect_response([result(face(None), tracked)]).images[0].result.faces
    assert (plain.track_id, plain.landmarks[67].vx, plain.landmarks[67].vy) == (0, 0, 0)
    last = answered.landmarks[67]
    assert (answered.track_id, last.vx, last.vy) == (7, 134, 135)
    assert (last.x, last.sigma) == (268, 271)


@pytest.mark.parametrize("event", SensorEvent)
def test_every_event(event: SensorEvent) -> None:
    frame = Frame(3, 9, b"", Deadline(1), 0.0)
    answer = frame_answer(FrameAnswer(frame, result(), 2, frozenset([event]))).answer
    assert [pb.SensorEvent.Name(one) for one in answer.sensor_events] == [
        f"SENSOR_EVENT_{event.name}"
    ]
    assert (answer.frame_id, answer.capture_time_ns, answer.dropped) == (3, 9, 2)
    assert not frame_answer(FrameAnswer(frame, result(), 0)).answer.sensor_events


def test_models_are_of_what_succeeded() -> None:
    failed = BrokenImage("it is damaged")
    response = detect_response([failed, result()])
    assert response.models.landmarks == pb.ModelUsed(
        name="landmarks_t", variant="t", precision="fp32", version=3, device="gpu"
    )
    assert not response.models.HasField("detector")
    assert not detect_response([failed, failed]).HasField("models")


def test_errors() -> None:
    assert error_message(BrokenImage("torn")) == pb.Error(code="broken_image", detail="torn")
    assert error_message(Overloaded("full", retry_after_s=7)).retry_after_s == 7
    assert error_message(Overloaded("full")).retry_after_s == 1
