"""The loop: one epoch of steps, and one pass over the validation samples."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from training.config import RunConfig
from training.data.sample import DetectorBatch, LandmarkBatch
from training.devices import Runtime
from training.schedule import AveragedModel, Progress, learning_rate
from training.weighting import Method, Weighting, total

Batch = LandmarkBatch | DetectorBatch


class NonFiniteLoss(RuntimeError):
    """A term became infinite or not a number; the message names it and the step."""


class Reporter(Protocol):
    """Who is told about each step: see `training.reporting`."""

    def step(self, step: int, scalars: dict[str, float]) -> None: ...


@dataclass
class RunState:
    """All that changes while training. `step` counts finished steps."""

    student: nn.Module
    averaged: AveragedModel
    optimiser: torch.optim.Optimizer
    progress: Progress
    step: int = 0


def train_one_epoch(
    config: RunConfig,
    state: RunState,
    batches: Iterator[Batch],
    steps: int,
    method: Method,
    weighting: Weighting,
    runtime: Runtime,
    reporter: Reporter,
    teacher: nn.Module | None = None,
    after_step: Callable[[], None] = lambda: None,
) -> bool:
    """Take up to `steps` steps. True when the run's time is up.

    A teacher is used as it comes: eval mode is the caller's part, and nothing here changes it.
    """
    state.student.train()
    for _ in range(steps):
        progress = runtime.largest(state.progress.at(state.step))
        if progress >= 1:
            return True
        waited = time.perf_counter()
        batch = next(batches).to(runtime.device)
        waited = time.perf_counter() - waited
        scalars = _step(config, state, batch, method, weighting, runtime, teacher, progress)
        reporter.step(state.step, {**scalars, "data_wait": waited})
        after_step()
    return False


def _step(
    config: RunConfig,
    state: RunState,
    batch: Batch,
    method: Method,
    weighting: Weighting,
    runtime: Runtime,
    teacher: nn.Module | None,
    progress: float,
) -> dict[str, float]:
    rate = learning_rate(config.optimiser, state.step, progress)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    with runtime.autocast():
        terms = method(batch, state.student, teacher)
    loss = total(terms, weighting(terms, progress))
    scalars = {name: float(value.detach()) for name, value in terms.all().items()}
    scalars["loss"] = float(loss.detach())
    # Agreed between processes before the shared sum, or the others would wait for ever.
    if runtime.largest(float(not all(map(math.isfinite, scalars.values())))):
        raise NonFiniteLoss(f"step {state.step}: {scalars}")

    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    runtime.average_gradients(state.student.parameters())
    limit = config.optimiser.clip_norm or math.inf
    norm = nn.utils.clip_grad_norm_(state.student.parameters(), limit, foreach=True)
    state.optimiser.step()
    state.averaged.update(state.student, state.step)
    state.step += 1
    return {**scalars, "gradient_norm": float(norm), "learning_rate": rate}


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    predict: Callable[[nn.Module, Batch], Tensor],
    runtime: Runtime,
) -> Iterator[tuple[Batch, Tensor]]:
    """Each validation batch with what `predict` makes of it, both on the CPU."""
    was_training = model.training
    model.eval()
    for batch in batches:
        with runtime.autocast():
            predicted = predict(model, batch.to(runtime.device))
        yield batch.to("cpu"), predicted.float().cpu()
    model.train(was_training)
