"""The settings of one training run: frozen dataclasses, read from TOML, changed by `--set`.

A key that no dataclass has, or a value of another type, stops the run and says which.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from training.config_table import ConfigError as ConfigError
from training.config_table import apply_override, build, require_one_of
from training.synthesis.config import SynthesisConfig
from training.synthesis.facts import WORN

TASKS = ("landmarks", "detector")
PRECISIONS = ("fp32", "bf16")
MODALITIES = ("thermal", "rgb", "paired")
# Below, the head's 7x7 convolution sees a 2x2 map, where oneDNN's bfloat16 gradient is garbage.
SMALLEST_BF16 = 96

T = TypeVar("T")


@dataclass(frozen=True)
class AugmentConfig:
    """How the training crops of data sets on disk vary; rendered persons vary by `synthesis`."""

    crop_scale: tuple[float, float] = (1.05, 1.65)  # side of the crop / longer side of the box
    shift: float = 0.07  # spread of the crop's centre / longer side of the box, up to 0.15
    rotation: float = 20.0  # degrees, at most, either way
    flip: float = 0.5  # chance of the mirror image
    black_hot: float = 0.1  # chance, of thermal pictures alone

    def __post_init__(self) -> None:
        if not 0.5 <= self.crop_scale[0] <= self.crop_scale[1]:
            raise ConfigError("data.augment.crop_scale: from 0.5 up, the smaller one first")
        for name in ("shift", "rotation", "flip", "black_hot"):
            if not 0 <= getattr(self, name) <= (180 if name == "rotation" else 1):
                raise ConfigError(f"data.augment.{name}: {getattr(self, name)} is out of range")


@dataclass(frozen=True)
class DataConfig:
    """Where samples come from: `pool` is a folder of rendered shards, or else `sets` names data
    sets on disk, see `training.data.sets`."""

    pool: str
    samples_per_epoch: int
    val_samples: int
    seed: int = 0
    workers: int = 1  # loader processes; 0 loads in the training process
    max_abs_yaw: float = 180.0  # degrees; persons turned further are left out
    exclude: tuple[str, ...] = ()  # persons with these are left out: glasses, mask, beard ...
    # What landmark samples hold: thermal crops, colour crops alone, or both, pixel by pixel. The
    # same seed and index give the same person, crop and points in all three.
    modality: str = "thermal"
    input_size: int = 256  # pixels a side of a landmark crop; 256 serves, 128 is for quick studies
    sets: tuple[str, ...] = ()  # instead of the pool: NAME=DIR[,OPTION=VALUE...]
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)

    def __post_init__(self) -> None:
        for name in self.exclude:
            require_one_of("data.exclude", name, WORN)
        require_one_of("data.modality", self.modality, MODALITIES)
        if self.input_size % 32 or not 32 <= self.input_size <= 256:
            raise ConfigError(f"data.input_size: {self.input_size} is no multiple of 32 up to 256")


@dataclass(frozen=True)
class MethodConfig:
    """Which of `training.distill.METHODS` gives the terms, and its settings."""

    name: str
    sigma: float = 6.0  # bins; width of the SimCC target (RTMPose: 5.66 at 256 pixels); 0: one-hot
    label_beta: float = 0.0  # > 0: targets are softmax(beta * gaussian) instead of the gaussian
    decay_warmup: float = 0.1  # part of the run before distillation terms fade (alpha / T of Eq. 7)
    reverse_target: str = "student"  # whose own output reverse injection aims at; or "teacher"

    def __post_init__(self) -> None:
        require_one_of("method.reverse_target", self.reverse_target, ("student", "teacher"))
        if not 0 <= self.decay_warmup <= 1:
            raise ConfigError("method.decay_warmup: a part of the run, 0 to 1")
        if self.sigma < 0:
            raise ConfigError("method.sigma: at least 0")


@dataclass(frozen=True)
class TeacherConfig:
    """The finished network that a student learns from; frozen."""

    checkpoint: str = ""  # of training.train (.pt), or a model of training.export (.onnx)


@dataclass(frozen=True)
class StartConfig:
    """The weights that a run starts from, instead of random ones."""

    checkpoint: str = ""  # of training.train (.pt), or a model of training.export (.onnx)
    part: str = "all"  # or "backbone": of a network of the same variant, under a fresh head

    def __post_init__(self) -> None:
        require_one_of("start.part", self.part, ("all", "backbone"))


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
    patience: int = 0  # epochs without a better validation until the run ends; 0 = no early end
    log_every: int = 50  # steps


@dataclass(frozen=True)
class HardwareConfig:
    device: str = "auto"  # cuda if there is one, else cpu
    # Of the networks' matrix products; losses are always fp32. On processors that have no bf16,
    # fp32 is three times as fast.
    precision: str = "bf16"
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
    start: StartConfig = field(default_factory=StartConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    hardware: HardwareConfig = field(default_factory=HardwareConfig)

    def __post_init__(self) -> None:
        require_one_of("task", self.task, TASKS)
        require_one_of("hardware.precision", self.hardware.precision, PRECISIONS)
        if self.loop.batch > self.data.samples_per_epoch:
            raise ConfigError("loop.batch: larger than data.samples_per_epoch")
        if not any(self.weights.values()):
            raise ConfigError("weights: none is above 0")
        if self.task == "detector" and (self.data.modality, self.data.input_size) != (
            "thermal",
            256,
        ):
            raise ConfigError("data: modality and input_size are for landmarks")
        if self.hardware.precision == "bf16" and self.data.input_size < SMALLEST_BF16:
            raise ConfigError(f"data.input_size: bf16 needs {SMALLEST_BF16} pixels")

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
        apply_override(table, override)
    return from_dict(table)


def from_dict(table: Mapping[str, Any]) -> RunConfig:
    return build(RunConfig, table)


def from_table(kind: type[T], table: Mapping[str, Any]) -> T:
    """Any frozen dataclass of such settings from a table of TOML."""
    return build(kind, table)


def from_overrides(kind: type[T], overrides: Iterable[str]) -> T:
    """A configuration with defaults for all, changed by overrides such as `hair.share=[0,1]`."""
    table: dict[str, Any] = {}
    for override in overrides:
        apply_override(table, override)
    return build(kind, table)
