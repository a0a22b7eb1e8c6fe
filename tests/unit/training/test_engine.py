import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from training.config import LoopConfig, OptimiserConfig
from training.data.sample import LandmarkBatch
from training.data.stream import StreamSampler
from training.devices import Runtime
from training.engine import Batch, NonFiniteLoss, Recipe, RunState, evaluate, train_one_epoch
from training.schedule import AveragedModel, EarlyStop, Progress, learning_rate, optimiser_for
from training.weighting import Method, Terms, constant, total

CPU = Runtime(torch.device("cpu"), "fp32")
OPTIMISER = OptimiserConfig(learning_rate=0.1, warmup_steps=1, weight_decay=0.0)


def batches(count: int = 100) -> Iterator[Batch]:
    for value in range(count):
        yield LandmarkBatch(
            torch.full((2, 1, 4, 4), value, dtype=torch.uint8),
            torch.zeros(2, 1, 2),
            torch.ones(2, 1),
        )


def quadratic(batch: Any, student: nn.Module, teacher: nn.Module | None) -> Terms:
    """Smallest where the weights are 1."""
    weight = next(student.parameters())
    return Terms(task={"a": (weight - 1).square().sum()}, distill={"b": weight.sum() * 0})


def recipe(method: Method = quadratic, **weights: float) -> Recipe:
    return Recipe(method, constant(weights or {"a": 1.0, "b": 1.0}), OPTIMISER, CPU)


def state(total_steps: int = 10, **loop: Any) -> RunState:
    torch.manual_seed(0)
    student = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    return RunState(
        student,
        AveragedModel(student, 0.9),
        optimiser_for(student, OPTIMISER),
        Progress(LoopConfig(**loop), total_steps),
    )


def ignore(step: int, scalars: dict[str, float]) -> None:
    pass


def test_an_epoch_lowers_the_loss_and_logs_every_term() -> None:
    seen: list[dict[str, float]] = []
    run = state()
    over = train_one_epoch(recipe(), run, batches(), 5, lambda step, scalars: seen.append(scalars))
    assert not over
    assert run.step == 5
    assert seen[-1]["a"] < seen[0]["a"]
    assert seen[0].keys() >= {"a", "b", "loss", "learning_rate", "gradient_norm", "data_wait"}
    assert train_one_epoch(recipe(), run, batches(), 5, ignore)
    assert run.step == 10


def test_a_run_ends_when_its_time_is_up() -> None:
    assert train_one_epoch(recipe(), state(max_minutes=1e-9), batches(), 5, ignore)


def test_a_non_finite_term_stops_the_run_by_name() -> None:
    def broken(batch: Any, student: nn.Module, teacher: nn.Module | None) -> Terms:
        terms = quadratic(batch, student, teacher)
        return Terms(task={"a": terms.task["a"] * math.nan}, distill=terms.distill)

    run = state()
    before = [value.clone() for value in run.student.parameters()]
    with pytest.raises(NonFiniteLoss, match=r"step 1: .*'a': nan"):
        train_one_epoch(recipe(broken), run, batches(), 5, ignore)
    for old, new in zip(before, run.student.parameters(), strict=True):
        assert torch.equal(old, new)


def test_a_broken_gradient_stops_the_run_before_the_step() -> None:
    def broken(batch: Any, student: nn.Module, teacher: nn.Module | None) -> Terms:
        weight = next(student.parameters())
        # The value is 0, its gradient 0 * inf.
        return Terms(task={"a": (weight * 0).sum().sqrt()}, distill={"b": weight.sum() * 0})

    run = state()
    with pytest.raises(NonFiniteLoss, match="gradient norm nan"):
        train_one_epoch(recipe(broken), run, batches(), 5, ignore)
    assert all(torch.isfinite(value).all() for value in run.student.parameters())


def test_a_methods_own_weights_are_trained_but_not_averaged() -> None:
    def adapted(batch: Any, student: nn.Module, teacher: nn.Module | None) -> Terms:
        weight = next(student.parameters())
        return Terms(task={"a": (weight.sum() - run.adapters(torch.ones(1, 1)).sum()).square()})

    run = state()
    run.adapters = nn.Linear(1, 1)
    run.optimiser = optimiser_for(nn.ModuleList([run.student, run.adapters]), OPTIMISER)
    before = [value.clone() for value in run.adapters.parameters()]
    train_one_epoch(recipe(adapted, a=1.0), run, batches(), 3, ignore)
    for old, new in zip(before, run.adapters.parameters(), strict=True):
        assert not torch.equal(old, new)
    assert run.averaged.model.state_dict().keys() == run.student.state_dict().keys()


def test_early_stop_waits_for_its_epochs() -> None:
    stop = EarlyStop(patience=2)
    assert stop.see(1, math.inf)  # even a first failure is the best so far
    assert stop.see(2, 0.5)
    assert not stop.see(3, 0.5)
    assert not stop.is_over(3)
    assert not stop.see(4, 0.6)
    assert stop.is_over(4)
    assert (stop.error, stop.epoch) == (0.5, 2)
    assert not EarlyStop(patience=0).is_over(1000)


def test_terms_and_weights_must_be_the_same() -> None:
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        train_one_epoch(recipe(a=1.0), state(), batches(), 1, ignore)


def test_the_sum_is_weighted() -> None:
    terms = Terms(task={"a": torch.tensor(2.0)}, distill={"b": torch.tensor(3.0)})
    assert total(terms, {"a": 1.0, "b": 0.5}).item() == 3.5


def test_the_teacher_keeps_its_mode() -> None:
    teacher = nn.BatchNorm2d(1).eval()
    with_teacher = Recipe(quadratic, constant({"a": 1.0, "b": 1.0}), OPTIMISER, CPU, teacher)
    run = state()
    train_one_epoch(with_teacher, run, batches(), 1, ignore)
    assert not teacher.training
    assert run.student.training


def test_the_average_follows() -> None:
    run = state()
    train_one_epoch(recipe(), run, batches(), 3, ignore)
    raw, mean = run.student.state_dict(), run.averaged.model.state_dict()
    assert not torch.equal(raw["1.weight"], mean["1.weight"])
    assert not run.averaged.model.training


def test_norms_and_biases_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decayed, free = optimiser_for(model, OptimiserConfig(weight_decay=0.3)).param_groups
    assert (decayed["weight_decay"], len(decayed["params"])) == (0.3, 1)
    assert (free["weight_decay"], len(free["params"])) == (0.0, 3)


def test_learning_rate_warms_up_and_falls() -> None:
    config = OptimiserConfig(learning_rate=1.0, warmup_steps=10, final_ratio=0.1)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 9, 0.0) == 1.0
    assert learning_rate(config, 50, 0.5) == pytest.approx(0.55)
    assert learning_rate(config, 99, 1.0) == pytest.approx(0.1)


def test_progress_counts_on_after_resuming() -> None:
    progress = Progress(LoopConfig(max_minutes=10), total_steps=100)
    assert progress.at(50) == 0.5
    progress.resume(minutes=8)
    assert 0.8 <= progress.at(50) < 0.81


def test_evaluation_gives_batches_with_their_outputs() -> None:
    class Double(nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            assert not self.training
            return (images.float() * 2,)

    pairs = list(evaluate(Double(), batches(3), CPU))
    assert [float(outputs[0].mean()) for _, outputs in pairs] == [0.0, 2.0, 4.0]


def test_the_stream_is_shuffled_whole_and_resumable() -> None:
    whole = list(StreamSampler(10, 4, 5, seed=1))
    assert len(whole) == 5
    assert sorted(sum(whole, [])) == list(range(20))
    assert whole != list(StreamSampler(10, 4, 5, seed=2))
    assert list(StreamSampler(10, 4, 5, seed=1, first_step=3)) == whole[3:]
    assert len(StreamSampler(10, 4, 5, first_step=3)) == 2


def test_processes_share_the_stream() -> None:
    parts = [list(StreamSampler(12, 3, 2, rank=rank, world=2)) for rank in range(2)]
    assert sorted(sum(parts[0] + parts[1], [])) == list(range(12))
