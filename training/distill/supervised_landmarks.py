"""Landmarks from labels alone: the SimCC divergence of both axes."""

from torch import Tensor, nn

from training.config import MethodConfig
from training.data.sample import LandmarkBatch
from training.losses import simcc_kl_loss, simcc_targets
from training.models.inputs import normalise_input
from training.weighting import Method, Terms


def build(config: MethodConfig) -> Method:
    """Terms: `kl`, nats a point, mean over x and y."""

    def method(batch: LandmarkBatch, student: nn.Module, teacher: nn.Module | None) -> Terms:
        height, width = batch.images.shape[-2:]
        logits_x, logits_y = student(normalise_input(batch.images))
        loss_x = axis_loss(logits_x, batch.points[..., 0], width, batch.weight, config)
        loss_y = axis_loss(logits_y, batch.points[..., 1], height, batch.weight, config)
        return Terms(task={"kl": (loss_x + loss_y) / 2})

    return method


def axis_loss(
    logits: Tensor, coordinates: Tensor, pixels: int, weight: Tensor, config: MethodConfig
) -> Tensor:
    """logits `[N, K, bins]` over an axis of `pixels`; coordinates, weight `[N, K]`."""
    bins = logits.shape[-1]
    targets = simcc_targets(coordinates, bins, bins / pixels, config.sigma, config.label_beta)
    return simcc_kl_loss(logits, targets, weight)
