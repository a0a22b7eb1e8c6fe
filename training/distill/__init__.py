"""What a run minimises: one file a method, chosen by name in the run's config.

A method is built from its settings, then called as `method(batch, student, teacher) -> Terms`. One
that is a torch module has weights of its own: they are trained with the student's.
"""

from collections.abc import Callable
from typing import Final

from torch import nn

from training.config import ConfigError, MethodConfig, RunConfig
from training.distill import guided_landmarks, mlcm_kd, supervised_detector, supervised_landmarks
from training.weighting import Method

# From labels alone.
METHODS: Final[dict[str, Callable[[MethodConfig], Method]]] = {
    "guided_landmarks": guided_landmarks.build,
    "supervised_landmarks": supervised_landmarks.build,
    "supervised_detector": supervised_detector.build,
}
# From labels and a teacher: (settings, weights by term, student, teacher or None) -> method.
DISTILLATION: Final[dict[str, Callable[..., mlcm_kd.Distillation]]] = {
    "ktl": mlcm_kd.knowledge_transfer,
    "mcl": mlcm_kd.model_compression,
}


def build_method(config: RunConfig, student: nn.Module, teacher: nn.Module | None) -> Method:
    """The method that `config` names. ConfigError: there is none, or the teacher is not fit."""
    name = config.method.name
    if name in DISTILLATION:
        return DISTILLATION[name](config.method, config.weights, student, teacher)
    if name not in METHODS:
        known = sorted({*METHODS, *DISTILLATION})
        raise ConfigError(f"method.name: {name!r} is not one of {known}")
    if teacher is not None:
        raise ConfigError(f"teacher.checkpoint: {name} learns from labels alone")
    return METHODS[name](config.method)
