import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, numpy_helper, shape_inference

from tests.small_landmarks import blobs, small_landmarks
from training.int8_graph import rewrite
from training.int8_ranges import measure_ranges
from training.plan_graph import NotAnnotated, insert_int8, ranges_of, rounded, to_fp16
from training.quantize import OPERATORS, insert, network_of, quantisable

HALF, FULL = TensorProto.FLOAT16, TensorProto.FLOAT
IMAGES = blobs(4)[:, None]


def types(model: ModelProto) -> dict[str, int]:
    """Element type by tensor, as TensorRT infers them too; the check fails where two meet."""
    graph = shape_inference.infer_shapes(model, strict_mode=True, check_type=True).graph
    found = {t.name: t.type.tensor_type.elem_type for t in (*graph.value_info, *graph.output)}
    return found | {t.name: t.data_type for t in graph.initializer}


def answers(model: ModelProto) -> np.ndarray:
    return network_of(model)(IMAGES)["keypoints"][..., :2]


@pytest.fixture(scope="module")
def source() -> ModelProto:
    return small_landmarks()


@pytest.fixture(scope="module")
def largest(source: ModelProto) -> dict[str, float]:
    graph = rewrite(source)
    ranges = measure_ranges(graph, blobs(8), OPERATORS)
    return ranges_of(insert(graph, ranges, quantisable(graph)))


@pytest.fixture(scope="module")
def int8(source: ModelProto, largest: dict[str, float]) -> ModelProto:
    return insert_int8(source, largest)


def test_what_is_fp16_and_what_fp32(source: ModelProto) -> None:
    model = to_fp16(source)
    found = types(model)
    for node in model.graph.node:
        half = node.name.startswith(("backbone/", "head/final_layer/"))
        if node.op_type != "Cast":
            assert found[node.output[0]] in ((HALF,) if half else (FULL, TensorProto.INT64))
    assert (model.graph.input, model.graph.output) == (source.graph.input, source.graph.output)
    casts = [node.output[0] for node in model.graph.node if node.op_type == "Cast"]
    assert casts == ["normalise/Cast_out", *casts[1:]] and len(casts) == 3


def test_the_original_stays_as_it_was(source: ModelProto) -> None:
    for change in (to_fp16, rounded, lambda model: insert_int8(model, {"normalise/Expand_out": 3})):
        change(source)
        assert source == small_landmarks()


def test_fp16_is_near_fp32_and_really_rounded(source: ModelProto) -> None:
    exact = answers(source)
    for change in (to_fp16, rounded):
        moved = np.abs(answers(change(source)) - exact).max()
        assert 0 < moved < 0.002 * np.ptp(exact)


def test_an_overflow_shows() -> None:
    model = small_landmarks()
    weight = next(t for t in model.graph.initializer if t.name == "backbone/stem/1.weight")
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 4e4, weight.name))
    assert np.isfinite(answers(model)).all()
    assert not np.isfinite(answers(rounded(model))).all()
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 4e4, weight.name))
    with pytest.raises(NotAnnotated, match="weight is too large"):
        to_fp16(model)


def test_another_network_is_refused() -> None:
    for prefix in ("stem/", "head/"):  # no backbone; FP16 up to the outputs
        model = small_landmarks()
        for node in model.graph.node:
            node.name = node.name.replace("backbone/", prefix).replace("final_layer", "last")
            if prefix == "head/":
                node.name = f"backbone/{node.name}"
        with pytest.raises(NotAnnotated, match="not an exported landmark network"):
            to_fp16(model)


def test_int8_as_tensorrt_wants_it(int8: ModelProto) -> None:
    model = to_fp16(int8)
    assert {opset.domain for opset in model.opset_import} == {""}
    found = types(model)
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    pairs = [n for n in model.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    for node in pairs:
        _, scale, zero = node.input
        assert values[scale].dtype == np.float16 and (values[scale] > 0).all()
        assert values[zero].dtype == np.int8 and not values[zero].any()
        weights = node.input[0] in values
        assert values[scale].ndim == (1 if weights else 0)
        assert [a.i for a in node.attribute if a.name == "axis"] == ([0] if weights else [])
        if node.op_type == "DequantizeLinear":
            assert found[node.output[0]] == HALF
            assert found[node.input[0]] == TensorProto.INT8
    made = {node.output[0] for node in pairs if node.op_type == "DequantizeLinear"}
    quantised = {n.name for n in model.graph.node if made & set(n.input)}
    assert quantised == {
        "backbone/stem/1/Conv", "backbone/stem/2/Conv", "backbone/block/point/Conv",
        "head/final_layer/Conv",
    }  # fmt: skip


def test_int8_is_near_fp32(source: ModelProto, int8: ModelProto) -> None:
    exact = answers(source)
    for model in (int8, to_fp16(int8), rounded(int8)):
        moved = np.abs(answers(model) - exact).mean()
        assert 0 < moved < 0.05 * np.ptp(exact)


def test_layers_may_be_kept(source: ModelProto, largest: dict[str, float]) -> None:
    kept = insert_int8(source, largest, ["head/final_layer/Conv"])
    (last,) = (n for n in kept.graph.node if n.name == "head/final_layer/Conv")
    assert last.input[1] == "head/final_layer.weight"
    with pytest.raises(NotAnnotated, match="nothing would be INT8"):
        insert_int8(source, {})


def test_the_ranges_are_those_of_the_quantised_network(source: ModelProto) -> None:
    graph = rewrite(source)
    ranges = measure_ranges(graph, blobs(8), OPERATORS)
    found = ranges_of(insert(graph, ranges, quantisable(graph)))
    name = "backbone/stem/1/act/Mul_out"
    measured = max(abs(ranges[name].lowest.item()), ranges[name].highest.item())
    assert found[name] == pytest.approx(measured, rel=0.02)  # zero lies on a step


def test_a_channel_of_zeros_keeps_a_scale(source: ModelProto) -> None:
    model = onnx.ModelProto.FromString(source.SerializeToString())
    weight = next(t for t in model.graph.initializer if t.name == "backbone/stem/1.weight")
    values = numpy_helper.to_array(weight).copy()
    values[0] = 0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    made = rounded(insert_int8(model, {"backbone/stem/0/act/Mul_out": 4.0}))
    assert np.isfinite(answers(made)).all()
