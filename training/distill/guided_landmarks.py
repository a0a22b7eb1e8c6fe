"""Landmarks from labels, with a second look at the head's landmark maps while training.

RTMCC flattens an 8 x 8 map a landmark into tokens, so the backbone learns where to look only
through two dense layers and the attention unit: from random weights that takes long. Here each
map's softmax over its cells is also drawn to the landmark's cell. The network stays the same.
"""

from torch import nn

from training.config import MethodConfig
from training.data.sample import LandmarkBatch
from training.distill.landmark_outputs import guide_loss, landmark_outputs, require_rtmpose
from training.distill.supervised_landmarks import axis_loss
from training.weighting import Method, Terms


def build(config: MethodConfig) -> Method:
    """Terms: `kl`, nats a point, mean over x and y; `map`, nats a point."""

    def method(batch: LandmarkBatch, student: nn.Module, teacher: nn.Module | None) -> Terms:
        height, width = batch.images.shape[-2:]
        outputs = landmark_outputs(require_rtmpose(student, "the student"), batch.images)
        logits_x, logits_y = outputs.logits
        loss_x = axis_loss(logits_x, batch.points[..., 0], width, batch.weight, config)
        loss_y = axis_loss(logits_y, batch.points[..., 1], height, batch.weight, config)
        return Terms(task={"kl": (loss_x + loss_y) / 2, "map": guide_loss(outputs.maps, batch)})

    return method
