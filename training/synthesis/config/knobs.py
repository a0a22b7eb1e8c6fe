"""What a configuration is made of: ranges, weights, and knobs that say what they are."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any

import numpy as np

Range = tuple[float, float]
Weights = Mapping[str, float]


def knob(default: Any, what: str, source: str) -> Any:
    """A field of a configuration that also says what it is (with its unit) and its source."""
    note = {"what": what, "source": source}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=note)
    return field(default=default, metadata=note)


def pick(weights: Weights, rng: np.random.Generator) -> str:
    """A key of a table of relative weights, at random."""
    draw = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        draw -= weight
        if draw < 0:
            return name
    return [name for name, weight in weights.items() if weight > 0][-1]  # rounding


def log_uniform(ends: Range, rng: np.random.Generator) -> float:
    """Between the ends of a range above 0, as likely in each octave."""
    return float(np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]))))


def differences(ours: Any, usual: Any) -> dict[str, Any]:
    """The fields of a configuration that differ from another's, as nested plain values."""
    found: dict[str, Any] = {}
    for item in fields(ours):
        value, other = getattr(ours, item.name), getattr(usual, item.name)
        if is_dataclass(value):
            inner = differences(value, other)
            if inner:
                found[item.name] = inner
        elif value != other:
            found[item.name] = value
    return found
