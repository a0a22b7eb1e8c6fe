"""The equations of MLCM-KD written out in numpy, loop by loop; gradients by finite differences."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.distill.losses import feature_loss, keypoint_loss, soft_cross_entropy
from training.losses import simcc_targets

N, K, BINS = 3, 2, (8, 6)  # of x and y
Array = NDArray[np.float64]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def axes(seed: int) -> tuple[Tensor, Tensor]:
    return normal(N, K, BINS[0], seed=seed) * 2, normal(N, K, BINS[1], seed=seed + 1) * 2


def softmax(row: Array) -> Array:
    power = np.exp(row - row.max())
    return np.asarray(power / power.sum())


def difference(loss: Callable[[Tensor], Tensor], at: Tensor, index: tuple[int, ...]) -> float:
    step = torch.zeros_like(at)
    step[index] = 1e-2
    return float(loss(at + step) - loss(at - step)) / 2e-2


def check_gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> None:
    at = at.clone().requires_grad_()
    loss(at).backward()
    assert at.grad is not None
    for index in (tuple(0 for _ in at.shape), tuple(size - 1 for size in at.shape)):
        expected = difference(loss, at.detach(), index)
        assert float(at.grad[index]) == pytest.approx(expected, rel=2e-2, abs=1e-4)


def test_equation_1() -> None:
    student, teacher = normal(2, 3, 2, 4), normal(2, 3, 2, 4, seed=1)
    total = 0.0
    for mine, other in zip(student.numpy(), teacher.numpy(), strict=True):
        pair = 0.0
        for c in range(3):
            for h in range(2):
                for w in range(4):
                    pair += float(other[c, h, w] - mine[c, h, w]) ** 2
        total += pair / (3 * 2 * 4)
    assert float(feature_loss(student, teacher)) == pytest.approx(total / 2, rel=1e-5)
    check_gradient(lambda value: feature_loss(value, teacher), student)


def test_equation_2() -> None:
    logits, targets = axes(0), axes(4)
    expected = 0.0
    for predicted, target in zip(logits, targets, strict=True):
        for n in range(N):
            for k in range(K):
                p = softmax(target[n, k].double().numpy())
                q = softmax(predicted[n, k].double().numpy())
                expected -= sum(p[i] * np.log(q[i]) for i in range(len(p))) / N
    assert float(soft_cross_entropy(logits, targets)) == pytest.approx(expected, rel=1e-5)
    check_gradient(lambda value: soft_cross_entropy((value, logits[1]), targets), logits[0])


@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_equation_3(sigma: float) -> None:
    logits = axes(0)
    points = torch.rand(N, K, 2, generator=torch.Generator().manual_seed(0)) * 3
    targets = [simcc_targets(points[..., a], BINS[a], 2.0, sigma) for a in (0, 1)]
    weight = torch.tensor([[1.0, 0.0], [0.5, 1.0], [1.0, 1.0]])
    expected = 0.0
    for predicted, target in zip(logits, targets, strict=True):
        bins = predicted.shape[-1]
        for n in range(N):
            for k in range(K):
                q = softmax(predicted[n, k].double().numpy())
                p = target[n, k].double().numpy()
                entropy = sum(p[i] * np.log(q[i]) / bins for i in range(bins))
                expected -= float(weight[n, k]) * entropy
    both = (targets[0], targets[1])
    assert float(keypoint_loss(logits, both, weight)) == pytest.approx(expected, rel=1e-5)
    check_gradient(lambda value: keypoint_loss((value, logits[1]), both, weight), logits[0])


def test_a_masked_point_gives_nothing_whatever_its_label() -> None:
    logits = tuple(axis.requires_grad_() for axis in axes(0))
    targets = [torch.full((N, K, bins), 1.0 / bins) for bins in BINS]
    for target in targets:
        target[0, 0] = float("nan")
    weight = torch.ones(N, K)
    weight[0, 0] = 0
    loss = keypoint_loss((logits[0], logits[1]), (targets[0], targets[1]), weight)
    loss.backward()
    assert torch.isfinite(loss)
    for axis in logits:
        assert axis.grad is not None
        assert (axis.grad[0, 0] == 0).all()
        assert (axis.grad[1:] != 0).any()


def test_teachers_and_targets_get_no_gradient() -> None:
    mine, other = normal(1, 2, 2, 2).requires_grad_(), normal(1, 2, 2, 2).requires_grad_()
    feature_loss(mine, other).backward()
    assert other.grad is None
    logits, targets = (tuple(a.requires_grad_() for a in axes(seed)) for seed in (0, 4))
    soft_cross_entropy((logits[0], logits[1]), (targets[0], targets[1])).backward()
    assert all(target.grad is None for target in targets)


def test_bfloat16_is_summed_in_float32() -> None:
    logits, targets = axes(0), axes(4)
    low = tuple(axis.bfloat16() for axis in logits)
    value = soft_cross_entropy((low[0], low[1]), targets)
    assert value.dtype == torch.float32
    assert feature_loss(low[0], low[0]).dtype == torch.float32


def test_shapes_must_match() -> None:
    logits = axes(0)
    with pytest.raises(ValueError, match="targets"):
        soft_cross_entropy(logits, (logits[1], logits[0]))
    with pytest.raises(ValueError, match="teacher"):
        feature_loss(normal(1, 2, 2, 2), normal(1, 1, 2, 2))
    with pytest.raises(ValueError, match="weight"):
        keypoint_loss(logits, logits, torch.ones(N, 1))
