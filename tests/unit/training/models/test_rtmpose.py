import pytest
import torch
from torch import nn

from tests.unit.training.models.reference import (
    TOLERANCE,
    digest,
    facts,
    formula_input,
    formula_weights,
    relative_error,
    shapes,
    tensors,
)
from training.models import rtmpose
from training.models.rtmcc import ScaleNorm


def test_t_gives_the_numbers_of_the_public_implementation() -> None:
    network = rtmpose.build("t").eval()
    network.load_state_dict(formula_weights(network), strict=True)
    wanted = tensors("rtmpose_t")
    with torch.no_grad():
        features = network.backbone(formula_input(256))[-1]
        simcc_x, simcc_y = network.head(features)
    assert relative_error(features.mean((2, 3)), wanted["feature_mean"]) < TOLERANCE
    assert relative_error(simcc_x[:, ::4], wanted["simcc_x"]) < TOLERANCE
    assert relative_error(simcc_y[:, ::4], wanted["simcc_y"]) < TOLERANCE


@pytest.mark.parametrize("variant", ["t", "s"])
def test_keys_and_shapes_are_those_of_the_public_checkpoints(variant: str) -> None:
    network = rtmpose.build(variant)
    assert shapes(network) == facts(f"rtmpose_{variant}.keys")


@pytest.mark.parametrize("variant", list(rtmpose.VARIANTS))
def test_every_variant_has_the_public_keys_and_parameter_count(variant: str) -> None:
    network = rtmpose.build(variant)
    assert digest(network) == facts("digests")[f"rtmpose_{variant}"]


def test_forward_is_the_head_on_the_last_of_four_stages() -> None:
    network = rtmpose.build("t", input_size=(64, 64)).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.manual_seed(0))
    with torch.no_grad():
        stages = network.backbone(images)
        assert [list(stage.shape[1:]) for stage in stages] == [
            [48, 16, 16],
            [96, 8, 8],
            [192, 4, 4],
            [384, 2, 2],
        ]
        for got, wanted in zip(network(images), network.head(stages[-1]), strict=True):
            assert torch.equal(got, wanted)


def test_other_keypoints_and_a_portrait_input() -> None:
    network = rtmpose.build("t", keypoints=98, input_size=(96, 128)).eval()
    with torch.no_grad():
        simcc_x, simcc_y = network(torch.zeros(2, 3, 128, 96))
    assert simcc_x.shape == (2, 98, 192)
    assert simcc_y.shape == (2, 98, 256)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_mixed_precision_gives_float32_logits_and_finite_gradients(
    layout: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    # Not smaller: on maps below 4x4 oneDNN's bfloat16 gradient of the 7x7 layer reads memory that
    # nobody wrote.
    network = rtmpose.build("t", input_size=(128, 128)).train()
    nn.Module.to(network, memory_format=layout)  # type: ignore[call-overload]
    images = torch.randn(4, 3, 128, 128).contiguous(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16):
        simcc_x, simcc_y = network(images)
    assert simcc_x.dtype == simcc_y.dtype == torch.float32
    (simcc_x.square().mean() + simcc_y.square().mean()).backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_scale_norm_survives_what_overflows_float16() -> None:
    # 64 values of 1000: the sum of squares is a thousand times float16's largest number.
    x = torch.full((1, 1, 64), 1000.0, dtype=torch.float16)
    assert torch.allclose(ScaleNorm(64)(x), torch.ones(1, 1, 64))
    assert ScaleNorm(64)(torch.zeros(1, 1, 64)).isfinite().all()


def test_a_new_network_starts_as_the_public_ones_do() -> None:
    torch.manual_seed(0)
    network = rtmpose.build("t")
    gau = network.head.gau
    assert gau.ln.g.item() == 1
    assert gau.res_scale.scale.eq(1).all()
    assert gau.gamma.min() >= 0 and gau.gamma.max() <= 1
    assert network.head.cls_x.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert network.head.final_layer.weight.std().item() == pytest.approx(0.001, rel=0.05)
    stem = network.state_dict()["backbone.stem.0.conv.weight"]
    assert stem.abs().max() <= 27**-0.5  # uniform within 1 / sqrt(fan in)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "xl"}, "unknown RTMPose variant 'xl'"),
        ({"variant": "t", "keypoints": 0}, "at least one keypoint"),
        ({"variant": "t", "input_size": (250, 256)}, "multiples of 32"),
        ({"variant": "t", "input_size": (0, 256)}, "multiples of 32"),
    ],
)
def test_what_cannot_be_built(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rtmpose.build(**arguments)  # type: ignore[arg-type]
