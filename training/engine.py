"""The loop: one epoch of steps, and one pass over the validation samples."""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from training.config import OptimiserConfig
from training.data.sample import DetectorBatch, LandmarkBatch
from training.devices import Runtime
from training.schedule import AveragedModel, EarlyStop, Progress, learning_rate
from training.weighting import Method, Weighting, total

Batch = LandmarkBatch | DetectorBatch


class NonFiniteLoss(RuntimeError):
    """A term, or the gradient, became infinite or not a number; the message names the step and all
    terms."""


class StepListener(Protocol):
    """Told after each step: its number (from 1) and its scalars by name."""

    def __call__(self, step: int, scalars: dict[str, float]) -> None: ...


@dataclass(frozen=True)
class Recipe:
    """What does not change while training. The teacher, if any, comes frozen and in eval mode;
    nothing here changes its mode."""

    method: Method
    weighting: Weighting
    optimiser: OptimiserConfig
    runtime: Runtime
    teacher: nn.Module | None = None


@dataclass
class RunState:
    """What does. `step` counts finished steps; `adapters` are the method's own weights, if it has
    any, trained by the same optimiser but not part of the student."""

    student: nn.Module
    averaged: AveragedModel
    optimiser: torch.optim.Optimizer
    progress: Progress
    step: int = 0
    adapters: nn.Module = field(default_factory=nn.Module)
    early_stop: EarlyStop = field(default_factory=lambda: EarlyStop(patience=0))


def train_one_epoch(
    recipe: Recipe,
    state: RunState,
    batches: Iterator[Batch],
    steps: int,
    after_step: StepListener,
) -> bool:
    """Take up to `steps` steps. True when the run is over, by its steps or by its time."""
    runtime = recipe.runtime
    state.student.train()
    for _ in range(steps):
        progress = runtime.largest(state.progress.at(state.step))
        if progress >= 1:
            return True
        start = time.perf_counter()
        batch = next(batches).to(runtime.device)
        waited = time.perf_counter() - start
        scalars = train_step(recipe, state, batch, progress)
        after_step(state.step, {**scalars, "data_wait": waited})
    return runtime.largest(state.progress.at(state.step)) >= 1


def train_step(recipe: Recipe, state: RunState, batch: Batch, progress: float) -> dict[str, float]:
    """One update of the student, its average and the method's own weights. Scalars to log."""
    runtime = recipe.runtime
    parameters = [*state.student.parameters(), *state.adapters.parameters()]
    rate = learning_rate(recipe.optimiser, state.step, progress)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    with runtime.autocast():
        terms = recipe.method(batch, state.student, recipe.teacher)
    loss = total(terms, recipe.weighting(terms, progress))
    scalars = {name: float(value.detach()) for name, value in terms.all().items()}
    scalars["loss"] = float(loss.detach())
    # Agreed between processes before the gradients are shared, or the others would wait for ever.
    if runtime.largest(float(not all(map(math.isfinite, scalars.values())))):
        raise NonFiniteLoss(f"step {state.step + 1}: {scalars}")

    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    runtime.average_gradients(parameters)
    limit = recipe.optimiser.clip_norm or math.inf
    norm = float(nn.utils.clip_grad_norm_(parameters, limit, foreach=True))
    if not math.isfinite(norm):  # one such step would spoil every weight
        raise NonFiniteLoss(f"step {state.step + 1}: gradient norm {norm}, {scalars}")
    state.optimiser.step()
    state.averaged.update(state.student, state.step)
    state.step += 1
    return {**scalars, "gradient_norm": norm, "learning_rate": rate}


@torch.no_grad()
def evaluate(
    graph: nn.Module, batches: Iterable[Batch], runtime: Runtime
) -> Iterator[tuple[Batch, tuple[Tensor, ...]]]:
    """Each batch with the outputs of `graph(images)`, in eval mode and float32, on the CPU."""
    graph.eval()
    for batch in batches:
        with runtime.autocast():
            outputs = graph(batch.images.to(runtime.device))
        yield batch, tuple(output.float().cpu() for output in outputs)
