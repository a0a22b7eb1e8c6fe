from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from training import import_checkpoint
from training.agreement import example_images
from training.export import seeded_landmarks
from training.import_checkpoint import (
    UnfitCheckpoint,
    load_rtmdet,
    load_rtmpose,
    read_weights,
)
from training.models import rtmdet, rtmpose


class Surprise:
    """What a file could hold besides tensors."""


def published(weights: dict[str, torch.Tensor]) -> dict[str, Any]:
    """As MMEngine saves it: the averaged weights, the others beside them, and `meta`."""
    meta = {"epoch": 120, "dataset_meta": {"sigmas": np.full(68, 0.025), "scale": np.float64(1)}}
    return {"state_dict": weights, "ema_state_dict": {"steps": torch.zeros(1)}, "meta": meta}


def save(content: object, folder: Path) -> Path:
    torch.save(content, folder / "public.pth")
    return folder / "public.pth"


def test_a_public_rtmpose_becomes_a_public_export(tmp_path: Path) -> None:
    network = seeded_landmarks("t")
    path = save(published(network.state_dict()), tmp_path)
    out = tmp_path / "landmarks_t" / "1" / "model.onnx"
    import_checkpoint.main([str(path), "--variant", "t", "--out", str(out)])
    engine = ort.InferenceSession(out)
    specs = {s.name: (s.type, s.shape) for s in (*engine.get_inputs(), *engine.get_outputs())}
    assert specs == {
        "input": ("tensor(float)", ["batch", 3, 256, 256]),
        "simcc_x": ("tensor(float)", ["batch", 68, 512]),
        "simcc_y": ("tensor(float)", ["batch", 68, 512]),
    }
    images = np.repeat(example_images(256, seed=3)[:2].astype(np.float32) / 64 - 2, 3, axis=1)
    got = engine.run(["simcc_x", "simcc_y"], {"input": images})
    with torch.no_grad():
        wanted = network(torch.from_numpy(images))
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-4 * float(b.abs().max()))


def test_wrappers_and_foreign_buffers_are_set_aside(tmp_path: Path) -> None:
    own = rtmdet.build().state_dict()
    wrapped = {f"module.{key}": value for key, value in own.items()}
    wrapped["ema_backbone_stem_0_conv_weight"] = torch.zeros(1)
    wrapped["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
    weights = read_weights(save(wrapped, tmp_path))
    assert weights.keys() == own.keys()
    for key, value in load_rtmdet(weights).state_dict().items():
        assert torch.equal(value, own[key])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {}, "hook": Surprise()}, "holds more than tensors and plain values"),
        ({"state_dict": {}}, "holds no state dict"),
        ({"state_dict": {"a": 1}}, "holds no state dict"),
        ([1, 2], "holds no state dict"),
        ({"state_dict": 7}, "holds no state dict"),
    ],
)
def test_files_that_hold_no_weights(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(UnfitCheckpoint, match=message):
        read_weights(save(content, tmp_path))


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(UnfitCheckpoint, match="missing.pth cannot be read"):
        read_weights(tmp_path / "missing.pth")
    for number, content in enumerate((b"", b"not a checkpoint", b"PK\x03\x04 broken")):
        path = tmp_path / f"{number}.pth"
        path.write_bytes(content)
        with pytest.raises(UnfitCheckpoint, match=f"{number}.pth"):
            read_weights(path)


def test_other_networks_are_named() -> None:
    face_106 = rtmpose.build("t", keypoints=106).state_dict()
    with pytest.raises(UnfitCheckpoint, match="has 106 keypoints; 68 are served"):
        load_rtmpose(face_106, "t")
    portrait = rtmpose.build("t", input_size=(192, 256)).state_dict()
    with pytest.raises(UnfitCheckpoint, match="trained on 192 x 256 input"):
        load_rtmpose(portrait, "t")
    with pytest.raises(UnfitCheckpoint, match="has 80 classes"):
        load_rtmdet(rtmdet.build(classes=80).state_dict())


def test_what_differs_is_listed() -> None:
    weights = rtmpose.build("t").state_dict()
    with pytest.raises(
        UnfitCheckpoint, match=r"weights of RTMPose-s: .* missing .*of another shape"
    ):
        load_rtmpose(weights, "s")
    del weights["head.gau.gamma"]
    weights["extra.weight"] = torch.zeros(1)
    weights["head.gau.beta"] = torch.zeros(3)
    with pytest.raises(UnfitCheckpoint) as caught:
        load_rtmpose(weights, "t")
    assert str(caught.value) == (
        "these are not the weights of RTMPose-t: 1 missing (head.gau.gamma), "
        "1 unknown (extra.weight), 1 of another shape (head.gau.beta [3], not [2, 128])"
    )


def test_the_command_line_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save({"state_dict": {"a": torch.zeros(1)}}, tmp_path)
    out = tmp_path / "model.onnx"
    with pytest.raises(SystemExit) as caught:
        import_checkpoint.main([str(path), "--variant", "nano", "--out", str(out)])
    assert caught.value.code == 1
    assert "these are not the weights of RTMDet-nano" in capsys.readouterr().err
    assert not out.exists()
