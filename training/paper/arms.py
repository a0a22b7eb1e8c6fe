"""Which trainings a study is made of, and what each is told: an arm is a choice of loss terms.

Two arms of one seed differ in their terms alone: first weights, samples, their order and the number
of steps are the same. Every arm has the labels (Eq. 3): Table III's "feature distillation only"
then reads "of the distillation terms that one", as Equation 8 has it. The paper leaves it open; its
feature row (NME .13 where labels alone reach .03) was without labels, and then the head, which no
feature loss trains, must have come from a teacher of the very same shape. Ours is of another.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from service.card import CardError
from training.config import ConfigError
from training.distill.mlcm_kd import DISTILL_TERMS, TASK_TERMS
from training.paper.profile import Profile
from training.served import published

TABLES: Final = ("i", "ii", "iii", "iv", "v")
CONVENTIONAL: Final = ("feature", "logits")
ARMS: Final[Mapping[str, tuple[str, ...]]] = {
    "supervised": (),
    "feature": ("feature",),
    "logits": ("logits",),
    "conventional": CONVENTIONAL,
    "forward": (*CONVENTIONAL, "forward_injection"),
    "reverse": (*CONVENTIONAL, "reverse_injection"),
    "full": DISTILL_TERMS,
    "full-other-target": DISTILL_TERMS,
}
# Tables III to V, all of the ablation's pair
ARMS_OF: Final = {
    "iii": ("supervised", "feature", "logits", "conventional", "full", "full-other-target"),
    "iv": ("supervised", "conventional", "reverse", "forward", "full", "full-other-target"),
    "v": ("conventional", "reverse", "forward", "full"),
}


@dataclass(frozen=True)
class Run:
    """One training. name: of its folder. settings: arguments of `--set`. teacher: name of the run
    whose network teaches. start: name of the run whose backbone it starts from."""

    name: str
    settings: tuple[str, ...]
    teacher: str | None = None
    start: str | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The runs that come before."""
        return tuple(name for name in (self.start, self.teacher) if name is not None)


@dataclass(frozen=True)
class Place:
    """root: the folder that trainings write to. study: of this one, below it. pool: of the persons
    to train on."""

    root: str
    study: str
    pool: str


def arm_name(profile: Profile, arm: str, seed: int) -> str:
    """The run of one of `ARMS` with the ablation's pair."""
    if arm == "supervised":
        return supervised_name(profile.ablation[1], seed)
    return transfer_name(profile.ablation, arm, seed)


def supervised_name(variant: str, seed: int) -> str:
    return f"supervised-{variant}-{seed}"


def transfer_name(pair: str, arm: str, seed: int) -> str:
    """First level, from colour to heat."""
    return f"transfer-{pair}-{arm}-{seed}"


def compressed_name(pair: str, seed: int) -> str:
    """Second level, from large to small."""
    return f"compressed-{pair}-{seed}"


def rgb_name(variant: str) -> str:
    return f"rgb-{variant}"


def thermal_name(variant: str) -> str:
    """The first level's result that teaches on the second: teacher and student of one size."""
    return f"thermal-{variant}"


def plan(profile: Profile, place: Place, tables: Iterable[str] = TABLES) -> list[Run]:
    """The runs that `tables` need, each after those it needs itself."""
    wanted: dict[str, Run] = {}
    for table in tables:
        runs = _of_table_one(profile) if table == "i" else _of_ablation(profile, table)
        wanted |= {run.name: run for run in runs}
    earlier: dict[str, Run] = {}
    for run in wanted.values():
        earlier |= _needed_by(profile, run)
    return [_placed(place, run) for run in (earlier | wanted).values()]


def _of_ablation(profile: Profile, table: str) -> list[Run]:
    return [
        _supervised(profile, profile.ablation[1], seed)
        if arm == "supervised"
        else _transfer(profile, profile.ablation, arm, seed)
        for seed in profile.seeds
        for arm in ARMS_OF.get(table, ())
    ]


def _of_table_one(profile: Profile) -> list[Run]:
    runs = []
    for seed in profile.seeds:
        runs += [_supervised(profile, variant, seed) for variant in profile.supervised]
        for pair in profile.pairs:
            runs.append(_transfer(profile, pair, "conventional", seed))
            runs.append(_compressed(profile, pair, seed))
    return runs


def _needed_by(profile: Profile, run: Run) -> dict[str, Run]:
    """What comes before a run, and before that."""
    found: dict[str, Run] = {}
    for name in run.needs:
        kind, variant = name.split("-")
        if kind == "rgb":
            other = _rgb(profile, variant)
        else:
            terms, steps = DISTILL_TERMS, profile.teacher_steps
            other = _run(profile, name, variant, "paired", terms, 0, steps)
            other = replace(other, teacher=rgb_name(variant))
        found |= {**_needed_by(profile, other), other.name: other}
    return found


def _rgb(profile: Profile, variant: str) -> Run:
    """From labels, on colour crops; from the weights of a repository, where the profile says so."""
    run = _run(profile, rgb_name(variant), variant, "rgb", (), 0, profile.teacher_steps)
    if not profile.rgb_start:
        return run
    try:
        weights, _ = published(Path(profile.rgb_start), f"landmarks_{variant}")
    except (OSError, CardError) as error:
        raise ConfigError(f"rgb_start: no landmarks_{variant} to start from: {error}") from None
    return replace(run, settings=(*run.settings, f"start.checkpoint={weights}"))


def _supervised(profile: Profile, variant: str, seed: int) -> Run:
    name = supervised_name(variant, seed)
    # The thermal crops of the other arms' pairs, without their partners.
    return _run(profile, name, variant, "thermal", (), seed, profile.arm_steps)


def _transfer(profile: Profile, pair: str, arm: str, seed: int) -> Run:
    name = transfer_name(pair, arm, seed)
    run = _run(profile, name, pair[1], "paired", ARMS[arm], seed, profile.arm_steps)
    settings = run.settings
    if arm == "full-other-target":
        settings = (*settings, f"method.reverse_target={profile.other_target}")
    return replace(run, settings=settings, teacher=rgb_name(pair[0]))


def _compressed(profile: Profile, pair: str, seed: int) -> Run:
    name = compressed_name(pair, seed)
    run = _run(profile, name, pair[1], "thermal", CONVENTIONAL, seed, profile.arm_steps)
    return replace(run, settings=(*run.settings, "method.name=mcl"), teacher=thermal_name(pair[0]))


def _run(
    profile: Profile, name: str, variant: str, modality: str, terms: tuple[str, ...], seed: int,
    steps: int,
) -> Run:  # fmt: skip
    weights = ", ".join(f"{term} = {profile.weights[term]}" for term in (*TASK_TERMS, *terms))
    target = (f"method.reverse_target={profile.reverse_target}",)
    return Run(
        name,
        (
            f"variant={variant}",
            f"seed={seed}",
            f"data.seed={seed}",
            f"data.modality={modality}",
            f"data.input_size={profile.input_size}",
            f"data.samples_per_epoch={profile.batch * steps}",
            f"loop.batch={profile.batch}",
            f"weights={{{weights}}}",
            *(target if "reverse_injection" in terms else ()),
            *profile.settings,
        ),
        start=rgb_name(variant) if profile.backbones == "rgb" and modality != "rgb" else None,
    )


def _placed(place: Place, run: Run) -> Run:
    settings = (*run.settings, f"name={place.study}/{run.name}", f"data.pool={place.pool}")
    folder = f"{place.root}/{place.study}"
    if run.start is not None:
        settings += (f"start.checkpoint={folder}/{run.start}/last.pt", "start.part=backbone")
    if run.teacher is not None:
        settings += (f"teacher.checkpoint={folder}/{run.teacher}/last.pt",)
    return replace(run, settings=settings)
