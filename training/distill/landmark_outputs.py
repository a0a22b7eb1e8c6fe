"""What the landmark methods look at in an RTMPose network, and the labels in the same form."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.config import MethodConfig
from training.data.sample import LandmarkBatch
from training.distill.losses import Axes
from training.losses import map_cross_entropy, simcc_targets
from training.models.inputs import normalise_input
from training.models.rtmpose import RTMPose


@dataclass(frozen=True)
class LandmarkOutputs:
    """features: of the backbone's last stage, `[N, C, h, w]`; maps: one a landmark, float32
    `[N, K, h, w]`; logits: float32 `[N, K, bins]` of x and y."""

    features: Tensor
    maps: Tensor
    logits: Axes


def landmark_outputs(network: RTMPose, images: Tensor) -> LandmarkOutputs:
    """images: uint8 `[N, 1 or 3, H, W]`. The head behind its maps stays in float32."""
    features = network.backbone(normalise_input(images))[-1]
    maps = network.head.final_layer(features).float()
    with torch.autocast(images.device.type, enabled=False):
        logits = network.head.classify(maps)
    return LandmarkOutputs(features, maps, logits)


def label_targets(batch: LandmarkBatch, logits: Axes, config: MethodConfig) -> Axes:
    """The labels as distributions over the bins of x and y, shaped as `logits`."""
    height, width = batch.images.shape[-2:]
    bins_x, bins_y = (axis.shape[-1] for axis in logits)
    return (
        simcc_targets(
            batch.points[..., 0], bins_x, bins_x / width, config.sigma, config.label_beta
        ),
        simcc_targets(
            batch.points[..., 1], bins_y, bins_y / height, config.sigma, config.label_beta
        ),
    )


def guide_loss(maps: Tensor, batch: LandmarkBatch) -> Tensor:
    """Each landmark's map drawn to the landmark's cell; nats a point."""
    height, width = batch.images.shape[-2:]
    places = torch.stack([batch.points[..., 0] / width, batch.points[..., 1] / height], -1)
    return map_cross_entropy(maps, places, batch.weight)


def require_rtmpose(network: nn.Module | None, role: str) -> RTMPose:
    if not isinstance(network, RTMPose):
        raise ValueError(f"{role} must be an RTMPose network, got {type(network).__name__}")
    return network
