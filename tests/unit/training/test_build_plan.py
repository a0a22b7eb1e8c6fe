from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from service.card import ModelCard, file_sha256, parse_card
from service.entries import scan
from service.model_config import read_model_config
from tests.small_landmarks import blobs, small_landmarks
from training import build_plan
from training.build_plan import build, missing
from training.contract import Refused
from training.int8_graph import rewrite
from training.int8_ranges import measure_ranges
from training.plan_graph import to_fp16
from training.publish import publish
from training.quantize import OPERATORS, insert, network_of, quantisable
from training.served import Network, Outputs, onnx_network
from training.tensorrt_engine import Engine, EngineUnavailable, Target, TensorRT

FP16, INT8 = "landmarks_t_trt_fp16", "landmarks_t_trt_int8"
H200 = Target("NVIDIA H200", "9.0", "11.4.0")
L4 = Target("NVIDIA L4", "8.9", "11.4.0")


class OnnxEngine:
    """Stands in for TensorRT: its plan is the ONNX file. `off` pixels are added to the points."""

    def __init__(self, target: Target = H200, off: float = 0.0) -> None:
        self._target = target
        self._off = off
        self.batches: list[int] = []

    def target(self) -> Target:
        return self._target

    def build(self, model: bytes, shape: tuple[int, ...]) -> bytes:
        assert shape == (1, 256, 256)
        assert any(t.data_type == onnx.TensorProto.FLOAT16 for t in onnx.load_from_string(model).graph.initializer)  # fmt: skip  # noqa: E501
        return model

    def network(self, plan: Path, batch: int) -> Network:
        self.batches.append(batch)
        inside = onnx_network(plan)

        def run(images: np.ndarray) -> Outputs:
            outputs = dict(inside(images))
            outputs["keypoints"] = outputs["keypoints"] + np.array([self._off, 0, 0, 0], np.float32)
            return outputs

        return run


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Truth well beside what the FP32 network answers."""
    folder = tmp_path / "gate"
    folder.mkdir()
    images = blobs(4)
    found = network_of(small_landmarks())(images[:, None])["keypoints"][..., :2]
    points, weight = found + np.float32(30), np.ones((4, 68), np.float32)
    np.savez(folder / "landmarks.npz", images=images, points=points, weight=weight)
    return folder


@pytest.fixture
def repository(tmp_path: Path, gate: Path) -> Path:
    models, weights = tmp_path / "models", tmp_path / "model.onnx"
    onnx.save(small_landmarks(), weights)
    publish(weights, "landmarks_t", models, {"steps": 3}, gate)
    return models


def add_int8(repository: Path, tmp_path: Path, gate: Path) -> Path:
    graph = rewrite(small_landmarks())
    ranges = measure_ranges(graph, blobs(8), OPERATORS)
    weights = tmp_path / "int8.onnx"
    onnx.save(insert(graph, ranges, quantisable(graph)), weights)
    made_from = file_sha256(repository / "landmarks_t" / "1" / "model.onnx")
    publish(weights, "landmarks_t_int8", repository, {"quantised_from": made_from}, gate)
    return weights


def card_of(repository: Path, name: str) -> ModelCard:
    return parse_card((repository / name / "card.json").read_text())


def test_a_plan_is_published(repository: Path, gate: Path) -> None:
    engine: Engine = OnnxEngine()
    card = build(FP16, repository, engine, gate)
    assert card == card_of(repository, FP16)
    assert (card.precision, card.variant, card.version, card.replaces) == ("fp16", "t", 1, None)
    source = file_sha256(repository / "landmarks_t" / "1" / "model.onnx")
    assert card.training["made_from"] == source
    told = {"gpu": "NVIDIA H200", "capability": "9.0", "tensorrt": "11.4.0"}
    assert card.training["targets"] == {"9.0": told}
    assert card.training["not_measured"] == ["speed", "agreement under Triton"]
    figures = card.metrics["gate"]
    assert figures["gpu"] == "NVIDIA H200"
    assert figures["error"] == pytest.approx(figures["error_fp32"], rel=0.01)
    assert figures["error_graph"] == pytest.approx(figures["error_fp32"], rel=0.01)
    config = read_model_config(repository / FP16)
    assert (config.engine, config.max_batch_size) == ("tensorrt", 64)
    assert config.files(1) == ["1/model_sm9.0.plan"] == list(card.files)
    text = (repository / FP16 / "config.pbtxt").read_text()
    assert 'platform: "tensorrt_plan"' in text and 'profile: [ "0", "1" ]' in text
    found = scan(repository, {"onnxruntime", "tensorrt"}, [FP16])
    assert [one.problem for one in found] == [None]
    (plain,) = scan(repository, {"onnxruntime"}, [FP16])
    assert plain.problem == "the backend has no engine 'tensorrt'"


def test_every_profile_is_measured(repository: Path, gate: Path) -> None:
    engine = OnnxEngine()
    build(FP16, repository, engine, gate)
    assert engine.batches == [8, 64]


def test_plans_of_several_gpus(repository: Path, gate: Path) -> None:
    build(FP16, repository, OnnxEngine(), gate)
    card = build(FP16, repository, OnnxEngine(L4), gate)
    assert set(card.files) == {"2/model_sm8.9.plan", "2/model_sm9.0.plan"}
    assert set(card.training["targets"]) == {"8.9", "9.0"}
    assert missing(repository, H200) == missing(repository, L4) == []
    newer = replace(L4, tensorrt="11.5.0")
    assert missing(repository, newer) == [FP16]
    assert set(build(FP16, repository, OnnxEngine(newer), gate).files) == {"3/model_sm8.9.plan"}


def test_a_damaged_plan_of_another_gpu_is_not_taken_along(repository: Path, gate: Path) -> None:
    build(FP16, repository, OnnxEngine(), gate)
    (repository / FP16 / "1" / "model_sm9.0.plan").write_bytes(b"damaged")
    assert set(build(FP16, repository, OnnxEngine(L4), gate).files) == {"2/model_sm8.9.plan"}


def test_a_worse_plan_is_refused(repository: Path, gate: Path) -> None:
    with pytest.raises(Refused, match=r"the plan, NVIDIA H200: error .* at most 1% worse"):
        build(FP16, repository, OnnxEngine(off=-2.0), gate)
    with pytest.raises(Refused, match="the plan"):
        build(FP16, repository, OnnxEngine(off=float("nan")), gate)
    assert not (repository / FP16).exists()


def test_int8_takes_the_published_ranges(repository: Path, gate: Path, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="landmarks_t_int8 is not published"):
        build(INT8, repository, OnnxEngine(), gate)
    assert missing(repository, H200) == [FP16]
    weights = add_int8(repository, tmp_path, gate)
    assert missing(repository, H200) == [FP16, INT8]
    card = build(INT8, repository, OnnxEngine(), gate)
    assert (card.precision, card.training["ranges_from"]) == ("int8", file_sha256(weights))
    plan = onnx.load(repository / INT8 / "1" / "model_sm9.0.plan")
    assert "QuantizeLinear" in {node.op_type for node in plan.graph.node}
    assert missing(repository, H200) == [FP16]


def test_int8_ranges_of_other_weights(repository: Path, gate: Path, tmp_path: Path) -> None:
    add_int8(repository, tmp_path, gate)
    build(INT8, repository, OnnxEngine(), gate)
    changed = small_landmarks()
    changed.producer_version = "2"
    onnx.save(changed, tmp_path / "model.onnx")
    publish(tmp_path / "model.onnx", "landmarks_t", repository, gate=gate)
    assert missing(repository, H200) == [FP16, INT8]
    with pytest.raises(Refused, match="was not made from the landmarks_t that is served"):
        build(INT8, repository, OnnxEngine(), gate)


def test_int8_ranges_that_were_measured_anew(repository: Path, gate: Path, tmp_path: Path) -> None:
    weights = add_int8(repository, tmp_path, gate)
    build(INT8, repository, OnnxEngine(), gate)
    note = card_of(repository, "landmarks_t_int8").training
    changed = onnx.load(weights)
    changed.producer_version = "2"
    onnx.save(changed, weights)
    publish(weights, "landmarks_t_int8", repository, note, gate)
    assert missing(repository, H200) == [FP16, INT8]
    build(INT8, repository, OnnxEngine(), gate)
    assert missing(repository, H200) == [FP16]


def test_names(repository: Path, gate: Path) -> None:
    with pytest.raises(Refused, match="not a TensorRT plan"):
        build("landmarks_t_int8", repository, OnnxEngine(), gate)
    with pytest.raises(Refused, match=r"python -m training\.build_plan"):
        publish(repository / "landmarks_t" / "1" / "model.onnx", FP16, repository, gate=gate)


def test_without_tensorrt(repository: Path, gate: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--repository", str(repository), "--gate", str(gate)]
    with pytest.raises(EngineUnavailable, match="is not installed: run it in the image"):
        TensorRT()
    with pytest.raises(SystemExit, match="no plan is built: .*not installed"):
        build_plan.main(["--missing", *where])
    build_plan.main([FP16, "--check", *where])
    assert "no plan was built" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        build_plan.main([INT8, "--check", *where])
    assert f"{INT8}: not published: landmarks_t_int8 is not published" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        build_plan.main(where)


def test_fp16_graph_keeps_the_batch_free() -> None:
    model = to_fp16(small_landmarks())
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
