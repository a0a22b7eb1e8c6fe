"""Tables I, III and IV: errors. Every row twice, the paper's figures and ours, a dash for none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from training.complexity import complexity
from training.evaluation.groups import Groups
from training.evaluation.sections import Table, number
from training.models import rtmpose
from training.paper.arms import (
    arm_name,
    compressed_name,
    rgb_name,
    supervised_name,
    thermal_name,
    transfer_name,
)
from training.paper.profile import Profile
from training.paper.published import figures, published
from training.paper.summary import COLUMNS, Errors, Spread, spread

NONE: Final = "-"  # as `number` has it
HEADS: Final = ("NME-IO", "High", "Mean", "Low", "Front", "Side", "Full")
NME: Final = tuple(f"nme_{column}" for column in COLUMNS)
GROUPS: Final = {"supervised": "RTMPose-", "conventional-kd": "RTMPose-", "mlcm-kd": "MLCM-KD-"}
NAMES: Final = {
    "supervised": "Supervised",
    "feature": "Feature Distillation",
    "logits": "Logits Distillation",
    "conventional": "FD + LD",
    "full": "DIKD (Ours)",
    "full-other-target": "DIKD, RI towards the other",
}


@dataclass(frozen=True)
class Measured:
    """errors: of each finished run, on the same views. subsets: of these views."""

    profile: Profile
    errors: Mapping[str, Errors]
    subsets: Groups

    def spreads(self, runs: Sequence[str]) -> tuple[Spread, ...]:
        """Of the runs of an arm, one a seed, each of `COLUMNS`; empty unless all are there."""
        if not runs or any(run not in self.errors for run in runs):
            return ()
        return tuple(
            spread([self.errors[run].column(column, self.subsets) for run in runs])
            for column in COLUMNS
        )

    def arm(self, arm: str) -> list[str]:
        return [arm_name(self.profile, arm, seed) for seed in self.profile.seeds]


def shown(value: Spread, digits: int = 4) -> str:
    deviation = f" ±{value.deviation:.{digits}f}" if value.n > 1 else ""
    return number(value.mean, digits) + deviation


def two_rows(
    labels: Sequence[str], paper: Sequence[str], ours: Sequence[str | Spread], width: int
) -> list[list[str]]:
    """A row of the paper and one of ours, each of `width` figures; none of them: dashes."""
    seeds = {value.n for value in ours if isinstance(value, Spread)}
    mine = [shown(value) if isinstance(value, Spread) else value for value in ours]
    return [
        [*labels, "paper", NONE, *_filled(paper, width)],
        [*[""] * len(labels), "ours", str(*seeds) or NONE, *_filled(mine, width)],
    ]


def _filled(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[NONE] * (width - len(cells))]


def table_one(measured: Measured) -> Table:
    head = ("method", "of", "n", "Params (M)", "MACs (G)", *HEADS)
    rows = [row for group in GROUPS for row in _group(measured, group)]
    for label, run in _teachers(measured.profile):
        if run in measured.errors:
            ours: list[str | Spread] = [*_cost(run[-1]), *measured.spreads([run])]
            rows += two_rows([label], [], ours, len(head) - 3)
    note = "Params and MACs of both at 256 x 256; the paper calls multiply-adds GFLOPs."
    return Table("Table I", head, rows, note)


def _group(measured: Measured, group: str) -> list[list[str]]:
    """The paper's methods of a group of Table I, then those that only we have."""
    prefix = GROUPS[group]
    paper = {row["method"]: row for row in published(1) if row["group"] == group}
    mine = {prefix + letters: runs for letters, runs in _runs_of(measured.profile, group).items()}
    rows = []
    for method in [*paper, *(method for method in mine if method not in paper)]:
        told, ours = list[str](), list[str | Spread]()
        if method in paper:
            cost, errors = (figures(paper[method], of) for of in (("params_m", "gflops"), NME))
            told = [*(f"{value:.2f}" for value in cost), *(f"{value:.4f}" for value in errors)]
        if method.startswith(prefix):
            ours = [*_cost(method[-1]), *measured.spreads(mine.get(method, []))]
        rows += two_rows([f"{method} ({group})"], told, ours, 2 + len(HEADS))
    return rows


@cache
def _cost(variant: str) -> tuple[str, str]:
    """Parameters and multiply-adds in the table's units."""
    figures = complexity(rtmpose.build(variant)).figures()
    return f"{figures['params_m']:.2f}", f"{figures['gmacs']:.2f}"


def _runs_of(profile: Profile, group: str) -> dict[str, list[str]]:
    """What of a group of Table I this profile trains: by its letters, the runs."""
    seeds, pairs = profile.seeds, profile.pairs
    if group == "supervised":
        return {v: [supervised_name(v, seed) for seed in seeds] for v in profile.supervised}
    if group == "conventional-kd":
        return {p: [transfer_name(p, "conventional", seed) for seed in seeds] for p in pairs}
    return {p: [compressed_name(p, seed) for seed in seeds] for p in pairs}


def _teachers(profile: Profile) -> list[tuple[str, str]]:
    letters = sorted({pair[0] for pair in (*profile.pairs, profile.ablation)})
    return [
        *((f"teacher: RTMPose-{v} on colour views", rgb_name(v)) for v in letters),
        *((f"teacher: RTMPose-{v} after the first level", thermal_name(v)) for v in letters),
    ]


def table_three(measured: Measured) -> Table:
    head = ("method", "teacher", "student", "of", "n", *HEADS)
    rows: list[list[str]] = []
    teacher, student = (f"RTMPose-{v}" for v in measured.profile.ablation)
    left = dict(NAMES)
    arms = {name: arm for arm, name in NAMES.items()}
    for row in published(3):
        labels = [row["method"], row["teacher"], row["student"]]
        ours: Sequence[Spread] = ()
        if (row["teacher"], row["student"]) == (teacher, student):
            arm = arms[row["method"]]
            ours = measured.spreads(measured.arm(arm))
            del left[arm]
        paper = [f"{value:.4f}" for value in figures(row, NME)]
        rows += two_rows(labels, paper, ours, len(HEADS))
    for arm, name in left.items():
        ours = measured.spreads(measured.arm(arm))
        rows += two_rows([name, teacher, student], [], ours, len(HEADS))
    note = (
        "Every arm of ours has the labels too, with the same weight; the paper leaves open whether"
        " its arms had them, and the T-FAKE error of its feature row says that this one had not."
        f" DIKD of ours: RI towards the {measured.profile.reverse_target}'s own output; the other:"
        f" the {measured.profile.other_target}'s."
    )
    return Table("Table III", head, rows, note)


def table_four(measured: Measured) -> Table:
    terms = ("feature", "logits", "keypoints", "forward_injection", "reverse_injection")
    head = ("method", "L_fm", "L_lg", "L_kp", "L_fi", "L_ri", "of", "n", "NME-IO", "Full")
    arms = {"Baseline": "conventional", "Baseline + RI": "reverse", "Baseline + FI": "forward",
            "MLCM-KD": "full"}  # fmt: skip
    rows: list[list[str]] = []
    for row in published(4):
        ticks = ["x" if int(row[term]) else NONE for term in terms]
        ours = measured.spreads(measured.arm(arms[row["method"]]))
        paper = [f"{float(row['nme_tfake']):.4f}", NONE]
        rows += two_rows([row["method"], *ticks], paper, ours[:1] + ours[-1:], 2)
    other = measured.spreads(measured.arm("full-other-target"))
    label = f"MLCM-KD, RI towards the {measured.profile.other_target}"
    rows += two_rows([label, *"xxxxx"], [], other[:1] + other[-1:], 2)
    note = f"MLCM-KD of ours: RI towards the {measured.profile.reverse_target}'s own output."
    return Table("Table IV", head, rows, note)
