import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from service.card import ModelCard, file_sha256, parse_card
from service.model_config import read_model_config
from service.vision.verdict import VerdictLimits
from tests.onnx_models import FACE_BOX, detector_model
from tests.published_landmarks import write_landmarks
from training import publish as publishing
from training import repository as repository_module
from training.publish import Refused, publish, rollback
from training.repository import KEEP, RepositoryError, versions

POINTS = np.random.default_rng(0).uniform(60, 200, (68, 2)).astype(np.float32)
NAME = "landmarks_t"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    folder = tmp_path / "gate"
    folder.mkdir()
    np.savez(
        folder / "landmarks.npz",
        images=np.zeros((3, 256, 256), np.uint8),
        points=np.stack([POINTS] * 3),
        weight=np.ones((3, 68), np.float32),
    )
    np.savez(
        folder / "detector.npz",
        images=np.zeros((2, 320, 320), np.uint8),
        boxes=np.array([[FACE_BOX, (0, 0, 0, 0)]] * 2, np.float32),
        valid=np.array([[True, False]] * 2),
        ignore=np.zeros((2, 2), bool),
    )
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "models"


def network(folder: Path, off: float = 0.0) -> Path:
    """A network whose every landmark is `off` pixels to the right."""
    return write_landmarks(folder / f"off_{off}.onnx", POINTS + np.array([off, 0], np.float32))


def served(repository: Path, name: str = NAME) -> ModelCard:
    """The card, once it, the configuration and the weights are seen to agree."""
    folder = repository / name
    card, config = parse_card((folder / "card.json").read_text()), read_model_config(folder)
    assert card.version == config.version
    assert card.files == {config.weights: file_sha256(folder / config.weights)}
    return card


def test_versions_count_up(tmp_path: Path, repository: Path, gate: Path) -> None:
    note = {"config": {"name": "run"}, "metrics": {"validation": {"nme_box_mean": 0.1}}}
    publish(network(tmp_path, 1.0), NAME, repository, note, gate)
    first = served(repository)
    assert (first.version, first.variant, first.precision) == (1, "t", "fp32")
    assert (first.schema, first.input_size) == ("ibug68", (256, 256))
    assert first.training == {"config": {"name": "run"}}
    assert first.metrics["validation"] == {"nme_box_mean": 0.1}
    size = np.sqrt(np.prod(np.ptp(POINTS, axis=0)))
    assert first.metrics["gate"]["error"] == pytest.approx(1 / size, abs=1e-5)
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 2
    assert sorted(child.name for child in repository.iterdir()) == [NAME]


def test_a_worse_network_is_refused(tmp_path: Path, repository: Path, gate: Path) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    with pytest.raises(Refused, match="worse is allowed"):
        publish(network(tmp_path, 2.0), NAME, repository, gate=gate)
    assert served(repository).version == 1
    publish(network(tmp_path, 0.1), NAME, repository, gate=gate)  # within the tolerance
    assert served(repository).version == 2


def test_rollback_serves_the_version_before(tmp_path: Path, repository: Path, gate: Path) -> None:
    first = publish(network(tmp_path, 0.1), NAME, repository, gate=gate)
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert rollback(NAME, repository) == first
    assert served(repository) == first
    with pytest.raises(Refused, match="no version before 1"):
        rollback(NAME, repository)
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 3  # not 2 again: that number has had its weights
    with pytest.raises(Refused, match="nothing is published"):
        rollback("landmarks_s", repository)


def test_old_versions_go(tmp_path: Path, repository: Path, gate: Path) -> None:
    for _ in range(KEEP + 2):
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert versions(repository / NAME) == list(range(3, KEEP + 3))


@pytest.mark.parametrize("stage", ["_describe", "_forget_old", "_sync", "_exchange"])
def test_killed_at_any_point_it_leaves_a_repository_that_serves(
    tmp_path: Path,
    repository: Path,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    publish(network(tmp_path, 0.1), NAME, repository, gate=gate)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(repository_module, stage, die)
        # Killed outright, nothing is tidied up either.
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 1
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 2
    assert sorted(child.name for child in repository.iterdir()) == [NAME]


def test_killed_after_the_exchange_it_serves_the_new_one(
    tmp_path: Path, repository: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 2
    rollback(NAME, repository)
    assert served(repository).version == 1


def test_a_file_system_that_cannot_exchange_is_told(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(RepositoryError, match="there"):
        repository_module._exchange(tmp_path / "here", tmp_path / "there")


def test_the_configuration_is_tritons(tmp_path: Path, repository: Path, gate: Path) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    detector = tmp_path / "detector.onnx"
    detector.write_bytes(detector_model())
    publish(detector, "face_detector", repository, gate=gate)
    bins = [68, 512]
    expected = {
        NAME: (64, [1, 256, 256], {"keypoints": [68, 4], "simcc_x": bins, "simcc_y": bins}),
        "face_detector": (8, [1, 320, 320], {"boxes": [100, 4], "scores": [100]}),
    }
    for name, (batch, dims, outputs) in expected.items():
        config = text_format.Parse(
            (repository / name / "config.pbtxt").read_text(), model_config_pb2.ModelConfig()
        )
        assert (config.name, config.backend, config.max_batch_size) == (name, "onnxruntime", batch)
        assert [(i.name, list(i.dims)) for i in config.input] == [("image", dims)]
        assert config.input[0].data_type == model_config_pb2.TYPE_UINT8
        assert {o.name: list(o.dims) for o in config.output} == outputs
        policy = config.dynamic_batching.default_queue_policy
        assert policy.max_queue_size > 0
        assert policy.timeout_action == policy.REJECT
        assert list(config.version_policy.specific.versions) == [1]
        assert [w.batch_size for w in config.model_warmup] == [1, batch]


def test_the_gate_of_the_detector(tmp_path: Path, repository: Path, gate: Path) -> None:
    weights = tmp_path / "detector.onnx"
    weights.write_bytes(detector_model())
    assert publish(weights, "face_detector", repository, gate=gate).metrics["gate"]["error"] == 0
    weights.write_bytes(detector_model(boxes=[(0, 0, 20, 20)]))
    with pytest.raises(Refused, match=r"error 1\.0000"):
        publish(weights, "face_detector", repository, gate=gate)


def test_a_detector_of_a_larger_input(tmp_path: Path, repository: Path, gate: Path) -> None:
    weights, name = tmp_path / "detector.onnx", "face_detector_640"
    x1, y1, x2, y2 = (2 * place + 0.5 for place in FACE_BOX)  # pixel centres, twice as large
    weights.write_bytes(detector_model(boxes=[(x1, y1, x2, y2)], side=640))
    with pytest.raises(Refused, match="takes and gives"):
        publish(weights, "face_detector", repository, gate=gate)
    card = publish(weights, name, repository, gate=gate)
    assert card.input_size == (640, 640)
    assert card.metrics["gate"]["error"] == 0
    assert "dims: [1, 640, 640]" in (repository / name / "config.pbtxt").read_text()
    assert served(repository, name) == card


def test_the_card_says_how_sigma_was_calibrated(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    weights = network(tmp_path)
    plain = publish(weights, NAME, repository, gate=gate)
    assert plain.verdict is None
    assert plain.metrics["sigma"] == {"protocol": "uncalibrated: the distribution's own deviation"}
    limits = {"max_error": 0.08, "fine_error": 0.1, "small_size": 14.0}
    told = {"verdict": limits, "figures": {"sigma": {"calibration_error_px": 0.1}}}
    model = onnx.load(weights)
    onnx.helper.set_model_props(model, {"calibration": json.dumps(told)})
    onnx.save(model, weights)
    publish(weights, NAME, repository, gate=gate)
    card = served(repository)
    assert card.verdict == VerdictLimits(**limits)
    assert card.metrics["sigma"] == {"calibration_error_px": 0.1}


def test_names_and_signatures_are_checked(tmp_path: Path, repository: Path, gate: Path) -> None:
    with pytest.raises(Refused, match="neither face_detector"):
        publish(network(tmp_path), "landmarks_q", repository, gate=gate)
    with pytest.raises(Refused, match="takes and gives"):
        publish(network(tmp_path), "face_detector", repository, gate=gate)
    assert not repository.exists()


def test_int8_is_held_against_the_network_it_was_made_from(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    name = f"{NAME}_int8"
    with pytest.raises(Refused, match=f"publish {NAME} first"):
        publish(network(tmp_path, 1.0), name, repository, gate=gate)
    source = network(tmp_path, 1.0)
    publish(source, NAME, repository, gate=gate)
    with pytest.raises(Refused, match="does not say that it was made from"):
        publish(network(tmp_path, 1.02), name, repository, {"quantised_from": "0" * 64}, gate)
    note = {"quantised_from": file_sha256(source)}
    with pytest.raises(Refused, match="at most 3% worse"):
        publish(network(tmp_path, 1.04), name, repository, note, gate)
    assert not (repository / name).exists()
    publish(network(tmp_path, 1.02), name, repository, note, gate)
    card = served(repository, name)
    assert (card.variant, card.precision, card.training) == ("t", "int8", note)
    figures = card.metrics["gate"]
    assert figures["error"] == pytest.approx(1.02 * figures["error_fp32"], abs=1e-5)
    assert f'name: "{name}"' in (repository / name / "config.pbtxt").read_text()


def test_from_the_command_line(
    tmp_path: Path, gate: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "note.json").write_text(json.dumps({"steps": 3}))
    where = ["--name", NAME, "--repository", str(tmp_path / "models")]
    note = ["--training-note", str(tmp_path / "note.json"), "--gate", str(gate)]
    publishing.main([str(network(tmp_path)), *where, *note])
    assert "version 1 is served" in capsys.readouterr().out
    assert served(tmp_path / "models").training == {"steps": 3}
    with pytest.raises(SystemExit, match="no version before"):
        publishing.main(["rollback", *where])


def test_publishing_loads_neither_torch_nor_the_web() -> None:
    heavy = {"torch", "pydantic", "tritonclient", "fastapi"}
    code = f"import sys, training.publish; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_licence_is_that_of_the_data(tmp_path: Path, repository: Path, gate: Path) -> None:
    source = network(tmp_path, 1.0)
    publish(source, NAME, repository, gate=gate)
    assert served(repository).licence == "Apache-2.0"
    trained = {"config": {"data": {"pool": "", "sets": ["tfake=somewhere"]}}}
    publish(source, NAME, repository, trained, gate)
    assert "non-commercial" in served(repository).licence
    note = {"quantised_from": file_sha256(source)}  # which says nothing of the data
    publish(source, f"{NAME}_int8", repository, note, gate)
    assert served(repository, f"{NAME}_int8").licence == served(repository).licence
