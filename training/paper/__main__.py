"""The paper's tables and figures on synthetic persons: `python -m training.paper`.

    python -m training.paper --head head_model.npz                       two cores, under an hour
    python -m training.paper --profile paper --head head_model.npz       one GPU, days
    python -m training.paper --only iv --only v                          what these need alone

Renders two pools of persons, trains what the tables compare, measures it on the persons that nobody
trained on, and prints every table beside the paper's figures. What is done is not done again: an
interrupted study goes on where it was.
"""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.config import ConfigError
from training.evaluation.sections import text
from training.paper.arms import TABLES, Place, plan
from training.paper.dynamics import NormsMissing, early_norms
from training.paper.pools import HELD_OUT, PERSONS, SEEDS, ensure_pool
from training.paper.profile import load_profile
from training.paper.report import Finished, sections, write_report
from training.paper.runner import Study, StudyFailed, run_all
from training.paper.scoring import measure_errors
from training.paper.speed import measure as measure_speed
from training.paper.tables import Measured
from training.synthesis.pool import PoolMissing
from training.train import CHECKPOINTS

FOLDER: Final = "paper"  # under the trainings' folder


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    try:
        _run(options)
    except (ConfigError, PoolMissing, StudyFailed, NormsMissing) as error:
        raise SystemExit(str(error)) from None


def _run(options: argparse.Namespace) -> None:
    profile = load_profile(options.profile)
    if options.jobs is not None:
        profile = replace(profile, jobs=options.jobs)
    tables = tuple(table for table in TABLES if table in (options.only or TABLES))
    root = CHECKPOINTS / FOLDER / profile.name
    sizes = {PERSONS: profile.persons, HELD_OUT: profile.held_out_persons}
    # A run of another pool is another run: the size is in the name, and so in the run's settings.
    study, pools = (
        Study(root / "runs"),
        {which: root / f"{which}-{sizes[which]}" for which in SEEDS},
    )
    runs = plan(profile, Place(str(CHECKPOINTS), str(study.folder.relative_to(CHECKPOINTS)),
                               str(pools[PERSONS])), tables)  # fmt: skip
    measured = Measured(profile, {}, {})
    if runs:
        for which, persons in sizes.items():
            ensure_pool(pools[which], persons, which, options.head, profile.jobs, _say)
        _say(f"{len(runs)} trainings, {profile.jobs} at once, in {study.folder}")
        run_all(study, runs, profile.jobs, _say)
        measured = measure_errors(study, runs, profile, pools[HELD_OUT], _say)
    norms = early_norms(study, profile) if "v" in tables else {}
    latencies = measure_speed(profile.latency_rounds, _say) if "ii" in tables else []
    parts = sections(Finished(measured, norms, latencies), tables)
    command = shlex.join(["python", "-m", "training.paper", *sys.argv[1:]])
    files = write_report(options.out or root / "report", parts, command)
    _say("\n" + "\n".join(text(part) for part in parts))
    _say(f"written: {', '.join(str(file) for file in files)}")


def _say(line: str) -> None:
    print(line, flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.paper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--profile", default="two-cores", help="a name, or a TOML file of your own")
    add("--head", type=Path, help="head model (.npz); needed while persons are missing")
    add("--only", action="append", choices=TABLES, help="table; may be given again")
    add("--jobs", type=int, help="trainings at once; default: the profile's")
    add("--out", type=Path, metavar="DIR", help="of the report; default: beside the trainings")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # An end by SIGTERM also ends the trainings, as one by Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    main()
