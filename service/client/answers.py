"""What the service answers."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from service.client.frames import CameraFrame
from service.entities import Box, ByteArray, Face, Prediction, Reason, SensorEvent, Unit, Verdict
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb


@dataclass(frozen=True)
class Failure:
    """Why one image or frame has no prediction. `code` is stable, the same as in REST's problems.

    retry_after_s: seconds to wait before another try; 0: no advice.
    """

    code: str
    detail: str
    retry_after_s: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """One frame's answer: a prediction or an error.

    frame_id: the frame's number in its source, from 0 on; dropped ones count.
    frame: what was sent.
    events: what the sensor does instead of showing the scene.
    dropped: frames lost since the last answer, here, on the way or in the service.
    latency_s: seconds from the moment the source gave the frame to its answer.
    """

    frame_id: int
    frame: CameraFrame
    prediction: Prediction | None
    error: Failure | None
    events: frozenset[SensorEvent]
    dropped: int
    latency_s: float

    @property
    def captured(self) -> float:
        """Seconds, by the source's clock."""
        return self.frame.captured

    @property
    def faces(self) -> tuple[Face, ...]:
        """None with an error. Each has landmarks float32 `[68, 4]`: x, y (pixels of the frame),
        score (0-1), sigma (pixels); tracked ones `track_id` and velocities float32 `[68, 2]`
        (pixels a second)."""
        return self.prediction.faces if self.prediction else ()

    @property
    def timings_ms(self) -> Mapping[str, float]:
        """Milliseconds by stage in the service. None with an error."""
        return self.prediction.timings_ms if self.prediction else {}


def prediction_of(result: pb.ImageResult, tracks_before: int = 0) -> Prediction:
    """tracks_before: added to every track id, so that those of a new connection are new."""
    return Prediction(
        width=result.width,
        height=result.height,
        unit=Unit(_name(pb.FrameUnit, "FRAME_UNIT_", result.unit)),
        normalisation=result.normalisation,
        faces=tuple(_face(face, tracks_before) for face in result.faces),
        timings_ms=dict(result.timings_ms),
    )


def failure_of(error: pb.Error) -> Failure:
    return Failure(error.code, error.detail, error.retry_after_s)


def events_of(answer: pb.FrameAnswer) -> frozenset[SensorEvent]:
    """Those that this client knows; a newer service may have more."""
    names = (_name(pb.SensorEvent, "SENSOR_EVENT_", event) for event in answer.sensor_events)
    return frozenset(SensorEvent(name) for name in names if name in set(SensorEvent))


def _face(face: pb.Face, tracks_before: int) -> Face:
    points = face.landmarks
    box, tracked = face.box, face.track_id > 0
    velocities = np.array([(point.vx, point.vy) for point in points], np.float32)
    return Face(
        box=Box(box.x1, box.y1, box.x2, box.y2, face.score),
        landmarks=np.array([(at.x, at.y, at.score, at.sigma) for at in points], np.float32),
        verdict=_verdict(face),
        temperatures=dict(face.temperatures) or None,
        crop=_crop(face.crop) if face.crop else None,
        track_id=tracks_before + face.track_id if tracked else None,
        velocities=velocities if tracked else None,
    )


def _verdict(face: pb.Face) -> Verdict | None:
    """With the reasons that this client knows; None where it knows none of a newer service's, since
    without a reason the face would pass for reliable."""
    names = (_name(pb.Reason, "REASON_", reason) for reason in face.reasons)
    reasons = tuple(Reason(name) for name in names if name in set(Reason))
    if face.verdict == pb.VERDICT_RELIABLE or reasons:
        return Verdict(reasons)
    return None


def _crop(data: bytes) -> ByteArray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    return np.asarray(picture, np.uint8)


def _name(enum: type, prefix: str, number: int) -> str:
    """`REASON_TOO_SMALL` as `too_small`; the number itself where this client has no name for it."""
    value = enum.DESCRIPTOR.values_by_number.get(number)  # type: ignore[attr-defined]
    return value.name.removeprefix(prefix).lower() if value else str(number)
