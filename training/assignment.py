"""Which detector points learn which box: dynamic soft label assignment (RTMDet, arXiv 2212.07784).

All images of a batch at once: on a CPU a Python loop over images would cost as much as the network.
N images, P points over all levels, M boxes an image (padded).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

CENTRE_RADIUS = 3.0  # strides; beyond it the centre cost rises tenfold a stride
REGRESSION_WEIGHT = 3.0  # lambda of the log-IoU cost
TOP_K = 13  # most points a box can take
_NEVER = 1e8  # cost of a pair that must not match


@dataclass(frozen=True)
class Assignment:
    """box: int64 `[N, P]`, index of the point's box, 0 where `positive` is False.
    positive: bool `[N, P]`. quality: float32 `[N, P]`, IoU of the point's predicted box with its
    assigned one, 0 elsewhere."""

    box: Tensor
    positive: Tensor
    quality: Tensor


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """boxes `[N, P, 4]`, others `[N, M, 4]` to their IoU, `[N, M, P]`, 0 to 1."""
    a, b = boxes.unsqueeze(1), others.unsqueeze(2)
    width = torch.minimum(a[..., 2], b[..., 2]) - torch.maximum(a[..., 0], b[..., 0])
    height = torch.minimum(a[..., 3], b[..., 3]) - torch.maximum(a[..., 1], b[..., 1])
    overlap = width.clamp_(min=0) * height.clamp_(min=0)
    area_a = (a[..., 2] - a[..., 0]) * (a[..., 3] - a[..., 1])
    area_b = (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return overlap / (area_a + area_b - overlap).clamp_(min=1e-6)


def points_inside(points: Tensor, boxes: Tensor) -> Tensor:
    """points `[P, 2]`, boxes `[N, M, 4]` to bool `[N, M, P]`: strictly inside."""
    x, y = points[:, 0], points[:, 1]
    x1, y1, x2, y2 = boxes.unsqueeze(-1).unbind(2)
    return (x > x1) & (x < x2) & (y > y1) & (y < y2)


@torch.no_grad()
def assign(
    logits: Tensor, predicted: Tensor, points: Tensor, strides: Tensor, boxes: Tensor, valid: Tensor
) -> Assignment:
    """Choose for each box the points that cost least.

    logits: float `[N, P]`, of one class. predicted: float `[N, P, 4]`, decoded boxes in pixels.
    points: float `[P, 2]`, x and y in pixels. strides: float `[P]`, of each point's level.
    boxes: float `[N, M, 4]` in pixels. valid: bool `[N, M]`: True = a face to find.

    The cost is soft classification + log-IoU + soft centre prior. Only points inside some valid
    box of their image take part. A box takes as many points as its `TOP_K` best IoUs add up to,
    at least one; a point that two boxes want goes to the cheaper one.
    """
    used = max(int(valid.sum(1).max()), 1)  # most images hold few of the M boxes there is room for
    order = valid.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :used]
    boxes = boxes.gather(1, order.unsqueeze(-1).expand(-1, -1, 4))
    valid = valid.gather(1, order)

    candidate = (points_inside(points, boxes) & valid.unsqueeze(-1)).any(1)  # [N, P]
    allowed = valid.unsqueeze(-1) & candidate.unsqueeze(1)  # [N, M, P]
    iou = pairwise_iou(predicted, boxes) * allowed
    cost = _cost(logits, iou, points, strides, boxes).masked_fill_(~allowed, _NEVER)

    top = min(TOP_K, points.shape[0])
    takes = iou.topk(top, -1).values.sum(-1).int().clamp(min=1)  # [N, M]
    least, place = cost.topk(top, -1, largest=False)
    rank = torch.arange(top, device=cost.device)
    taken = (rank < takes.unsqueeze(-1)) & (least < _NEVER)
    wanted = torch.zeros_like(allowed).scatter_(-1, place, taken)
    best = cost.masked_fill_(~wanted, _NEVER).argmin(1)  # [N, P]
    positive = wanted.any(1)
    quality = iou.gather(1, best.unsqueeze(1)).squeeze(1) * positive
    return Assignment(order.gather(1, best) * positive, positive, quality)


def _cost(logits: Tensor, iou: Tensor, points: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """Costs `[N, M, P]` of pairing each box with each point."""
    score = logits.unsqueeze(1).expand_as(iou)
    classification = F.binary_cross_entropy_with_logits(score, iou, reduction="none")
    classification *= (iou - score.sigmoid()).square_()
    regression = -REGRESSION_WEIGHT * (iou + 1e-7).log()
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    away = torch.cdist(centres, points.expand(len(boxes), -1, -1)) / strides
    # The bound keeps far pairs, whose power of ten would overflow, below the forbidden cost.
    return classification + regression + torch.pow(10.0, (away - CENTRE_RADIUS).clamp(max=6.0))
