"""From results and errors to messages."""

import numpy as np

from service.entities import Face
from service.entries import Model
from service.errors import ServiceError
from service.imaging.drawing import encode_png
from service.landmarks import FrameAnswer, Result
from service.outcomes import Outcome
from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.statuses import retry_after_s


def detect_response(outcomes: list[Outcome]) -> pb.DetectResponse:
    """One answer for each image."""
    result = next((outcome for outcome in outcomes if isinstance(outcome, Result)), None)
    return pb.DetectResponse(
        images=[
            pb.DetectedImage(error=error_message(outcome))
            if isinstance(outcome, ServiceError)
            else pb.DetectedImage(result=image_result(outcome))
            for outcome in outcomes
        ],
        models=models_used(result) if result else None,
    )


def frame_answer(answer: FrameAnswer) -> pb.StreamLandmarksResponse:
    """One frame's answer, with the sender's own number and time."""
    frame, outcome = answer.frame, answer.outcome
    message = pb.FrameAnswer(
        frame_id=frame.id,
        capture_time_ns=frame.capture_time_ns,
        dropped=answer.dropped,
        sensor_events=[
            pb.SensorEvent.Value(f"SENSOR_EVENT_{event.name}") for event in sorted(answer.events)
        ],
    )
    if isinstance(outcome, ServiceError):
        message.error.CopyFrom(error_message(outcome))
    else:
        message.result.CopyFrom(image_result(outcome))
        message.models.CopyFrom(models_used(outcome))
    return pb.StreamLandmarksResponse(answer=message)


def error_message(error: ServiceError) -> pb.Error:
    """An error that does not end its call."""
    return pb.Error(code=error.code, detail=str(error), retry_after_s=retry_after_s(error))


def image_result(result: Result) -> pb.ImageResult:
    prediction = result.prediction
    return pb.ImageResult(
        width=prediction.width,
        height=prediction.height,
        unit=pb.FrameUnit.Value(f"FRAME_UNIT_{prediction.unit.name}"),
        normalisation=prediction.normalisation,
        faces=[_face(face) for face in prediction.faces],
        timings_ms=prediction.timings_ms,
    )


def models_used(result: Result) -> pb.ModelsUsed:
    """Which models made a result. No detector where none looked: the boxes came with the request,
    or from the tracks."""
    detector = result.detector
    return pb.ModelsUsed(
        detector=_model_used(detector) if detector else None,
        landmarks=_model_used(result.landmarks),
    )


def _model_used(model: Model) -> pb.ModelUsed:
    card = model.card
    return pb.ModelUsed(
        name=card.name,
        variant=card.variant,
        precision=card.precision,
        version=card.version,
        device=model.device,
    )


def _face(face: Face) -> pb.Face:
    box, reasons = face.box, face.verdict.reasons if face.verdict else ()
    velocities = np.zeros((len(face.landmarks), 2)) if face.velocities is None else face.velocities
    return pb.Face(
        box=pb.Box(x1=box.x1, y1=box.y1, x2=box.x2, y2=box.y2),
        score=box.score,
        landmarks=[
            pb.Landmark(x=x, y=y, score=score, sigma=sigma, vx=vx, vy=vy)
            for x, y, score, sigma, vx, vy in np.hstack((face.landmarks, velocities)).tolist()
        ],
        verdict=_verdict(face),
        reasons=[pb.Reason.Value(f"REASON_{reason.name}") for reason in reasons],
        temperatures=face.temperatures or {},
        crop=encode_png(face.crop) if face.crop is not None else b"",
        track_id=face.track_id or 0,
    )


def _verdict(face: Face) -> pb.Verdict.ValueType:
    if face.verdict is None:
        return pb.VERDICT_UNSPECIFIED
    return pb.VERDICT_RELIABLE if face.verdict.reliable else pb.VERDICT_UNCERTAIN
