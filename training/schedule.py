"""What moves with the run's progress: the learning rate and the averaged weights."""

import copy
import math
import time
from dataclasses import dataclass

import torch
from torch import nn

from training.config import LoopConfig, OptimiserConfig


class Progress:
    """How far the run is, 0 to 1: by steps or by time, whichever is further.

    With a time limit the cosine reaches its end on a machine of any speed.
    """

    def __init__(self, loop: LoopConfig, total_steps: int) -> None:
        self._limit = loop.max_minutes
        self._total_steps = total_steps
        self._start = time.monotonic()

    def resume(self, minutes: float) -> None:
        """Count on from the minutes an interrupted run had taken."""
        self._start = time.monotonic() - 60 * minutes

    @property
    def minutes(self) -> float:
        return (time.monotonic() - self._start) / 60

    def at(self, step: int) -> float:
        by_time = self.minutes / self._limit if self._limit > 0 else 0.0
        return min(max(by_time, step / self._total_steps), 1.0)


@dataclass
class EarlyStop:
    """Whether a run should end before its time: no better validation for `patience` epochs."""

    patience: int  # 0 = never
    error: float = math.inf  # of the best epoch so far
    epoch: int = 0  # which that was

    def see(self, epoch: int, error: float) -> bool:
        """Take note of an epoch's validation error. True when it is the best so far."""
        better = error < self.error or math.isinf(self.error)
        if better:
            self.error, self.epoch = error, epoch
        return better

    def is_over(self, epoch: int) -> bool:
        return 0 < self.patience <= epoch - self.epoch


def learning_rate(config: OptimiserConfig, step: int, progress: float) -> float:
    """Linear warm-up over steps, times a cosine over progress."""
    warmup = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    cosine = (1 + math.cos(math.pi * progress)) / 2
    low = config.final_ratio
    return config.learning_rate * warmup * (low + (1 - low) * cosine)


def optimiser_for(model: nn.Module, config: OptimiserConfig) -> torch.optim.AdamW:
    """AdamW; vectors and scalars (biases, norms, scales) are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


class AveragedModel:
    """Exponential moving average of the weights and of the norms' statistics.

    Early on the decay is lower, so that the random start is soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self._decay, (1 + step) / (10 + step))
        mine, theirs = self.model.state_dict(), model.state_dict()
        floats = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_([mine[n] for n in floats], [theirs[n] for n in floats], 1 - decay)
        for name in mine.keys() - set(floats):
            mine[name].copy_(theirs[name])
