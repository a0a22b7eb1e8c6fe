"""Exporting: the contracts of the served models, and that nothing unlike torch is ever written."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from service.vision.simcc import decode_simcc
from training import checkpoint, export
from training.agreement import (
    Disagreement,
    Outputs,
    compare_boxes,
    compare_landmarks,
    example_images,
    require_agreement,
)
from training.models import rtmpose
from training.models.expected_error import ExpectedError
from training.models.graphs import LandmarkGraph
from training.tracing import IR_VERSION, OPSET, trace

WEIGHTS = {"bias": -5, "detector": 2, "error": -1.6, "size": -1.5, "error_by_size": -0.6}
CALIBRATION: dict[str, Any] = {
    "sigma": {"deviations": [1.0, 20.0, 200.0], "errors": [0.5, 7.0, 90.0]},
    "verdict": {"max_error": 0.08, "fine_error": 0.1, "small_size": 14.0},
    "face_score": WEIGHTS,
    "figures": {"sigma": {"protocol": "a test", "calibration_error_px": 0.1}},
}


@pytest.fixture(scope="module")
def landmarks_t(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RTMPose-t with seeded weights, through the command line, from a checkpoint."""
    folder = tmp_path_factory.mktemp("landmarks")
    weights = export.seeded_landmarks("t").state_dict()
    checkpoint = {"task": "landmarks", "variant": "t", "model": weights}
    torch.save({**checkpoint, "calibration": CALIBRATION}, folder / "last.pt")
    path = folder / "published" / "model.onnx"
    export.main(["--checkpoint", str(folder / "last.pt"), "--out", str(path)])
    return path


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("detector") / "model.onnx"
    export.export_detector(export.seeded_detector(), path)
    return path


def signature(path: Path) -> dict[str, tuple[str, list[int | str]]]:
    engine = ort.InferenceSession(path)
    specs = (*engine.get_inputs(), *engine.get_outputs())
    return {spec.name: (spec.type, list(spec.shape)) for spec in specs}


def test_landmarks_keep_their_contract(landmarks_t: Path) -> None:
    assert signature(landmarks_t) == {
        "image": ("tensor(uint8)", ["batch", 1, 256, 256]),
        "keypoints": ("tensor(float)", ["batch", 68, 4]),
        "simcc_x": ("tensor(float)", ["batch", 68, 512]),
        "simcc_y": ("tensor(float)", ["batch", 68, 512]),
    }


def test_the_detector_keeps_its_contract(detector: Path) -> None:
    assert signature(detector) == {
        "image": ("tensor(uint8)", ["batch", 1, 320, 320]),
        "boxes": ("tensor(float)", ["batch", 100, 4]),
        "scores": ("tensor(float)", ["batch", 100]),
    }


def test_a_batch_answers_as_its_images_do_alone(landmarks_t: Path) -> None:
    engine = ort.InferenceSession(landmarks_t)
    images = example_images(256, seed=7)
    (together,) = engine.run(["keypoints"], {"image": images})
    for index in range(len(images)):
        (alone,) = engine.run(["keypoints"], {"image": images[index : index + 1]})
        np.testing.assert_allclose(together[index, :, :2], alone[0, :, :2], rtol=0, atol=1e-4)


def test_sigma_is_the_expected_error_of_the_checkpoint(landmarks_t: Path) -> None:
    engine = ort.InferenceSession(landmarks_t)
    keypoints, simcc_x, simcc_y = engine.run(None, {"image": example_images(256)})
    own = decode_simcc(simcc_x, simcc_y)
    curve = ExpectedError.of(CALIBRATION["sigma"])
    wanted = curve(torch.from_numpy(own)).numpy()[..., 3]
    np.testing.assert_allclose(keypoints[..., 3], wanted, rtol=1e-3)
    assert not np.allclose(keypoints[..., 3], own[..., 3], rtol=0.1)
    told = {entry.key: json.loads(entry.value) for entry in onnx.load(landmarks_t).metadata_props}
    assert told == {
        "calibration": {k: CALIBRATION[k] for k in ("verdict", "face_score", "figures")}
    }


def test_seeded_landmarks_depend_on_the_image(landmarks_t: Path) -> None:
    (keypoints,) = ort.InferenceSession(landmarks_t).run(
        ["keypoints"], {"image": example_images(256)}
    )
    for index in range(1, len(keypoints)):
        assert np.abs(keypoints[index, :, :2] - keypoints[0, :, :2]).mean() > 10


def test_the_normalisation_stays_before_the_first_convolution(landmarks_t: Path) -> None:
    nodes = onnx.load(landmarks_t).graph.node
    assert [node.op_type for node in nodes[:5]] == ["Cast", "Sub", "Div", "Expand", "Conv"]
    assert [node.name.split("/")[0] for node in nodes[:5]] == ["normalise"] * 4 + ["backbone"]


def test_nodes_are_named_by_their_place_and_nothing_tells_of_the_machine(landmarks_t: Path) -> None:
    model = onnx.load(landmarks_t)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    rooms = {name.split("/")[0] for name in names}
    assert rooms == {"normalise", "backbone", "head", "decode"}
    assert model.ir_version <= IR_VERSION
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    content = landmarks_t.read_bytes()
    assert not re.search(rb"\.py\b|stack_trace|" + re.escape(str(Path.cwd()).encode()), content)


def test_other_numbers_are_refused(landmarks_t: Path) -> None:
    network = export.seeded_landmarks("t")
    network.state_dict()["backbone.stem.0.conv.weight"][0] += 0.01
    graph, images = LandmarkGraph(network).eval(), example_images(256)
    with pytest.raises(Disagreement, match="batches of 1: simcc_x: off by up to"):
        require_agreement(onnx.load(landmarks_t), graph, images, compare_landmarks)


def test_a_refused_model_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Disagreement("keypoints: off by up to 1")

    monkeypatch.setattr(export, "require_agreement", refuse)
    monkeypatch.setattr(export, "trace", lambda *_: onnx.ModelProto())
    with pytest.raises(Disagreement):
        export.export_landmarks(rtmpose.build("t"), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def simcc(*peaks: int) -> Outputs:
    logits = np.zeros((1, 1, 64), np.float32)
    logits[..., list(peaks)] = 9.0
    return {"simcc_x": logits, "simcc_y": logits.copy()}


def keypoints_of(outputs: Outputs) -> Outputs:
    return {"keypoints": decode_simcc(outputs["simcc_x"], outputs["simcc_y"]), **outputs}


def test_a_tie_between_two_far_bins_may_go_either_way() -> None:
    expected, got = simcc(5, 40), simcc(5, 40)
    got["simcc_x"][..., 40] += 1e-5
    compare_landmarks(keypoints_of(expected), keypoints_of(got))


def test_keypoints_must_be_those_of_the_logits() -> None:
    expected, got = keypoints_of(simcc(5)), keypoints_of(simcc(5))
    got["keypoints"] = got["keypoints"] + np.array([0.0, 2e-4, 0.0, 0.0], np.float32)
    with pytest.raises(Disagreement, match="own logits, x and y: off by up to 0.0002"):
        compare_landmarks(expected, got)


def test_boxes_may_swap_places_where_scores_tie_and_nowhere_else() -> None:
    boxes = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    expected = {"boxes": boxes, "scores": np.array([[0.9, 0.5, 0.5]], np.float32)}
    tied = {"boxes": boxes[:, [0, 2]], "scores": expected["scores"][:, :2]}
    compare_boxes(expected, tied)
    swapped = {"boxes": boxes[:, [1, 0]], "scores": expected["scores"][:, :2]}
    with pytest.raises(Disagreement, match="boxes: rank 0 is"):
        compare_boxes(expected, swapped)


def test_a_network_for_colours_is_not_served(tmp_path: Path) -> None:
    content = {"task": "landmarks", "variant": "t", "config": {"data": {"modality": "rgb"}}}
    path = tmp_path / "last.pt"
    checkpoint.save({**content, "model": rtmpose.build("t").state_dict()}, path)
    with pytest.raises(SystemExit, match="trained on colours"):
        export.main(["--checkpoint", str(path), "--out", str(tmp_path / "model.onnx")])
    assert not (tmp_path / "model.onnx").exists()


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a landmark network: RTMDet"):
        export.export_landmarks(export.seeded_detector(), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="not a detector: RTMPose"):
        export.export_detector(rtmpose.build("t"), tmp_path / "model.onnx")
    network = export.seeded_detector()
    network.state_dict()["bbox_head.rtm_cls.0.bias"].fill_(float("nan"))
    with pytest.raises(ValueError, match=r"not finite: .*rtm_cls\.0\.bias"):
        export.export_detector(network, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="at least two images"):
        trace(network, torch.zeros(1, 3, 64, 64), "image", ["boxes"], "detector")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("variant", ["s", "m", "l", "x"])
def test_the_larger_variants_agree_as_well(variant: str, tmp_path: Path) -> None:
    export.export_landmarks(export.seeded_landmarks(variant), tmp_path / "model.onnx")
