"""Landmarks from labels, with a second look at the head's landmark maps while training.

RTMCC flattens an 8 x 8 map a landmark into tokens, so the backbone learns where to look only
through two dense layers and the attention unit: from random weights that takes long. Here each
map's softmax over its cells is also drawn to the landmark's cell. The network stays the same.
"""

import torch
from torch import Tensor, nn

from training.config import MethodConfig
from training.data.sample import LandmarkBatch
from training.distill.supervised_landmarks import axis_loss
from training.losses import map_cross_entropy
from training.models.inputs import normalise_input
from training.models.rtmpose import RTMPose
from training.weighting import Method, Terms


def build(config: MethodConfig) -> Method:
    """Terms: `kl`, nats a point, mean over x and y; `map`, nats a point."""

    def method(batch: LandmarkBatch, student: nn.Module, teacher: nn.Module | None) -> Terms:
        height, width = batch.images.shape[-2:]
        maps, logits_x, logits_y = _forward(student, batch.images)
        loss_x = axis_loss(logits_x, batch.points[..., 0], width, batch.weight, config)
        loss_y = axis_loss(logits_y, batch.points[..., 1], height, batch.weight, config)
        places = torch.stack([batch.points[..., 0] / width, batch.points[..., 1] / height], -1)
        guide = map_cross_entropy(maps, places, batch.weight)
        return Terms(task={"kl": (loss_x + loss_y) / 2, "map": guide})

    return method


def _forward(student: nn.Module, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Landmark maps `[N, K, h, w]` and the two axes' logits; the head itself stays in float32."""
    if not isinstance(student, RTMPose):
        raise ValueError("guided_landmarks needs an RTMPose network")
    features = student.backbone(normalise_input(images))[-1]
    maps = student.head.final_layer(features).float()
    with torch.autocast(images.device.type, enabled=False):
        logits_x, logits_y = student.head.classify(maps)
    return maps, logits_x, logits_y
