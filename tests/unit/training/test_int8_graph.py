import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from tests.small_landmarks import blobs, small_landmarks
from training.int8_graph import rewrite, silu_inputs, unsuited_convolutions
from training.quantize import network_of


@pytest.fixture(scope="module")
def rewritten() -> ModelProto:
    return rewrite(small_landmarks())


def shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    return {t.name: numpy_helper.to_array(t).shape for t in model.graph.initializer}


def test_it_gives_the_same_numbers(rewritten: ModelProto) -> None:
    images = blobs(3)[:, None]
    before, after = network_of(small_landmarks())(images), network_of(rewritten)(images)
    assert set(before) == set(after)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=2e-5 * np.abs(values).max())


def test_the_original_stays_as_it_was() -> None:
    model = small_landmarks()
    rewrite(model)
    assert model == small_landmarks()


def test_each_rewrite_finds_its_form(rewritten: ModelProto) -> None:
    kinds = {node.name: node.op_type for node in rewritten.graph.node}
    assert "normalise/Expand" not in kinds
    assert kinds["backbone/attention/pool"] == "GlobalAveragePool"
    assert {kinds[f"backbone/stem/{i}/act/SiLU"] for i in range(3)} == {"QuickGelu"}
    assert "Sigmoid" not in kinds.values()
    found = shapes(rewritten)
    assert found["backbone/stem/0.weight"] == (12, 1, 3, 3)
    assert found["backbone/stem/1.weight"] == (16, 12, 3, 3)  # filled: 12 outputs fit no kernel
    assert found["backbone/stem/1.bias"] == (16,)
    assert found["backbone/stem/2.weight"] == (16, 16, 3, 3)
    assert found["backbone/block/depthwise.weight"] == (16, 1, 5, 5)


def test_a_tensor_that_something_else_reads_is_not_widened() -> None:
    model = small_landmarks()
    pool = next(node for node in model.graph.node if node.name == "backbone/attention/pool")
    pool.input[0] = "backbone/stem/1/act/Mul_out"
    product = next(node for node in model.graph.node if node.name == "backbone/attention/Mul")
    product.input[1] = "mean"
    assert shapes(rewrite(model))["backbone/stem/1.weight"] == (12, 12, 3, 3)


def test_convolutions_that_gain_nothing_are_named(rewritten: ModelProto) -> None:
    unsuited = unsuited_convolutions(rewritten)
    assert set(unsuited) == {"backbone/stem/0/Conv", "backbone/block/depthwise/Conv"}
    assert "fours" in unsuited["backbone/stem/0/Conv"]


def test_what_goes_into_a_silu_is_known(rewritten: ModelProto) -> None:
    assert "backbone/stem/0/Conv_out" in silu_inputs(rewritten)
    assert len(silu_inputs(rewritten)) == 4
