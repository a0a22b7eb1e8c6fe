import torch

from training.config import MethodConfig
from training.data.sample import DetectorBatch
from training.distill import METHODS
from training.distill.supervised_detector import detection_terms
from training.models.rtmdet import STRIDES


def frame(faces: list[list[float]], ignored: list[bool]) -> DetectorBatch:
    ignore = torch.tensor([ignored])
    return DetectorBatch(
        torch.zeros(1, 1, 320, 320, dtype=torch.uint8), torch.tensor([faces]), ~ignore, ignore
    )


def outputs(score: float = -2.0) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    sizes = [320 // stride for stride in STRIDES]
    logits = [torch.full((1, 1, size, size), score, requires_grad=True) for size in sizes]
    distances = [torch.full((1, 4, size, size), 40.0, requires_grad=True) for size in sizes]
    return logits, distances


def gradient(level: torch.Tensor) -> torch.Tensor:
    assert level.grad is not None
    return level.grad


def test_points_in_an_ignored_box_are_not_background() -> None:
    logits, distances = outputs()
    batch = frame([[20.0, 20, 100, 100], [200.0, 200, 280, 280]], [False, True])
    terms = detection_terms(logits, distances, batch).task
    (terms["classification"] + terms["box"]).backward()
    fine = gradient(logits[0])[0, 0]
    assert (fine[26:35, 26:35] == 0).all()  # 208 to 272 pixels
    assert fine[0, 39] != 0
    assert gradient(distances[0]).abs().sum() > 0


def test_a_frame_without_faces_teaches_background_alone() -> None:
    logits, distances = outputs()
    terms = detection_terms(logits, distances, frame([[0.0, 0, 0, 0]], [True])).task
    assert terms["classification"] > 0
    assert terms["box"] == 0
    (terms["classification"] + terms["box"]).backward()
    assert all((gradient(level) > 0).all() for level in logits)


def test_every_method_is_built_by_its_settings_alone() -> None:
    for name, build in METHODS.items():
        assert callable(build(MethodConfig(name=name)))
