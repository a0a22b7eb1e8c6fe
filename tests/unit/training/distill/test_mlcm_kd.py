"""Which term teaches what: gradients must reach it, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from training.config import ConfigError, MethodConfig
from training.data.sample import LandmarkBatch
from training.distill import mlcm_kd
from training.distill.mlcm_kd import DISTILL_TERMS, TASK_TERMS, Distillation
from training.models import rtmpose
from training.models.inputs import normalise_input
from training.models.rtmpose import RTMPose
from training.weighting import Terms

SIZE = 64
ALL = (*TASK_TERMS, *DISTILL_TERMS)


def network(variant: str, seed: int) -> RTMPose:
    torch.manual_seed(seed)
    return rtmpose.build(variant, input_size=(SIZE, SIZE))


@pytest.fixture
def student() -> RTMPose:
    return network("t", 0).train()


@pytest.fixture
def teacher() -> RTMPose:
    """Wider than the student; frozen as `training.teacher` does."""
    return network("s", 1).eval().requires_grad_(False)


@pytest.fixture
def batch() -> LandmarkBatch:
    generator = torch.Generator().manual_seed(0)
    return LandmarkBatch(
        images=torch.randint(0, 255, (2, 1, SIZE, SIZE), dtype=torch.uint8, generator=generator),
        points=torch.rand((2, 68, 2), generator=generator) * SIZE,
        weight=torch.ones(2, 68),
        rgb=torch.randint(0, 255, (2, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator),
    )


def ktl(
    student: nn.Module, teacher: nn.Module | None, *names: str, **settings: str
) -> Distillation:
    config = MethodConfig(name="ktl", sigma=0.0, **settings)  # type: ignore[arg-type]
    return mlcm_kd.knowledge_transfer(config, dict.fromkeys(names, 1.0), student, teacher)


def learning(module: nn.Module) -> set[str]:
    """Parameters with a gradient that is not 0."""
    return {
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }


def parts(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def only(terms: Terms) -> Tensor:
    (value,) = terms.all().values()
    return value


@pytest.mark.parametrize(
    ("term", "in_student", "in_adapters"),
    [
        ("keypoints", {"backbone", "head"}, set()),
        ("map", {"backbone", "head"}, set()),
        ("feature", {"backbone"}, {"to_teacher"}),
        ("logits", {"backbone", "head"}, set()),
        ("forward_injection", {"head"}, {"to_student"}),
        ("reverse_injection", {"backbone"}, {"to_teacher"}),
    ],
)
def test_each_term_reaches_what_it_is_for(
    batch: LandmarkBatch,
    student: RTMPose,
    teacher: RTMPose,
    term: str,
    in_student: set[str],
    in_adapters: set[str],
) -> None:
    method = ktl(student, teacher, term)
    only(method(batch, student, teacher)).backward()
    assert parts(learning(student)) == in_student
    assert parts(learning(method)) == in_adapters == parts(set(dict(method.named_parameters())))
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_only_weighted_terms_are_computed(
    batch: LandmarkBatch, student: RTMPose, teacher: RTMPose
) -> None:
    weights = {"keypoints": 0.1, "feature": 1e-3, "logits": 0.0, "reverse_injection": 0.0}
    method = mlcm_kd.knowledge_transfer(MethodConfig(name="ktl"), weights, student, teacher)
    terms = method(batch, student, teacher)
    assert (set(terms.task), set(terms.distill)) == ({"keypoints"}, {"feature"})
    everything = ktl(student, teacher, *ALL)(batch, student, teacher)
    assert (tuple(everything.task), tuple(everything.distill)) == (TASK_TERMS, DISTILL_TERMS)


def test_task_terms_alone_need_no_teacher(batch: LandmarkBatch, student: RTMPose) -> None:
    method = ktl(student, None, "keypoints", "map")
    terms = method(replace(batch, rgb=None), student, None)
    assert set(terms.all()) == {"keypoints", "map"}
    assert not list(method.parameters())


@pytest.mark.parametrize("target", ["student", "teacher"])
def test_injections_are_the_crossed_networks(
    batch: LandmarkBatch, student: RTMPose, teacher: RTMPose, target: str
) -> None:
    """Against the definitions, step by step, in a student that stands still."""
    student.eval()
    assert batch.rgb is not None
    method = ktl(student, teacher, *DISTILL_TERMS, reverse_target=target)
    with torch.no_grad():
        terms = method(batch, student, teacher).distill
        mine = student.backbone(normalise_input(batch.images))[-1]
        other = teacher.backbone(normalise_input(batch.rgb))[-1]
        ss, tt = student.head(mine), teacher.head(other)
        ts, st = student.head(method.to_student(other)), teacher.head(method.to_teacher(mine))
    for name, predicted, aim in (
        ("logits", ss, tt),
        ("forward_injection", ts, tt),
        ("reverse_injection", st, ss if target == "student" else tt),
    ):
        expected = sum(
            -(a.softmax(-1) * p.log_softmax(-1)).sum() / len(p)
            for p, a in zip(predicted, aim, strict=True)
        )
        assert float(terms[name]) == pytest.approx(float(expected), rel=1e-4), name


def test_equal_widths_need_no_adapter(batch: LandmarkBatch, student: RTMPose) -> None:
    twin = network("t", 0).eval().requires_grad_(False)
    method = mlcm_kd.model_compression(
        MethodConfig(name="mcl"), dict.fromkeys(ALL, 1.0), student, twin
    )
    assert not list(method.parameters())
    terms = method(batch, student.eval(), twin).distill
    assert terms["feature"].item() == 0  # the same network, shown the same pictures
    assert torch.equal(terms["forward_injection"], terms["logits"])


def test_the_teacher_sees_colours_in_ktl_and_the_same_picture_in_mcl(
    batch: LandmarkBatch, student: RTMPose, teacher: RTMPose
) -> None:
    with pytest.raises(ValueError, match="ktl: the batch has no rgb"):
        ktl(student, teacher, "logits")(replace(batch, rgb=None), student, teacher)
    mcl = mlcm_kd.model_compression(MethodConfig(name="mcl"), {"logits": 1.0}, student, teacher)
    with_colour = only(mcl(batch, student.eval(), teacher))
    assert torch.equal(with_colour, only(mcl(replace(batch, rgb=None), student, teacher)))


def buffers(*networks: nn.Module) -> Iterator[Tensor]:
    for one in networks:
        yield from one.buffers()


def test_injected_features_leave_the_norms_statistics_alone(
    batch: LandmarkBatch, student: RTMPose, teacher: RTMPose
) -> None:
    for one in (student, teacher):
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in one.head.modules())
    plain = network("t", 0).train()
    ktl(plain, None, "keypoints")(batch, plain, None)
    before = [value.clone() for value in teacher.buffers()]
    ktl(student, teacher, *ALL)(batch, student, teacher)
    for mine, other in zip(buffers(student), buffers(plain), strict=True):
        assert torch.equal(mine, other)
    for old, new in zip(before, teacher.buffers(), strict=True):
        assert torch.equal(old, new)
    assert not teacher.training


def test_heads_stay_in_float32_under_autocast(
    batch: LandmarkBatch, student: RTMPose, teacher: RTMPose
) -> None:
    seen: list[torch.dtype] = []
    for head in (student.head, teacher.head):
        head.cls_x.register_forward_hook(lambda _, given, out: seen.append(out.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = ktl(student, teacher, *ALL)(batch, student, teacher)
    assert seen == [torch.float32] * 4  # both networks, both injections
    assert all(value.dtype == torch.float32 for value in terms.all().values())


def test_mistakes_are_named(student: RTMPose, teacher: RTMPose) -> None:
    with pytest.raises(ConfigError, match=r"weights\.kl: ktl has the terms \['keypoints'"):
        ktl(student, teacher, "keypoints", "kl")
    with pytest.raises(ConfigError, match=r"teacher\.checkpoint: missing; \['logits'\]"):
        ktl(student, None, "keypoints", "logits")
    large = rtmpose.build("t", input_size=(96, 96))
    with pytest.raises(ConfigError, match="made for another input size"):
        ktl(student, large, "logits")
    more = rtmpose.build("t", keypoints=98, input_size=(SIZE, SIZE))
    with pytest.raises(ConfigError, match="another number of landmarks"):
        ktl(student, more, "logits")
    with pytest.raises(ValueError, match="the teacher must be an RTMPose"):
        ktl(student, nn.Identity(), "logits")
