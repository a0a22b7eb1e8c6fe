import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from service.card import CardError, file_sha256
from service.vision.face_score import FaceScore
from service.vision.verdict import VerdictLimits
from tests.gate_sets import POINTS, network
from tests.onnx_models import FACE_BOX, detector_model
from tests.published_landmarks import write_landmarks
from tests.unit.training.published_models import NAME, served
from training import publish as publishing
from training.contract import Refused
from training.data.sets import OWN_LICENCE, UNKNOWN_LICENCE
from training.gate import gate_figures
from training.publish import publish
from training.repository import versions


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


def test_what_passed_the_gate_is_what_is_published(
    tmp_path: Path, repository: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, worse = network(tmp_path), network(tmp_path / "gate", 2.0)
    passed = file_sha256(weights)

    def replaced_meanwhile(*arguments: Any) -> dict[str, float]:
        shutil.copyfile(worse, weights)
        return gate_figures(*arguments)

    monkeypatch.setattr(publishing, "gate_figures", replaced_meanwhile)
    publish(weights, NAME, repository, gate=gate)
    assert file_sha256(weights) != passed
    assert served(repository).files == {"1/model.onnx": passed}


def test_what_is_not_a_number_is_refused(tmp_path: Path, repository: Path, gate: Path) -> None:
    points = np.array(POINTS)
    points[0] = np.nan  # of 68, in every face
    weights = write_landmarks(tmp_path / "nan.onnx", points)
    with pytest.raises(Refused, match="its error on the gate set is nan"):
        publish(weights, NAME, repository, gate=gate)


@pytest.mark.parametrize("percent", [0, 100, -5])
def test_a_canary_of_nobody_or_all(
    tmp_path: Path, repository: Path, gate: Path, percent: int
) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    with pytest.raises(CardError, match="1 to 99"):
        publish(network(tmp_path), NAME, repository, gate=gate, canary=percent)
    assert served(repository).canary is None
    assert versions(repository / NAME) == [1]


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
    assert plain.verdict is None and plain.face_score is None
    assert plain.metrics["sigma"] == {"protocol": "uncalibrated: the distribution's own deviation"}
    limits = {"max_error": 0.08, "fine_error": 0.1, "small_size": 14.0}
    odds = {"bias": -5, "detector": 2, "error": -1.6, "size": -1.5, "error_by_size": -0.6}
    figures = {"sigma": {"calibration_error_px": 0.1}}
    told = {"verdict": limits, "face_score": odds, "figures": figures}
    model = onnx.load(weights)
    onnx.helper.set_model_props(model, {"calibration": json.dumps(told)})
    onnx.save(model, weights)
    publish(weights, NAME, repository, gate=gate)
    card = served(repository)
    assert card.verdict == VerdictLimits(**limits)
    assert card.face_score == FaceScore(**odds)
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
    with pytest.raises(SystemExit, match="rollback: nothing changed: .*no version before"):
        publishing.main(["rollback", *where])
    publishing.main([str(network(tmp_path)), *where, *note, "--canary", "5"])
    told = capsys.readouterr().out
    assert "version 2 is a canary for 5 % of the requests, version 1 serves the others" in told
    publishing.main(["promote", *where])
    assert "version 2 is served" in capsys.readouterr().out


def test_publishing_loads_neither_torch_nor_the_web() -> None:
    heavy = {"torch", "pydantic", "tritonclient", "fastapi"}
    code = f"import sys, training.publish; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_the_card_does_not_tell_the_publishers_folders(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    config = {
        "start": {"checkpoint": "/home/me/models/landmarks_t/1/model.onnx"},
        "data": {"pool": ".checkpoints/pool", "sets": ["300w=/data/300w,split=test", "tfake=/d"]},
        "loop": {"batch": 12},
    }
    publish(network(tmp_path), NAME, repository, {"config": config, "start": []}, gate)
    assert served(repository).training["config"] == {
        "start": {"checkpoint": "model.onnx"},
        "data": {"pool": ".checkpoints/pool", "sets": ["300w=300w,split=test", "tfake=d"]},
        "loop": {"batch": 12},
    }


def test_the_licence_is_that_of_the_data(tmp_path: Path, repository: Path, gate: Path) -> None:
    source = network(tmp_path, 1.0)
    publish(source, NAME, repository, gate=gate)
    assert served(repository).licence == UNKNOWN_LICENCE
    publish(source, NAME, repository, {"config": {"data": {"pool": "p"}}}, gate)
    assert served(repository).licence == OWN_LICENCE
    trained = {"config": {"data": {"pool": "", "sets": ["tfake=somewhere"]}}}
    publish(source, NAME, repository, trained, gate)
    assert "non-commercial" in served(repository).licence
    note = {"quantised_from": file_sha256(source)}  # which says nothing of the data
    publish(source, f"{NAME}_int8", repository, note, gate)
    assert served(repository, f"{NAME}_int8").licence == served(repository).licence
