"""Losses as pure functions: float32 in, one scalar out, no state.

Shapes must match exactly: a mismatch is an error, never a broadcast.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def require_shape(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {tuple(value.shape)}")


def simcc_targets(
    coordinates: Tensor, bins: int, split_ratio: float, sigma: float, label_beta: float = 0.0
) -> Tensor:
    """Gaussian-smoothed classification targets of one axis (SimCC, arXiv 2107.03332).

    coordinates: float `[N, K]`, pixels of the crop along the axis.
    bins: how many; bin b lies at pixel b / split_ratio.
    sigma: of the Gaussian, in bins; 0 puts all on the nearest bin (one-hot).
    label_beta: > 0 gives softmax(label_beta * peak-one Gaussian), the targets of RTMPose
        (arXiv 2303.07399, there 10); 0 the Gaussian itself.
    Returns float32 `[N, K, bins]`, each row a distribution, also where the Gaussian is cut off.
    """
    steps = torch.arange(bins, dtype=torch.float32, device=coordinates.device)
    centre = (coordinates.float() * split_ratio).unsqueeze(-1)
    if sigma == 0:
        return (steps == centre.round().clamp(0, bins - 1)).float()
    offset = (steps - centre) / sigma
    log_gaussian = -0.5 * offset.square()
    if label_beta > 0:
        return (label_beta * log_gaussian.exp()).softmax(-1)
    # The softmax of the exponent is the normalised Gaussian, and safe far outside the crop.
    return log_gaussian.softmax(-1)


def simcc_kl_loss(logits: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the predicted bins from the targets, mean over points.

    logits, targets: float `[N, K, bins]`; the prediction is the plain softmax of the logits, so
        that what is served as probability is what was trained.
    weight: float `[N, K]`; points of weight 0 give neither loss nor gradient.
    Returns a float32 scalar in nats; 0 when every weight is 0.
    """
    require_shape("targets", targets, tuple(logits.shape))
    require_shape("weight", weight, tuple(logits.shape[:-1]))
    # Masked targets become zero here: a product at the end would let a broken value's nan through.
    targets = torch.where(weight.unsqueeze(-1) > 0, targets, torch.zeros_like(targets))
    log_predicted = logits.float().log_softmax(-1)
    divergence = (torch.xlogy(targets, targets) - targets * log_predicted).sum(-1)
    return (divergence * weight).sum() / weight.sum().clamp(min=1.0)


def map_cross_entropy(maps: Tensor, places: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy of each map's softmax over its cells from the landmark's place, point mean.

    maps: float `[N, K, h, w]`, unnormalised. places: float `[N, K, 2]`, x and y as parts of the
        input's width and height, 0 to 1; a place between four cell centres is shared by them.
    weight: float `[N, K]`; points of weight 0 give neither loss nor gradient.
    Returns a float32 scalar in nats; 0 when every weight is 0.
    """
    require_shape("places", places, (*maps.shape[:2], 2))
    require_shape("weight", weight, tuple(maps.shape[:2]))
    height, width = maps.shape[2:]
    share_x = _cell_shares(places[..., 0], width)
    share_y = _cell_shares(places[..., 1], height)
    target = (share_y.unsqueeze(-1) * share_x.unsqueeze(-2)).flatten(2)
    entropy = -(target * maps.float().flatten(2).log_softmax(-1)).sum(-1)
    kept = torch.where(weight > 0, entropy * weight, torch.zeros_like(entropy))
    return kept.sum() / weight.sum().clamp(min=1.0)


def _cell_shares(place: Tensor, cells: int) -> Tensor:
    """place `[N, K]`, 0 to 1, to linear weights `[N, K, cells]` of the two nearest cell centres."""
    centre = (place * cells - 0.5).clamp(0, cells - 1)
    steps = torch.arange(cells, dtype=torch.float32, device=place.device)
    return (1 - (steps - centre.unsqueeze(-1)).abs()).clamp(min=0)


def quality_focal_loss(
    logits: Tensor, quality: Tensor, weight: Tensor, beta: float = 2.0
) -> Tensor:
    """Focal loss towards a soft label (Generalized Focal Loss, arXiv 2006.04388, eq. 5).

    logits: float `[N, P]`. quality: float `[N, P]`, 0 (background) to 1 (a perfect box).
    weight: float `[N, P]`; 0 = the point gives no loss. Returns the sum, float32.
    """
    require_shape("quality", quality, tuple(logits.shape))
    require_shape("weight", weight, tuple(logits.shape))
    logits = logits.float()
    distance = (quality - logits.sigmoid()).abs().pow(beta)
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (distance * entropy * weight).sum()


def giou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - generalised IoU (arXiv 1902.09630), each from 0 to 2.

    predicted, target: float `[..., 4]` as x1, y1, x2, y2, x1 <= x2 and y1 <= y2.
    Returns float32 `[...]`.
    """
    require_shape("target", target, tuple(predicted.shape))
    predicted, target = predicted.float(), target.float()
    overlap = _extent(
        torch.maximum(predicted[..., :2], target[..., :2]),
        torch.minimum(predicted[..., 2:], target[..., 2:]),
    )
    union = (
        _extent(predicted[..., :2], predicted[..., 2:])
        + _extent(target[..., :2], target[..., 2:])
        - overlap
    ).clamp(min=1e-6)
    hull = _extent(
        torch.minimum(predicted[..., :2], target[..., :2]),
        torch.maximum(predicted[..., 2:], target[..., 2:]),
    ).clamp(min=1e-6)
    return 1 - overlap / union + (hull - union) / hull


def _extent(low: Tensor, high: Tensor) -> Tensor:
    """Area between corners `[..., 2]`, 0 where they cross over."""
    size = (high - low).clamp(min=0)
    return size[..., 0] * size[..., 1]
