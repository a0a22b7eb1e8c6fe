"""What a configuration is made of: ranges, weights, and knobs that say what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import numpy as np

Range = tuple[float, float]
Weights = Mapping[str, float]


def knob(default: Any, what: str, source: str) -> Any:
    """A field of a configuration that also says what it is (with its unit) and its source."""
    note: dict[str, Any] = {"what": what, "source": source}
    if isinstance(default, Mapping):
        # Kinds are drawn by name; numbers and sizes (`0.6`, `320x240`) can be any.
        note["kinds"] = tuple(name for name in default if not name[0].isdigit())
        return field(default_factory=lambda: dict(default), metadata=note)
    return field(default=default, metadata=note)


@dataclass(frozen=True)
class Room:
    """What the rooms of a configuration are: ValueError for a table that cannot be drawn from."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value, kinds = getattr(self, item.name), item.metadata.get("kinds")
            if not isinstance(value, Mapping):
                continue
            for name in value:
                if kinds and name not in kinds:
                    raise ValueError(f"{item.name}.{name}: not one of {list(kinds)}")
            if min(value.values(), default=0) < 0 or not sum(value.values()) > 0:
                raise ValueError(f"{item.name}: weights may not be below 0, nor all 0")


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
