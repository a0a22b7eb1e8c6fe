"""Who is better than whom: seed by seed, on the same views."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from service.entities import FloatArray
from training.evaluation.sections import Table, number
from training.paper.arms import compressed_name, supervised_name, transfer_name
from training.paper.summary import compare
from training.paper.tables import Measured

# By table, pairs of arms: of all but the last the paper has the first in front
ABLATION: Final = {
    "iii": (("full", "conventional"), ("conventional", "supervised"), ("full", "supervised")),
    "iv": (
        ("reverse", "conventional"),
        ("forward", "conventional"),
        ("full", "conventional"),
        ("full", "full-other-target"),
    ),
}
HEAD: Final = ("first", "second", "error", "mean difference", "of each seed", "first better in",
               "p, paired t", "s.e. by views")  # fmt: skip
COLUMNS: Final = {"tfake": "NME-IO", "full": "Full"}


@dataclass(frozen=True)
class Claim:
    """first should have the smaller errors; runs of each, in the same order of seeds."""

    first: str
    second: str
    runs_of_first: Sequence[str]
    runs_of_second: Sequence[str]


def ablation_claims(measured: Measured, table: str) -> list[Claim]:
    """table: a key of `ABLATION`."""
    return [Claim(a, b, measured.arm(a), measured.arm(b)) for a, b in ABLATION[table]]


def table_one_claims(measured: Measured) -> list[Claim]:
    """Of each pair: two levels against conventional distillation, and both against labels alone."""
    claims, seeds = [], measured.profile.seeds
    for pair in measured.profile.pairs:
        two = f"MLCM-KD-{pair}", [compressed_name(pair, seed) for seed in seeds]
        one = f"Conv. KD {pair}", [transfer_name(pair, "conventional", seed) for seed in seeds]
        none = f"supervised {pair[1]}", [supervised_name(pair[1], seed) for seed in seeds]
        for first, second in ((two, one), (one, none), (two, none)):
            claims.append(Claim(first[0], second[0], first[1], second[1]))
    return claims


def comparisons(measured: Measured, claims: Sequence[Claim]) -> Table:
    """Of those claims whose runs are all measured."""
    rows = []
    for claim in claims:
        if not {*claim.runs_of_first, *claim.runs_of_second} <= set(measured.errors):
            continue
        for column, label in COLUMNS.items():
            found = compare(
                _faces(measured, claim.runs_of_first, column),
                _faces(measured, claim.runs_of_second, column),
            )
            each = " ".join(f"{value:+.4f}" for value in found.differences)
            wins = f"{found.wins} of {len(found.differences)}"
            rows.append([claim.first, claim.second, label, f"{found.mean:+.4f}", each, wins,
                         number(found.p, 3), number(found.view_error)])  # fmt: skip
    note = (
        "Below 0 the first is better. The t test is over seeds, two-sided. s.e. by views: standard"
        " error of the mean difference from the choice of views alone."
    )
    return Table("Comparisons", HEAD, rows, note)


def _faces(measured: Measured, runs: Sequence[str], column: str) -> list[FloatArray]:
    return [measured.errors[run].faces(column, measured.subsets) for run in runs]
