"""Faces from labels alone: RTMDet's two losses (arXiv 2212.07784)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.assignment import assign, points_inside
from training.config import MethodConfig
from training.data.sample import DetectorBatch
from training.losses import giou_loss, quality_focal_loss
from training.models.inputs import normalise_input
from training.models.rtmdet import STRIDES, cell_points, flatten_levels, to_boxes
from training.weighting import Method, Terms


def build(config: MethodConfig) -> Method:
    """Terms: `classification` (quality focal) and `box` (GIoU), both per unit of assigned IoU."""

    def method(batch: DetectorBatch, student: nn.Module, teacher: nn.Module | None) -> Terms:
        logits, distances = student(normalise_input(batch.images))
        return detection_terms(logits, distances, batch)

    return method


def detection_terms(
    logits: Sequence[Tensor], distances: Sequence[Tensor], batch: DetectorBatch
) -> Terms:
    """logits `[N, 1, h, w]` and distances `[N, 4, h, w]` (pixels), one of each a level."""
    device = batch.images.device
    sizes = [(level.shape[-2], level.shape[-1]) for level in logits]
    points = cell_points(sizes).to(device)
    counts = torch.tensor([height * width for height, width in sizes])
    strides = torch.tensor(STRIDES).float().repeat_interleave(counts).to(device)
    scores = flatten_levels(logits).squeeze(-1).float()
    predicted = to_boxes(points, flatten_levels(distances))

    matched = assign(scores, predicted, points, strides, batch.boxes, batch.valid)
    masked = (points_inside(points, batch.boxes) & batch.ignore.unsqueeze(-1)).any(1)
    counted = (matched.positive | ~masked).float()
    # RTMDet divides both by the summed quality, so early, poor matches do not shrink the loss.
    quality = matched.quality.sum().clamp(min=1.0)
    classification = quality_focal_loss(scores, matched.quality, counted) / quality

    image, place = matched.positive.nonzero(as_tuple=True)
    box_losses = giou_loss(predicted[image, place], batch.boxes[image, matched.box[image, place]])
    box = (box_losses * matched.quality[image, place]).sum() / quality
    return Terms(task={"classification": classification, "box": box})
