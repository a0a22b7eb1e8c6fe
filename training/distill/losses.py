"""The losses of MLCM-KD, as its equations write them: float32 in, one scalar out, no state.

MLCM-KD is "Lightweight Facial Landmark Detection in Thermal Images via Multi-Level Cross-Modal
Knowledge Transfer". Its cross entropies are sums over points and bins: of a batch the mean in
Equations 2, 4 and 5, the sum in Equation 3. "Logits" in its equations are probabilities, the
softmax of what the networks give. SimCC has two axes; every loss here adds x and y.
"""

import torch
from torch import Tensor

from training.losses import require_shape

Axes = tuple[Tensor, Tensor]  # of x and of y: float `[N, K, bins]` each


def feature_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Equation 1: mean squared difference of two feature maps, over C, H, W and the batch.

    student: float `[N, C, H, W]`, already through the adapter f. teacher: the same shape.
    The teacher's map gets no gradient. Returns a float32 scalar.
    """
    require_shape("teacher", teacher, tuple(student.shape))
    return (teacher.detach().float() - student.float()).square().mean()


def soft_cross_entropy(logits: Axes, targets: Axes) -> Tensor:
    """Equations 2, 4 and 5: cross entropy of predicted bins from another network's, N-mean.

    logits, targets: unnormalised float `[N, K, bins]` of x and y. The targets get no gradient:
      otherwise they would be drawn to where the prediction is, and to being sharp.
    Every point counts, as in the equations: where labels are missing the teacher still answers.
    Returns a float32 scalar in nats, summed over the K points and both axes.
    """
    total = logits[0].new_zeros((), dtype=torch.float32)
    for predicted, target in zip(logits, targets, strict=True):
        require_shape("targets", target, tuple(predicted.shape))
        probabilities = target.detach().float().softmax(-1)
        entropy = -(probabilities * predicted.float().log_softmax(-1)).sum((1, 2))
        total = total + entropy.mean()
    return total


def keypoint_loss(logits: Axes, targets: Axes, weight: Tensor) -> Tensor:
    """Equation 3: cross entropy of predicted bins from labels, divided by the bins, sum over all.

    logits: unnormalised float `[N, K, bins]` of x and y. targets: the labels' distributions of the
      same shapes (`training.losses.simcc_targets`; with sigma 0 one-hot, as in the paper).
    weight: float `[N, K]`, the visibility W; points of weight 0 give neither loss nor gradient.
    There is no mean over the batch: the loss grows with N. Returns a float32 scalar.
    """
    total = logits[0].new_zeros((), dtype=torch.float32)
    for predicted, target in zip(logits, targets, strict=True):
        require_shape("targets", target, tuple(predicted.shape))
        require_shape("weight", weight, tuple(predicted.shape[:-1]))
        # Masked before the product, which would let a broken label's nan through.
        seen = torch.where(weight.unsqueeze(-1) > 0, target, torch.zeros_like(target))
        entropy = -(seen * predicted.float().log_softmax(-1)).mean(-1)
        total = total + (entropy * weight).sum()
    return total
