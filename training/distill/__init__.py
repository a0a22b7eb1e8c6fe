"""What a run minimises: one file a method, chosen by name in the run's config.

A method is built from its settings, then called as `method(batch, student, teacher) -> Terms`.
"""

from collections.abc import Callable
from typing import Final

from training.config import MethodConfig
from training.distill import guided_landmarks, supervised_detector, supervised_landmarks
from training.weighting import Method

METHODS: Final[dict[str, Callable[[MethodConfig], Method]]] = {
    "guided_landmarks": guided_landmarks.build,
    "supervised_landmarks": supervised_landmarks.build,
    "supervised_detector": supervised_detector.build,
}
