"""The settings of one training run: frozen dataclasses, read from TOML, changed by `--set`.

A key that no dataclass has, or a value of another type, stops the run and says which.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.synthesis.config import SynthesisConfig
from training.synthesis.facts import WORN

TASKS = ("landmarks", "detector")
PRECISIONS = ("fp32", "bf16")

T = TypeVar("T")


class ConfigError(ValueError):
    """A setting is unknown, of the wrong type, or not allowed; the message names it."""


@dataclass(frozen=True)
class DataConfig:
    """Where samples come from. `pool` is a folder of rendered shards."""

    pool: str
    samples_per_epoch: int
    val_samples: int
    seed: int = 0
    workers: int = 1  # loader processes; 0 loads in the training process
    max_abs_yaw: float = 180.0  # degrees; persons turned further are left out
    exclude: tuple[str, ...] = ()  # persons with these are left out: glasses, mask, beard ...
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)

    def __post_init__(self) -> None:
        for name in self.exclude:
            _require_one_of("data.exclude", name, WORN)


@dataclass(frozen=True)
class MethodConfig:
    """Which of `training.distill.METHODS` gives the terms, and its settings."""

    name: str
    sigma: float = 6.0  # bins; width of the smoothed SimCC target (RTMPose: 5.66 at 256 pixels)
    label_beta: float = 0.0  # > 0: targets are softmax(beta * gaussian) instead of the gaussian


@dataclass(frozen=True)
class OptimiserConfig:
    """AdamW, linear warm-up, then a cosine down to `final_ratio` of the learning rate."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.05  # not on norms and biases
    warmup_steps: int = 300
    final_ratio: float = 0.02
    clip_norm: float = 10.0  # largest global gradient norm; 0 = no limit
    ema_decay: float = 0.9995


@dataclass(frozen=True)
class LoopConfig:
    """How long to train, and how often to look."""

    batch: int = 32  # samples a step and process
    epochs: int = 100
    max_minutes: float = 0.0  # the schedule also ends after this time; 0 = no limit
    checkpoint_minutes: float = 5.0
    validate_every: int = 1  # epochs
    log_every: int = 50  # steps


@dataclass(frozen=True)
class HardwareConfig:
    device: str = "auto"  # cuda if there is one, else cpu
    precision: str = "bf16"  # of the networks' matrix products; losses are always fp32
    threads: int = 0  # of the training process on a CPU; 0 = as torch decides
    channels_last: bool = True


@dataclass(frozen=True)
class RunConfig:
    name: str  # checkpoints and logs go to .checkpoints/<name>
    task: str
    variant: str
    data: DataConfig
    method: MethodConfig
    weights: Mapping[str, float]  # one for each term of the method
    seed: int = 0
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)

    def __post_init__(self) -> None:
        _require_one_of("task", self.task, TASKS)
        _require_one_of("hardware.precision", self.hardware.precision, PRECISIONS)
        if self.loop.batch > self.data.samples_per_epoch:
            raise ConfigError("loop.batch: larger than data.samples_per_epoch")

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, as a checkpoint stores them; `from_dict` is its inverse.

        Of the synthesis what differs from its defaults, which the git revision fixes.
        """
        table = asdict(self)
        table["data"]["synthesis"] = self.data.synthesis.changed()
        return table


def load_config(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """Read a TOML file, then apply overrides such as `loop.batch=16`."""
    table = tomllib.loads(path.read_text())
    for override in overrides:
        _apply_override(table, override)
    return from_dict(table)


def from_dict(table: Mapping[str, Any]) -> RunConfig:
    return _build(RunConfig, table, "")


def from_overrides(kind: type[T], overrides: Iterable[str]) -> T:
    """A configuration with defaults for all, changed by overrides such as `hair.share=[0,1]`."""
    table: dict[str, Any] = {}
    for override in overrides:
        _apply_override(table, override)
    return _build(kind, table, "")


def _apply_override(table: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(f"--set {override}: expected key=value")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{key}: {parent} is a value, not a table")
    table[leaf] = _parse_value(text.strip())


def _parse_value(text: str) -> Any:
    """A TOML value; anything that is none (a bare word, a path) is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(kind: type[T], table: Any, prefix: str) -> T:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{prefix.rstrip('.')}: expected a table, got {table!r}")
    hints = get_type_hints(kind)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"{prefix}{unknown[0]}: unknown setting; known: {sorted(hints)}")
    values = {key: _convert(hints[key], value, prefix + key) for key, value in table.items()}
    required = {f.name for f in fields(kind) if _is_required(f)}  # type: ignore[arg-type]
    missing = sorted(required - set(values))
    if missing:
        raise ConfigError(f"{prefix}{missing[0]}: missing")
    try:
        return kind(**values)
    except ConfigError:
        raise
    except ValueError as error:  # the synthesis knows nothing of this module
        raise ConfigError(f"{prefix}{error}") from None


def _is_required(setting: Any) -> bool:
    return setting.default is MISSING and setting.default_factory is MISSING


def _convert(hint: Any, value: Any, key: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, key + ".")  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _convert_tuple(get_args(hint), value, key)
    if hint == Mapping[str, float]:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key}: expected a table, got {value!r}")
        return {name: _convert(float, item, f"{key}.{name}") for name, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{key}: expected {hint.__name__}, got {type(value).__name__} {value!r}")
    return value


def _convert_tuple(hints: tuple[Any, ...], value: Any, key: str) -> tuple[Any, ...]:
    """A list of TOML for `tuple[float, float]` (so many) or `tuple[str, ...]` (any number)."""
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{key}: expected a list, got {value!r}")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise ConfigError(f"{key}: expected {len(hints)} values, got {value!r}")
    return tuple(
        _convert(hint, item, f"{key}[{i}]")
        for i, (hint, item) in enumerate(zip(hints, value, strict=True))
    )


def _require_one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key}: {value!r} is not one of {list(allowed)}")
