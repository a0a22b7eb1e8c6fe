"""A small study for tests, and what it might have found."""

from dataclasses import replace

import numpy as np

from service.entities import FloatArray
from training.evaluation.groups import Groups
from training.paper.arms import Place, Run, plan
from training.paper.profile import Profile, load_profile
from training.paper.summary import Errors, synthetic_subsets
from training.paper.tables import Measured

PLACE = Place(".checkpoints", "paper/tiny", "persons")
FACES = 40


def tiny(**changes: object) -> Profile:
    """Two seeds of the two-cores profile, few steps."""
    small = {"seeds": (1, 2), "arm_steps": 6, "teacher_steps": 8, "early_steps": 4, "views": FACES}
    return replace(load_profile("two-cores"), **{**small, **changes})  # type: ignore[arg-type]


def subsets() -> Groups:
    rng = np.random.default_rng(0)
    return synthetic_subsets(rng.uniform(20, 200, FACES), rng.uniform(-90, 90, FACES))


def errors(mean: float) -> Errors:
    """The same faces are hard for all."""
    hard: FloatArray = np.random.default_rng(1).uniform(0.5, 1.5, FACES)
    return Errors(hard * mean, hard * mean / 2)


def measured(profile: Profile, runs: list[Run] | None = None) -> Measured:
    """Every run worse than the one before it."""
    runs = plan(profile, PLACE) if runs is None else runs
    found = {run.name: errors(0.05 + 0.01 * place) for place, run in enumerate(runs)}
    return Measured(profile, found, subsets())
