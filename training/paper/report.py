"""The study as sections of a report: its tables, its figures, and every number for machines."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from training.evaluation.page import render
from training.evaluation.sections import Glance, Plot, Section, Table, plain, text
from training.paper.comparisons import Claim, ablation_claims, comparisons, table_one_claims
from training.paper.dynamics import NAMES, Norms, table_five, table_two
from training.paper.figures import gradient_norms, speed_by_size
from training.paper.speed import Latency
from training.paper.summary import COLUMNS, PROTOCOL
from training.paper.tables import Measured, table_four, table_one, table_three
from training.revision import source_revision
from training.stability import gradient_stability

DRAWN: Final = ("forward", "reverse", "full")  # Figure 5


@dataclass(frozen=True)
class Finished:
    """All that a study has found. norms: by arm of the ablation, the early steps of each seed."""

    measured: Measured
    norms: Norms
    latencies: Sequence[Latency]


def sections(finished: Finished, tables: Sequence[str]) -> list[Section]:
    """One of each of `tables` (`i` to `v`), in the paper's order."""
    made: Mapping[str, Callable[[Finished], Section]] = {
        "i": _one, "ii": _two, "iii": _three, "iv": _four, "v": _five,
    }  # fmt: skip
    return [made[table](finished) for table in sorted(tables, key=list(made).index)]


def write_report(folder: Path, parts: Sequence[Section], command: str) -> list[Path]:
    """`report.html`, `tables.txt`, `results.json`, and each figure as SVG. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    date, revision = datetime.now().astimezone(), source_revision()
    whole = {
        "command": command,
        "revision": revision,
        "date": date.isoformat(timespec="seconds"),
        "sections": [
            {"title": part.title, "protocol": part.protocol, "figures": part.figures}
            for part in parts
        ],
    }
    title = "MLCM-KD's tables on synthetic persons"
    files = {
        "report.html": render(parts, (), command, date, revision, title),
        "tables.txt": "\n".join(text(part) for part in parts),
        "results.json": json.dumps(plain(whole), indent=2) + "\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    drawn = {plot.caption.split(":")[0]: plot.svg for part in parts for plot in part.plots}
    for caption, svg in drawn.items():
        files[name := f"{caption.lower().replace(' ', '')}.svg"] = ""
        (folder / name).write_bytes(svg)
    return [folder / name for name in files]


def _protocol(measured: Measured) -> str:
    profile = measured.profile
    return (
        f"{profile.views} synthetic views of {profile.held_out_persons} persons whom no training"
        f" saw, the same for all; averaged (EMA) weights after {profile.arm_steps} steps of"
        f" {profile.batch} crops at {profile.input_size} pixels (teachers {profile.teacher_steps})."
        " Arms of a seed have the same first weights and samples; mean ± sample deviation over n"
        f" seeds. {PROTOCOL}."
    )


def _errors(measured: Measured) -> dict[str, Any]:
    """Each run's columns, and how many faces are behind each."""
    faces = {name: int(chosen.sum()) for name, chosen in measured.subsets.items()}
    runs = {
        run: {column: errors.column(column, measured.subsets) for column in COLUMNS}
        for run, errors in measured.errors.items()
    }
    return {"profile": asdict(measured.profile), "faces": faces, "runs": runs}


def _one(finished: Finished) -> Section:
    claims = table_one_claims(finished.measured)
    table = table_one(finished.measured)
    return _of_errors("Table I: supervised and distilled networks", finished, table, claims)


def _two(finished: Finished) -> Section:
    return Section(
        "Table II and Figure 4: speed",
        "ONNX Runtime, one thread, batch 1, medians; untrained weights, which cost the same time",
        {latency.variant: asdict(latency) for latency in finished.latencies},
        [table_two(finished.latencies)],
        plots=[speed_by_size(finished.latencies)],
    )


def _three(finished: Finished) -> Section:
    claims, table = ablation_claims(finished.measured, "iii"), table_three(finished.measured)
    return _of_errors("Table III: what is distilled", finished, table, claims)


def _four(finished: Finished) -> Section:
    claims, table = ablation_claims(finished.measured, "iv"), table_four(finished.measured)
    return _of_errors("Table IV: the injections", finished, table, claims)


def _of_errors(title: str, finished: Finished, table: Table, claims: Sequence[Claim]) -> Section:
    measured = finished.measured
    compared = comparisons(measured, claims)
    named = [dict(zip(compared.head, row, strict=True)) for row in compared.rows]
    glances = [
        Glance(f"{row['first']} minus {row['second']}, {row['error']}", row["first better in"],
               row["mean difference"])
        for row in named
    ]  # fmt: skip
    figures = {**_errors(measured), "comparisons": named}
    return Section(title, _protocol(measured), figures, [table, compared], glances)


def _five(finished: Finished) -> Section:
    profile, norms = finished.measured.profile, finished.norms
    of_first = {NAMES[arm]: norms[arm][0] for arm in DRAWN if arm in norms}
    figures = {
        arm: [
            {**gradient_stability(values).figures(), "norms": values.tolist()} for values in of_arm
        ]
        for arm, of_arm in norms.items()
    }
    plots: list[Plot] = [gradient_norms(of_first, profile.seeds[0])] if of_first else []
    return Section(
        "Table V and Figure 5: steadiness",
        f"The first {profile.early_steps} of {profile.arm_steps} steps of each training;"
        " mean ± sample deviation over n seeds",
        figures,
        [table_five(norms, profile.early_steps)],
        plots=plots,
    )
