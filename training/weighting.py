"""Named, unweighted loss terms, and what makes weights of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Terms:
    """What a method returns: unweighted float32 scalars by name, each lower is better.

    task: from the labels. distill: from a teacher. No name is in both.
    """

    task: Mapping[str, Tensor]
    distill: Mapping[str, Tensor] = field(default_factory=dict)

    def all(self) -> dict[str, Tensor]:
        return {**self.task, **self.distill}


# (batch, student, teacher or None) -> terms
Method = Callable[[Any, nn.Module, nn.Module | None], Terms]

# (terms, progress of the run from 0 to 1) -> one weight a term
Weighting = Callable[[Terms, float], Mapping[str, float]]


def constant(weights: Mapping[str, float]) -> Weighting:
    """The same weights throughout. A term without a weight, or the reverse, is an error; what
    weighs 0 may be left out by the method."""

    def weigh(terms: Terms, progress: float) -> Mapping[str, float]:
        names = terms.all().keys()
        if names - weights.keys() or {name for name in weights if weights[name]} - names:
            raise ValueError(f"weights are for {sorted(weights)}, the terms are {sorted(names)}")
        return {name: weights[name] for name in names}

    return weigh


def decaying(weights: Mapping[str, float], warmup: float) -> Weighting:
    """Equations 8 and 9 of MLCM-KD: task terms by their weights, those from a teacher also times
    `distillation_decay`."""
    unscaled = constant(weights)

    def weigh(terms: Terms, progress: float) -> Mapping[str, float]:
        scale = distillation_decay(progress, warmup)
        given = unscaled(terms, progress)
        return {name: given[name] * (scale if name in terms.distill else 1.0) for name in given}

    return weigh


def distillation_decay(progress: float, warmup: float) -> float:
    """Equation 7: gamma, 1 up to the end of the warm-up, then falling by the rest of the run.

    progress: t / T, 0 to 1. warmup: alpha / T; the paper names no value. At the end of the run
    gamma is alpha / T, not 0; with a warm-up of 1 it stays 1.
    """
    return 1.0 if progress <= warmup else 1.0 - (progress - warmup)


def total(terms: Terms, weights: Mapping[str, float]) -> Tensor:
    """The weighted sum, a float32 scalar."""
    values = terms.all()
    first, *rest = (values[name] * weight for name, weight in weights.items())
    return sum(rest, start=first)
