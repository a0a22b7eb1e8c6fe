import numpy as np
import pytest
import torch

from training.config import MethodConfig
from training.data.sample import LandmarkBatch
from training.distill import guided_landmarks, supervised_landmarks
from training.losses import map_cross_entropy
from training.models import rtmpose


def batch(count: int = 2) -> LandmarkBatch:
    generator = torch.Generator().manual_seed(0)
    return LandmarkBatch(
        images=torch.randint(0, 255, (count, 1, 256, 256), dtype=torch.uint8, generator=generator),
        points=torch.rand((count, 68, 2), generator=generator) * 255,
        weight=torch.ones(count, 68),
    )


def test_cross_entropy_agrees_with_numpy() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(1, 1, 2, 4)).astype(np.float32)
    # x = 0.5 of four cells lies between cells 1 and 2, y = 0.25 of two on the centre of cell 0.
    target = np.zeros((2, 4))
    target[0, 1] = target[0, 2] = 0.5
    log_softmax = maps[0, 0] - np.log(np.exp(maps[0, 0]).sum())
    value = map_cross_entropy(
        torch.from_numpy(maps), torch.tensor([[[0.5, 0.25]]]), torch.ones(1, 1)
    )
    assert float(value) == pytest.approx(-(target * log_softmax).sum(), rel=1e-5)


def test_masked_points_give_no_gradient_and_shapes_must_match() -> None:
    maps = torch.zeros(1, 2, 8, 8, requires_grad=True)
    weight = torch.tensor([[1.0, 0.0]])
    places = torch.tensor([[[0.1, 0.2], [float("nan"), 0.5]]])
    map_cross_entropy(maps, places, weight).backward()
    assert maps.grad is not None
    assert maps.grad[0, 0].abs().sum() > 0
    assert float(map_cross_entropy(maps.detach(), places, torch.zeros(1, 2))) == 0.0
    with pytest.raises(ValueError, match="places"):
        map_cross_entropy(maps, places[:, :1], weight)


def test_the_first_term_is_the_supervised_one() -> None:
    torch.manual_seed(0)
    student = rtmpose.build("t").eval()
    config = MethodConfig(name="guided_landmarks")
    with torch.no_grad():
        guided = guided_landmarks.build(config)(batch(), student, None)
        plain = supervised_landmarks.build(config)(batch(), student, None)
    assert float(guided.task["kl"]) == pytest.approx(float(plain.task["kl"]), rel=1e-5)
    assert set(guided.task) == {"kl", "map"}


def test_another_network_is_refused() -> None:
    method = guided_landmarks.build(MethodConfig(name="guided_landmarks"))
    with pytest.raises(ValueError, match="RTMPose"):
        method(batch(1), torch.nn.Identity(), None)
