"""Answers as the service would give them, for tests of what is made of them."""

from typing import Any

import numpy as np

from service.client.answers import Answer, Failure
from service.client.frames import CameraFrame
from service.entities import Box, Face, Prediction, Reason, SensorEvent, Unit, Verdict
from tests.memory_sources import VALUES


def face(**changes: Any) -> Face:
    """A tracked one, in the middle of `VALUES`."""
    landmarks = np.zeros((68, 4), np.float32)
    landmarks[:, 0], landmarks[:, 1] = np.linspace(30, 90, 68), np.linspace(50, 110, 68)
    landmarks[:, 2], landmarks[:, 3] = 0.5, 1.25
    fields = {
        "box": Box(30, 50, 90, 110, 0.875),
        "landmarks": landmarks,
        "verdict": Verdict((Reason.CUT,)),
        "temperatures": {"forehead": 34.567},
        "track_id": 3,
        "velocities": np.full((68, 2), -1.5, np.float32),
    }
    return Face(**{**fields, **changes})


def answer(number: int = 7, *faces: Face, captured: float = 1.5, **changes: Any) -> Answer:
    height, width = VALUES.shape
    prediction = Prediction(width, height, Unit.CELSIUS, "linear-v1", faces, {"detect": 6.25})
    fields = {
        "frame_id": number,
        "frame": CameraFrame(VALUES, captured),
        "prediction": prediction,
        "error": None,
        "events": frozenset[SensorEvent](),
        "dropped": 2,
        "latency_s": 0.03125,
    }
    return Answer(**{**fields, **changes})


def failed(number: int = 8, **changes: Any) -> Answer:
    """A frame that could not be read."""
    error = Failure("broken_image", "cut off")
    return answer(number, prediction=None, error=error, **changes)
