"""Each loss against the formula written out in numpy."""

import numpy as np
import pytest
import torch

from service.vision.detection import pairwise_iou as iou_numpy
from training.assignment import TOP_K, assign, pairwise_iou, points_inside
from training.losses import giou_loss, quality_focal_loss, simcc_kl_loss, simcc_targets
from training.models.rtmdet import STRIDES, cell_points

RNG = np.random.default_rng(3)


def tensor(*shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(RNG.uniform(low, high, shape).astype(np.float32))


def boxes(*shape: int, size: float = 320.0) -> torch.Tensor:
    corners = np.sort(RNG.uniform(0, size, (*shape, 2, 2)), axis=-2)
    return torch.from_numpy(corners.reshape(*shape, 4).astype(np.float32))


def test_targets_are_gaussians_over_bins() -> None:
    targets = simcc_targets(torch.tensor([[100.25, 3.0]]), 512, 2.0, 6.0)
    steps = np.arange(512)
    for target, centre in zip(targets[0].numpy(), (200.5, 6.0), strict=True):
        gaussian = np.exp(-0.5 * ((steps - centre) / 6) ** 2)
        np.testing.assert_allclose(target, gaussian / gaussian.sum(), atol=1e-6)


def test_targets_with_label_beta_are_those_of_rtmpose() -> None:
    targets = simcc_targets(torch.tensor([[50.0]]), 512, 2.0, 5.66, label_beta=10.0)
    exponent = 10 * np.exp(-0.5 * ((np.arange(512) - 100) / 5.66) ** 2)
    np.testing.assert_allclose(
        targets[0, 0].numpy(), np.exp(exponent) / np.exp(exponent).sum(), rtol=1e-4
    )


def test_targets_of_no_width_are_one_hot() -> None:
    targets = simcc_targets(torch.tensor([[3.2, -9.0, 99.0]]), 16, 2.0, 0.0)
    assert targets[0].argmax(-1).tolist() == [6, 0, 15]
    assert (targets.sum(-1) == 1).all()


def test_targets_far_outside_stay_finite() -> None:
    assert torch.isfinite(simcc_targets(torch.tensor([[-4e4, 4e4]]), 512, 2.0, 6.0)).all()


def test_kl_agrees_with_numpy() -> None:
    logits, weight = tensor(2, 3, 40, low=-3, high=3), torch.tensor([[1.0, 0, 1], [1, 1, 0]])
    targets = simcc_targets(tensor(2, 3, high=20), 40, 2.0, 2.0)
    probability = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(-1, keepdims=True)
    t = targets.numpy()
    terms = np.where(t > 0, t * np.log(np.maximum(t, 1e-38) / probability), 0).sum(-1)
    expected = (terms * weight.numpy()).sum() / weight.sum()
    assert simcc_kl_loss(logits, targets, weight).item() == pytest.approx(expected.item(), rel=1e-5)


def test_kl_is_zero_at_the_target() -> None:
    targets = simcc_targets(torch.tensor([[10.0]]), 64, 2.0, 6.0)
    assert simcc_kl_loss(targets.log(), targets, torch.ones(1, 1)).item() == pytest.approx(
        0, abs=1e-5
    )


def test_masked_points_give_no_gradient_whatever_they_hold() -> None:
    logits = tensor(1, 2, 16).requires_grad_()
    targets = torch.full((1, 2, 16), 1 / 16)
    targets[0, 1] = float("nan")
    simcc_kl_loss(logits, targets, torch.tensor([[1.0, 0.0]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].abs().sum() > 0
    assert (logits.grad[0, 1] == 0).all()


def test_all_masked_is_zero() -> None:
    loss = simcc_kl_loss(tensor(1, 2, 8), tensor(1, 2, 8), torch.zeros(1, 2))
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("targets", "weight"), [((2, 3, 1), (2, 3)), ((1, 3, 8), (2, 3)), ((2, 3, 8), (2, 1))]
)
def test_shapes_are_not_broadcast(targets: tuple[int, ...], weight: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected shape"):
        simcc_kl_loss(tensor(2, 3, 8), tensor(*targets), tensor(*weight))


def test_quality_focal_loss_agrees_with_numpy() -> None:
    logits, quality = tensor(2, 9, low=-4, high=4), tensor(2, 9)
    weight = (tensor(2, 9) > 0.3).float()
    sigmoid = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
    q = quality.numpy()
    entropy = -(q * np.log(sigmoid) + (1 - q) * np.log(1 - sigmoid))
    expected = (np.abs(q - sigmoid) ** 2 * entropy * weight.numpy()).sum()
    loss = quality_focal_loss(logits, quality, weight)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_giou_agrees_with_numpy() -> None:
    a, b = boxes(20), boxes(20)
    for mine, p, t in zip(giou_loss(a, b).tolist(), a.tolist(), b.tolist(), strict=True):
        shared = max(min(p[2], t[2]) - max(p[0], t[0]), 0) * max(
            min(p[3], t[3]) - max(p[1], t[1]), 0
        )
        union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - shared
        hull = (max(p[2], t[2]) - min(p[0], t[0])) * (max(p[3], t[3]) - min(p[1], t[1]))
        assert mine == pytest.approx(1 - shared / union + (hull - union) / hull, abs=1e-4)


def test_giou_of_the_same_and_of_far_boxes() -> None:
    box = torch.tensor([[10.0, 10, 30, 30]])
    assert giou_loss(box, box).item() == pytest.approx(0, abs=1e-5)
    assert giou_loss(box, box + 1000).item() > 1.9


def test_pairwise_iou_agrees_with_numpy() -> None:
    predicted, faces = boxes(2, 30), boxes(2, 4)
    got = pairwise_iou(predicted, faces).numpy()
    for image in range(2):
        expected = iou_numpy(faces[image].numpy(), predicted[image].numpy())
        np.testing.assert_allclose(got[image], expected, atol=1e-5)


def test_iou_of_a_crossed_over_prediction_is_zero() -> None:
    crossed = torch.tensor([[[50.0, 10, 20, 40]]])
    assert pairwise_iou(crossed, torch.tensor([[[10.0, 10, 60, 60]]])).item() == 0


def grid() -> tuple[torch.Tensor, torch.Tensor]:
    sizes = [(320 // stride, 320 // stride) for stride in STRIDES]
    strides = [torch.full((height * width,), float(s)) for s, (height, width) in zip(
        STRIDES, sizes, strict=True)]  # fmt: skip
    return cell_points(sizes), torch.cat(strides)


def assign_one(
    logits: np.ndarray, predicted: np.ndarray, points: np.ndarray, strides: np.ndarray,
    faces: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The assignment of one image, written as plain loops: index of the face, -1 = none."""
    inside = np.stack([((points > f[:2]) & (points < f[2:])).all(1) for f in faces])
    candidate = inside.any(0)
    iou = iou_numpy(faces, predicted) * candidate
    sigmoid = 1 / (1 + np.exp(-logits.astype(np.float64)))
    cost = np.full(iou.shape, np.inf)
    for m, face in enumerate(faces):
        entropy = -(iou[m] * np.log(sigmoid) + (1 - iou[m]) * np.log(1 - sigmoid))
        centre = (face[:2] + face[2:]) / 2
        away = np.linalg.norm(points - centre, axis=1) / strides
        total = entropy * (iou[m] - sigmoid) ** 2 - 3 * np.log(iou[m] + 1e-7)
        total = total + 10 ** np.minimum(away - 3, 6.0)
        cost[m, candidate] = total[candidate]
    wanted = np.zeros(iou.shape, bool)
    for m in range(len(faces)):
        takes = max(int(np.sort(iou[m])[-TOP_K:].sum()), 1)
        order = np.argsort(cost[m], kind="stable")[:takes]
        wanted[m, order[np.isfinite(cost[m, order])]] = True
    best = np.where(wanted, cost, np.inf).argmin(0)
    return np.where(wanted.any(0), best, -1)


def test_assignment_agrees_with_loops() -> None:
    points, strides = grid()
    count = len(points)
    faces, valid = torch.zeros(3, 5, 4), torch.zeros(3, 5, dtype=torch.bool)
    # Rows of padding and of ignored boxes lie between the valid ones.
    faces[0, 1], faces[0, 3] = (
        torch.tensor([40.0, 40, 120, 140]),
        torch.tensor([90.0, 60, 200, 150]),
    )
    faces[1, 0], faces[1, 4] = torch.tensor([10.0, 200, 34, 230]), torch.tensor([0.0, 0, 319, 319])
    valid[0, [1, 3]], valid[1, [0, 4]] = True, True
    predicted = torch.cat(
        [points - tensor(3, count, 2, high=60), points + tensor(3, count, 2, high=60)], -1
    )
    logits = tensor(3, count, low=-4, high=1)
    result = assign(logits, predicted, points, strides, faces, valid)
    for image in range(2):
        rows = valid[image].nonzero().squeeze(1).numpy()
        expected = assign_one(
            logits[image].numpy(), predicted[image].numpy(), points.numpy(), strides.numpy(),
            faces[image][rows].numpy(),
        )  # fmt: skip
        named = np.where(expected < 0, -1, rows[expected])
        got = np.where(result.positive[image].numpy(), result.box[image].numpy(), -1)
        np.testing.assert_array_equal(got, named)
    assert not result.positive[2].any()
    assert (result.quality[~result.positive] == 0).all()


def test_assignment_of_a_batch_without_faces() -> None:
    points, strides = grid()
    predicted = torch.zeros(1, len(points), 4)
    none = torch.zeros(1, 5, dtype=torch.bool)
    result = assign(
        torch.zeros(1, len(points)), predicted, points, strides, torch.zeros(1, 5, 4), none
    )
    assert not result.positive.any()


def test_points_inside_are_strictly_inside() -> None:
    points = torch.tensor([[0.0, 0.0], [8.0, 8.0], [16.0, 8.0]])
    inside = points_inside(points, torch.tensor([[[0.0, 0.0, 16.0, 16.0]]]))
    assert inside.tolist() == [[[False, True, False]]]
