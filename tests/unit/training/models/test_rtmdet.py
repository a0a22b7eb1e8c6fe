import pytest
import torch

from tests.unit.training.models.reference import (
    TOLERANCE,
    digest,
    facts,
    formula_input,
    formula_weights,
    relative_error,
    shapes,
    tensors,
)
from training.models import rtmdet


def test_nano_gives_the_numbers_of_the_public_implementation() -> None:
    network = rtmdet.build("nano").eval()
    network.load_state_dict(formula_weights(network), strict=True)
    wanted = tensors("rtmdet_nano")
    with torch.no_grad():
        logits, distances = network(formula_input(320))
    for level in range(3):
        assert relative_error(logits[level], wanted[f"cls_{level}"]) < TOLERANCE
        assert relative_error(distances[level], wanted[f"reg_{level}"]) < TOLERANCE


def test_keys_shapes_and_parameter_count_are_the_public_ones() -> None:
    network = rtmdet.build("nano")
    assert shapes(network) == facts("rtmdet_nano.keys")
    assert digest(network) == facts("digests")["rtmdet_nano"]


def test_a_new_detector_scores_every_cell_at_the_prior() -> None:
    torch.manual_seed(0)
    network = rtmdet.build("nano").eval()
    with torch.no_grad():
        logits, _ = network(torch.randn(1, 3, 64, 64))
    scores = rtmdet.flatten_levels(logits).sigmoid()
    assert torch.allclose(scores, torch.tensor(rtmdet.CLASS_PRIOR), atol=1e-3)


def test_mixed_precision_keeps_distances_in_float32() -> None:
    torch.manual_seed(0)
    network = rtmdet.build("nano").train()
    with torch.autocast("cpu", torch.bfloat16):
        logits, distances = network(torch.randn(2, 3, 64, 64))
    assert all(level.dtype == torch.float32 for level in distances)
    losses = [level.float().square().mean() for level in (*logits, *distances)]
    torch.autograd.backward(torch.stack(losses).sum())
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_cells_and_flattened_levels_share_one_order() -> None:
    sizes = [(4, 8), (2, 4), (1, 2)]
    points = rtmdet.cell_points(sizes)
    assert points.shape == (42, 2)
    assert points[:3].tolist() == [[0, 0], [8, 0], [16, 0]]
    assert points[8].tolist() == [0, 8]
    assert points[-1].tolist() == [32, 0]
    levels = [
        torch.stack(
            (
                (torch.arange(width) * stride).expand(height, width),
                (torch.arange(height) * stride)[:, None].expand(height, width),
            )
        )[None]
        for (height, width), stride in zip(sizes, rtmdet.STRIDES, strict=True)
    ]
    assert torch.equal(rtmdet.flatten_levels(levels)[0].float(), points)


def test_boxes_from_distances() -> None:
    points = torch.tensor([[8.0, 16.0]])
    distances = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    assert rtmdet.to_boxes(points, distances).tolist() == [[[7.0, 14.0, 11.0, 20.0]]]


@pytest.mark.parametrize(("variant", "classes"), [("tiny", 1), ("nano", 0)])
def test_what_cannot_be_built(variant: str, classes: int) -> None:
    with pytest.raises(ValueError, match=r"unknown RTMDet variant|at least one class"):
        rtmdet.build(variant, classes)
