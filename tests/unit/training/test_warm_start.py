"""A training starts from what its file holds, and from nothing else."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training import checkpoint, export
from training.checkpoint import CheckpointError, build_model
from training.gate import GATE
from training.models.inputs import normalise_input
from training.served import published
from training.warm_start import initialise

MODELS = Path("model_repository")


def served(name: str) -> Path:
    return published(MODELS, name)[0]


def gate_images(task: str, count: int) -> torch.Tensor:
    with np.load(GATE / f"{task}.npz") as gate:
        return torch.from_numpy(gate["images"][:count, None])


def answers(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The first output, eval mode."""
    model.eval()
    with torch.no_grad():
        first: torch.Tensor = model(normalise_input(images))[0]
    return first


def test_a_checkpoint_gives_its_weights(tmp_path: Path) -> None:
    source = build_model("landmarks", "t")
    content = {"task": "landmarks", "variant": "t", "model": source.state_dict()}
    checkpoint.save(content, tmp_path / "last.pt")
    model = build_model("landmarks", "t")
    initialise(model, "landmarks", "t", tmp_path / "last.pt")
    for name, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[name]), name


def test_a_served_model_trains_on_where_it_was() -> None:
    path = served("landmarks_t")
    model = build_model("landmarks", "t")
    initialise(model, "landmarks", "t", path)
    images = gate_images("landmarks", 48)
    answered = ort.InferenceSession(path).run(["simcc_x"], {"image": images[:4].numpy()})[0]
    np.testing.assert_allclose(answers(model, images[:4]).numpy(), answered, atol=2e-3)
    # Its normalisations have the statistics of real pictures: a batch's own differ little.
    steady = answers(model, images)
    model.train()
    with torch.no_grad():
        of_the_batch = model(normalise_input(images))[0]
    assert (of_the_batch - steady).abs().mean() < 0.05 * steady.abs().mean()


def test_a_served_detector_trains_on_too() -> None:
    path = served("face_detector")
    model = build_model("detector", "nano")
    initialise(model, "detector", "nano", path)
    images = gate_images("detector", 4)
    scores = ort.InferenceSession(path).run(["scores"], {"image": images.numpy()})[0]
    model.eval()
    with torch.no_grad():
        logits, _ = model(normalise_input(images))
    best = torch.cat([level.flatten(1) for level in logits], 1).sigmoid().max(1).values
    np.testing.assert_allclose(best.numpy(), scores.max(axis=1), atol=1e-3)


def test_a_larger_network_starts_as_the_smaller_one(tmp_path: Path) -> None:
    small = export.seeded_landmarks("t")
    content = {"task": "landmarks", "variant": "t", "model": small.state_dict()}
    checkpoint.save(content, tmp_path / "t.pt")
    large = build_model("landmarks", "s")
    initialise(large, "landmarks", "s", tmp_path / "t.pt")
    images = gate_images("landmarks", 2)
    torch.testing.assert_close(answers(large, images), answers(small, images), atol=1e-3, rtol=1e-3)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    source = build_model("landmarks", "s")
    path = tmp_path / "s.pt"
    checkpoint.save({"task": "landmarks", "variant": "s", "model": source.state_dict()}, path)
    with pytest.raises(CheckpointError, match="this run trains"):
        initialise(build_model("landmarks", "t"), "landmarks", "t", path)
    with pytest.raises(CheckpointError, match="this run trains"):
        initialise(build_model("detector", "nano"), "detector", "nano", path)
    with pytest.raises(CheckpointError, match="size mismatch"):
        initialise(build_model("landmarks", "s", 128), "landmarks", "s", path)
    with pytest.raises(CheckpointError, match="no such"):
        initialise(source, "landmarks", "s", tmp_path / "none.onnx")
    detector = served("face_detector")
    with pytest.raises(CheckpointError, match="no landmarks network"):
        initialise(source, "landmarks", "s", detector)
