"""MLCM-KD: a thermal student learns from labels and from a frozen teacher.

Knowledge transfer (`ktl`, Equation 8): the teacher sees the colour partner of each thermal crop.
Model compression (`mcl`, Equation 9): a larger thermal teacher sees the student's own crops.

Terms, each computed only where `[weights]` names it with a weight that is not 0:

    keypoints           Eq. 3   the student's bins against the labels
    map                 -       our guide of the landmark maps (see `guided_landmarks`)
    feature             Eq. 1   the student's last stage, through f, against the teacher's
    logits              Eq. 2   the student's bins against the teacher's
    forward_injection   Eq. 5   teacher's features, student's head: against the teacher's bins
    reverse_injection   Eq. 4   student's features, teacher's head: against the student's bins

The equations 4 and 5 name the two crossed outputs the other way round from the paper's text; here
the text decides. It also wants "teacher-like" outputs of the reverse injection, where Equation 4
aims at the student's own: `reverse_target` chooses.

Between networks of different widths go 1x1 convolutions, f from student to teacher channels (used
by `feature` and `reverse_injection`) and another one back (`forward_injection`). At equal widths
there is none: the features themselves must agree. They are trained with the student, and are no
part of it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

import torch
from torch import Tensor, nn

from training.config import ConfigError, MethodConfig
from training.data.sample import LandmarkBatch
from training.distill.landmark_outputs import (
    LandmarkOutputs,
    guide_loss,
    label_targets,
    landmark_outputs,
    require_rtmpose,
)
from training.distill.losses import feature_loss, keypoint_loss, soft_cross_entropy
from training.models.rtmpose import RTMPose
from training.weighting import Terms

TASK_TERMS: Final = ("keypoints", "map")
DISTILL_TERMS: Final = ("feature", "logits", "forward_injection", "reverse_injection")


class Distillation(nn.Module):
    """Called as a method; as a module it holds the adapters, and neither of the two networks.

    pictures: the field of the batch that the teacher sees. terms: what to compute.
    teacher: None where no term needs one. Raises ConfigError for unknown terms, a teacher that is
    missing, or one whose features or bins differ from the student's in size.
    """

    def __init__(
        self,
        config: MethodConfig,
        weights: Mapping[str, float],
        student: nn.Module,
        teacher: nn.Module | None,
        *,
        pictures: str,
    ) -> None:
        super().__init__()
        self.config, self.pictures = config, pictures
        self.terms = {name for name, weight in weights.items() if weight}
        if unknown := sorted(set(weights) - {*TASK_TERMS, *DISTILL_TERMS}):
            known = [*TASK_TERMS, *DISTILL_TERMS]
            raise ConfigError(f"weights.{unknown[0]}: {config.name} has the terms {known}")
        self.to_teacher: nn.Module = nn.Identity()  # f
        self.to_student: nn.Module = nn.Identity()
        if not self.terms & set(DISTILL_TERMS):
            return
        if teacher is None:
            needing = sorted(self.terms & set(DISTILL_TERMS))
            raise ConfigError(f"teacher.checkpoint: missing; {needing} of [weights] need a teacher")
        mine, other = _widths(student, teacher)
        if mine != other and self.terms & {"feature", "reverse_injection"}:
            self.to_teacher = nn.Conv2d(mine, other, 1)
        if mine != other and "forward_injection" in self.terms:
            self.to_student = nn.Conv2d(other, mine, 1)

    def forward(self, batch: LandmarkBatch, student: nn.Module, teacher: nn.Module | None) -> Terms:
        student = require_rtmpose(student, "the student")
        seen = landmark_outputs(student, batch.images)
        task: dict[str, Tensor] = {}
        if "keypoints" in self.terms:
            targets = label_targets(batch, seen.logits, self.config)
            task["keypoints"] = keypoint_loss(seen.logits, targets, batch.weight)
        if "map" in self.terms:
            task["map"] = guide_loss(seen.maps, batch)
        if not self.terms & set(DISTILL_TERMS):
            return Terms(task)
        teacher = require_rtmpose(teacher, "the teacher")
        return Terms(task, self._distill(batch, seen, student, teacher))

    def _distill(
        self, batch: LandmarkBatch, seen: LandmarkOutputs, student: RTMPose, teacher: RTMPose
    ) -> dict[str, Tensor]:
        with torch.no_grad():
            told = landmark_outputs(teacher, self._pictures(batch))
        terms: dict[str, Tensor] = {}
        if self.terms & {"feature", "reverse_injection"}:
            adapted = self.to_teacher(seen.features)
        if "feature" in self.terms:
            terms["feature"] = feature_loss(adapted, told.features)
        if "logits" in self.terms:
            terms["logits"] = soft_cross_entropy(seen.logits, told.logits)
        if "forward_injection" in self.terms:
            crossed = student.head(self.to_student(told.features))
            terms["forward_injection"] = soft_cross_entropy(crossed, told.logits)
        if "reverse_injection" in self.terms:
            # With gradients: through the frozen head they reach the student's features.
            crossed = teacher.head(adapted)
            target = seen if self.config.reverse_target == "student" else told
            terms["reverse_injection"] = soft_cross_entropy(crossed, target.logits)
        return terms

    def _pictures(self, batch: LandmarkBatch) -> Tensor:
        pictures: Tensor | None = getattr(batch, self.pictures)
        if pictures is None:
            raise ValueError(f"{self.config.name}: the batch has no {self.pictures}")
        return pictures


def _widths(student: nn.Module, teacher: nn.Module) -> tuple[int, int]:
    """Channels of the two last stages, once both are seen to answer in the same bins."""
    mine, other = require_rtmpose(student, "the student"), require_rtmpose(teacher, "the teacher")
    for name in ("mlp.1", "cls_x", "cls_y"):  # dense layers: cells of a map, and bins
        shapes = [network.head.get_submodule(name).weight.shape for network in (mine, other)]
        if shapes[0] != shapes[1]:
            raise ConfigError("teacher.checkpoint: made for another input size than the student")
    if mine.head.final_layer.out_channels != other.head.final_layer.out_channels:
        raise ConfigError("teacher.checkpoint: has another number of landmarks than the student")
    return mine.backbone.channels[-1], other.backbone.channels[-1]


knowledge_transfer = partial(Distillation, pictures="rgb")
model_compression = partial(Distillation, pictures="images")
