"""How large a study is: which networks, how many steps, seeds and views. One TOML file a profile.

A key that no profile has, or a value of another type, stops the study and says which.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.config import ConfigError, from_table
from training.distill.mlcm_kd import DISTILL_TERMS, TASK_TERMS
from training.models.rtmpose import VARIANTS

PROFILES: Final = Path(__file__).parent / "profiles"
BACKBONES: Final = ("random", "rgb")
REVERSE_TARGETS: Final = ("student", "teacher")


@dataclass(frozen=True)
class Profile:
    """Steps, not minutes, end a run, so that results do not depend on what else a machine does.

    pairs and ablation: a teacher and a student as the paper writes them: `st` is s teaching t.
    """

    name: str
    persons: int  # of the training pool, rendered in colour and heat
    held_out_persons: int  # of the other pool, on which finished networks are measured
    views: int  # of the held-out persons, the same for every network
    input_size: int  # pixels, both sides
    batch: int
    seeds: tuple[int, ...]  # of the first weights, and of what is drawn in which order
    rgb_start: str  # the repository whose networks RGB runs start from; empty: random weights
    backbones: str  # of all others, under fresh heads: `random`, or `rgb`, their variant's RGB run
    teacher_steps: int  # of RGB runs, and of the thermal teachers of the second level
    arm_steps: int  # of everything that is compared
    supervised: tuple[str, ...]  # Table I: variants trained from labels alone
    pairs: tuple[str, ...]  # Table I: conventional and two-level distillation
    ablation: str  # Tables III to V, Figure 5
    reverse_target: str  # of the full method: `student` (Eq. 4) or `teacher` (the prose)
    early_steps: int  # Table V, Figure 5: the first ones of a run
    jobs: int  # runs at once
    latency_rounds: int  # Table II, Figure 4: calls of each network
    weights: Mapping[str, float]  # of every term; an arm takes those that it has
    settings: tuple[str, ...]  # further `--set` arguments of every run

    @property
    def other_target(self) -> str:
        """The target that `reverse_target` is not."""
        return REVERSE_TARGETS[1 - REVERSE_TARGETS.index(self.reverse_target)]

    def __post_init__(self) -> None:
        for pair in (*self.pairs, self.ablation):
            if len(pair) != 2:
                raise ConfigError(f"{pair!r}: a pair is the teacher's letter and the student's")
        for variant in "".join((*self.supervised, *self.pairs, self.ablation)):
            if variant not in VARIANTS:
                raise ConfigError(f"unknown variant {variant!r}: choose from {', '.join(VARIANTS)}")
        for term in set(self.weights) ^ {*TASK_TERMS, *DISTILL_TERMS}:
            state = "unknown" if term in self.weights else "missing"
            raise ConfigError(f"weights.{term}: {state}")
        if self.backbones not in BACKBONES:
            raise ConfigError(f"backbones: not one of {', '.join(BACKBONES)}")
        if self.reverse_target not in REVERSE_TARGETS:
            raise ConfigError(f"reverse_target: not one of {', '.join(REVERSE_TARGETS)}")
        if not self.seeds:
            raise ConfigError("seeds: at least one")
        if self.early_steps > self.arm_steps:
            raise ConfigError(f"early_steps: more than the {self.arm_steps} of a run")
        for name in ("persons", "held_out_persons", "views", "batch", "jobs", "latency_rounds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: at least 1")


def load_profile(name: str) -> Profile:
    """One of `profiles/`, by the name of its file, or any TOML file by its path."""
    path = Path(name) if name.endswith(".toml") else PROFILES / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in PROFILES.glob("*.toml"))
        raise ConfigError(f"no profile {name!r}; there are {', '.join(known)}")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from None
    return from_table(Profile, {**table, "name": path.stem})
