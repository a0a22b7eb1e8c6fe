import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto

from service.card import file_sha256
from tests.small_landmarks import blobs, small_landmarks
from training import quantize as quantizing
from training.held_out import Views, change, error
from training.int8_graph import rewrite, unsuited_convolutions
from training.int8_ranges import SILU_LOWEST, measure_ranges
from training.quantize import (
    OPERATORS,
    NotQuantised,
    Quantiser,
    check_batches,
    insert,
    network_of,
    task_of,
)
from training.synthesis.pool import write_shard

DENSE = "head/gau/o/MatMul"


def quantiser(model: ModelProto) -> Quantiser:
    graph = rewrite(model)
    return Quantiser(
        "landmarks", network_of(model), graph, measure_ranges(graph, blobs(8), OPERATORS)
    )


def labelled(source: Quantiser, count: int = 8) -> Views:
    """Pictures whose truth is a little beside what the FP32 network answers."""
    images = blobs(count, seed=1)
    found = source.source(images[:, None])["keypoints"][..., :2]
    return {"images": images, "points": found + 0.5, "weight": np.ones((count, 68), np.float32)}


@pytest.fixture(scope="module")
def small() -> Quantiser:
    return quantiser(small_landmarks())


def test_an_image_gives_the_same_alone_and_in_a_batch(small: Quantiser) -> None:
    network = network_of(small.attempt(unsuited_convolutions(small.graph)))
    images = blobs(7, seed=2)[:, None]
    together = network(images)
    for row in range(len(images)):
        alone = network(images[row : row + 1])
        for name, values in together.items():
            np.testing.assert_allclose(alone[name][0], values[row], atol=1e-4)
    check_batches(network, images[:, 0], "landmarks")


def test_a_batch_that_changes_the_output_is_found() -> None:
    def leaky(images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> dict[str, object]:
        return {"keypoints": np.full((len(images), 68, 4), float(images.mean()))}

    with pytest.raises(NotQuantised, match="a batch moves keypoints"):
        check_batches(leaky, blobs(3), "landmarks")  # type: ignore[arg-type]


def test_eight_bits_reach_the_convolutions_and_nothing_else(small: Quantiser) -> None:
    model = small.attempt(unsuited_convolutions(small.graph))
    assert [(i.name, i.type.tensor_type.elem_type) for i in model.graph.input] == [
        ("image", onnx.TensorProto.UINT8)
    ]
    weights = {t.name: t.data_type for t in model.graph.initializer}
    in_int8 = {
        n.removesuffix(".weight_quantized") for n in weights if n.endswith(".weight_quantized")
    }
    assert in_int8 == {
        "backbone/stem/1", "backbone/stem/2", "backbone/block/point", "head/final_layer"
    }  # fmt: skip
    assert {weights[f"{name}.weight_quantized"] for name in in_int8} == {onnx.TensorProto.INT8}
    scales = next(t for t in model.graph.initializer if t.name == "backbone/stem/2.weight_scale")
    assert list(scales.dims) == [16]  # one a channel


@pytest.fixture(scope="module")
def attending() -> Quantiser:
    """One dense layer bears the name of one that is quantised."""
    model = small_landmarks()
    next(n for n in model.graph.node if n.name == "head/keypoints/MatMul").name = DENSE
    return quantiser(model)


def test_the_named_dense_layers_of_the_head_are_in_int8_and_no_others(
    attending: Quantiser,
) -> None:
    model = attending.attempt(unsuited_convolutions(attending.graph))
    weights = {t.name: (t.data_type, list(t.dims)) for t in model.graph.initializer}
    assert weights["keypoints.weight_quantized"] == (onnx.TensorProto.INT8, [64, 4])
    assert weights["keypoints.weight_scale"][1] == [4]  # one an output
    assert weights["simcc_x.weight"][0] == onnx.TensorProto.FLOAT
    assert DENSE in {entry.layer for entry in attending.rank((), labelled(attending))}
    data = labelled(attending)
    expected, found = (n(data["images"][:, None]) for n in (attending.source, network_of(model)))
    assert 0 < change("landmarks", expected, found, data) < 0.05


def test_a_dense_layer_becomes_one_kernel_that_gives_fp32(
    attending: Quantiser, tmp_path: Path
) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    model = attending.attempt(()).SerializeToString()
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx").graph
    assert {n.name: n.op_type for n in optimised.node}[DENSE] == "MatMulIntegerToFloat"


def test_the_output_stays_near(small: Quantiser) -> None:
    data = labelled(small)
    after = network_of(small.attempt(()))(data["images"][:, None])
    before = small.source(data["images"][:, None])
    assert 0 < change("landmarks", before, after, data) < 0.05


def test_ranges_leave_out_what_silu_flattens_and_are_shared_where_joined(small: Quantiser) -> None:
    ranges = small.ranges
    assert ranges["backbone/stem/0/Conv_out"].lowest >= SILU_LOWEST
    parts = ("backbone/stem/2/act/Mul_out", "backbone/block/Add_out", "backbone/Concat_out")
    ends = {(ranges[p].lowest.item(), ranges[p].highest.item()) for p in parts}
    assert len(ends) == 1


def test_the_worst_layers_stay_in_fp32_until_the_limit_is_kept(small: Quantiser) -> None:
    data = labelled(small)
    by_rule = list(unsuited_convolutions(small.graph))
    ranked = list(small.rank(by_rule, data))
    assert len(ranked) == 4
    ratios = []
    for count in range(len(ranked) + 1):
        kept = [*by_rule, *(entry.layer for entry in ranked[:count])]
        before, after = small.errors(small.attempt(kept), data)
        ratios.append(after / before)
    least = next(i for i, ratio in enumerate(ratios) if ratio <= ratios[2])
    model, kept_layers = small.choose(data, ratios[2])
    assert [entry.layer for entry in kept_layers] == [*by_rule, *(e.layer for e in ranked[:least])]
    assert small.errors(model, data)[1] == error("landmarks", network_of(model), data)
    assert all(entry.why for entry in kept_layers)


def test_a_limit_that_nothing_keeps_is_told(small: Quantiser) -> None:
    with pytest.raises(NotQuantised, match="whatever stays in FP32"):
        small.choose(labelled(small, 2), 0.5)


def test_another_network_is_refused() -> None:
    model = small_landmarks()
    model.graph.output[0].name = "something"
    with pytest.raises(NotQuantised, match="neither landmarks nor boxes"):
        task_of(model)


def test_a_face_that_is_found_elsewhere_counts_as_a_change() -> None:
    boxes = np.array([[[0, 0, 10, 10], [50, 50, 60, 60]]], np.float32)
    before = {"boxes": boxes, "scores": np.array([[0.9, 0.1]], np.float32)}
    assert change("detector", before, before, {}) == 0
    swapped = {"boxes": boxes[:, ::-1], "scores": before["scores"]}  # the score fell by 0.8
    assert change("detector", before, swapped, {}) == pytest.approx(0.8)
    half = {"boxes": boxes * np.array([1, 1, 0.5, 1], np.float32), "scores": before["scores"]}
    assert change("detector", before, half, {}) == pytest.approx(0.5)
    nothing = {"boxes": boxes, "scores": before["scores"] * 0}
    assert change("detector", nothing, before, {}) == 0  # no face to follow


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_shard(folder, None, "portrait", 0, 0, persons=4)
    return folder


def test_from_the_command_line(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("CALIBRATION", "VIEWS", "RANKING"):
        monkeypatch.setattr(quantizing, name, 4)
    source, out = tmp_path / "model.onnx", tmp_path / "model_int8.onnx"
    onnx.save(small_landmarks(), source)
    quantizing.main([str(source), "--pool", str(pool), "--out", str(out), "--limit", "1.5"])
    note = json.loads(out.with_suffix(".json").read_text())
    assert note["quantised_from"] == file_sha256(source)
    assert {entry["layer"] for entry in note["layers_in_fp32"]} >= {"backbone/stem/0/Conv"}
    figures = note["metrics"]["quantisation"]
    assert figures["ratio"] == pytest.approx(
        figures["error_int8"] / figures["error_fp32"], rel=1e-2
    )
    assert "in FP32: backbone/stem/0/Conv: its inputs" in capsys.readouterr().out
    assert out.stat().st_size > 0
    with pytest.raises(SystemExit, match="not quantised: no portrait persons"):
        quantizing.main([str(source), "--pool", str(tmp_path / "none"), "--out", str(out)])
    with pytest.raises(SystemExit, match="not quantised"):
        quantizing.main([str(tmp_path / "no.onnx"), "--pool", str(pool), "--out", str(out)])


def test_what_the_export_noted_in_the_file_stays(small: Quantiser) -> None:
    """The calibration of sigma, which publishing puts on the card."""
    model = small_landmarks()
    model.metadata_props.add(key="calibration", value="{}")
    quantised = insert(rewrite(model), small.ranges, ["backbone/stem/2/Conv"])
    assert {e.key: e.value for e in quantised.metadata_props}["calibration"] == "{}"
