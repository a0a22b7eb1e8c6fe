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
    """The same weights throughout. A term without a weight, or the reverse, is an error."""

    def weigh(terms: Terms, progress: float) -> Mapping[str, float]:
        names = terms.all().keys()
        if names != weights.keys():
            raise ValueError(f"weights are for {sorted(weights)}, the terms are {sorted(names)}")
        return weights

    return weigh


def total(terms: Terms, weights: Mapping[str, float]) -> Tensor:
    """The weighted sum, a float32 scalar."""
    values = terms.all()
    first, *rest = (values[name] * weight for name, weight in weights.items())
    return sum(rest, start=first)
