"""Landmarks from Python: `ThermalClient` and `AsyncThermalClient`, to the service's gRPC door.

Needs grpcio, protobuf, numpy and OpenCV alone: no web framework, no inference engine.
"""

from service.client.aio import AsyncThermalClient
from service.client.answers import Answer, Failure
from service.client.blocking import ThermalClient
from service.client.errors import (
    ClientError,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ServiceFailed,
    Unauthorised,
    Unavailable,
    Unsupported,
)
from service.client.frames import (
    CameraFrame,
    FrameForm,
    PixelFormat,
    PixelUnit,
    Source,
    SourceError,
)
from service.client.retry import Retry

__all__ = [
    "Answer",
    "AsyncThermalClient",
    "CameraFrame",
    "ClientError",
    "DeadlineExceeded",
    "Failure",
    "FrameForm",
    "InvalidRequest",
    "Overloaded",
    "PixelFormat",
    "PixelUnit",
    "Retry",
    "ServiceFailed",
    "Source",
    "SourceError",
    "ThermalClient",
    "Unauthorised",
    "Unavailable",
    "Unsupported",
]
