"""Does the trainings of a study, some at once, and none a second time.

A training is done when its note says so with the settings asked for, and neither its teacher nor
what it starts from has been trained anew since. One that was interrupted goes on from its last
checkpoint.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.card import file_sha256
from training.config import RunConfig, load_config
from training.paper.arms import Run

BASE: Final = Path(__file__).parent / "run.toml"
TRAIN: Final = (sys.executable, "-m", "training.train")
_POLL_S: Final = 0.1
_SHOWN: Final = 12  # lines of a failed training's log


class StudyFailed(RuntimeError):
    """A training ended with an error; the message says which, and holds the end of its log."""


@dataclass(frozen=True)
class Study:
    """folder: holds a folder a run. command: what trains, before its arguments."""

    folder: Path
    command: Sequence[str] = TRAIN

    def checkpoint(self, run_name: str) -> Path:
        return self.folder / run_name / "last.pt"


def run_all(study: Study, runs: Sequence[Run], jobs: int, say: Callable[[str], None]) -> None:
    """Do all that is not done, each after what it needs, at most `jobs` at once.

    Raises StudyFailed after the first error; whatever still runs is ended then, and goes on from
    its last checkpoint when the study is started again.
    """
    waiting, done = list(runs), set[str]()
    active: dict[str, tuple[subprocess.Popen[bytes], float]] = {}
    try:
        while waiting or active:
            for run in [run for run in waiting if done.issuperset(run.needs)]:
                if len(active) == jobs:
                    break
                if is_done(study, run):
                    done.add(run.name)
                else:
                    active[run.name] = (_start(study, run), time.monotonic())
                waiting.remove(run)
            for name, (process, began) in list(active.items()):
                if process.poll() is not None:
                    del active[name]
                    _require_success(study, name, process.returncode)
                    done.add(name)
                    seconds = time.monotonic() - began
                    say(f"  {name}: {seconds:.0f} s; {len(done)} of {len(runs)} trainings done")
            if active:
                time.sleep(_POLL_S)
    finally:
        for process, _ in active.values():
            process.terminate()
        for process, _ in active.values():
            process.wait()


def is_done(study: Study, run: Run) -> bool:
    config = _config(run)
    note = _current_note(study, run, config)
    steps = config.data.samples_per_epoch // config.loop.batch * config.loop.epochs
    return note is not None and note["steps"] >= steps


def _config(run: Run) -> RunConfig:
    return load_config(BASE, run.settings)


def _current_note(study: Study, run: Run, config: RunConfig) -> dict[str, Any] | None:
    """The run's note, if it is of these settings, and of today's teacher and first weights."""
    checkpoint = study.checkpoint(run.name)
    try:
        note: dict[str, Any] = json.loads(checkpoint.with_name("note.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # not begun, or ended while writing
        return None
    if not checkpoint.is_file():
        return None
    if run.teacher is not None:
        taught_by = note["teachers"][-1]["sha256"] if note.get("teachers") else None
        if taught_by != file_sha256(study.checkpoint(run.teacher)):
            return None
    if run.start is not None:
        began_with = note["start"][-1]["sha256"] if note.get("start") else None
        if began_with != file_sha256(study.checkpoint(run.start)):
            return None
    asked = json.loads(json.dumps(config.as_dict()))  # lists for tuples, as the note has them
    return note if note["config"] == asked else None


def _start(study: Study, run: Run) -> subprocess.Popen[bytes]:
    config = _config(run)
    folder = study.folder / run.name
    resume = _current_note(study, run, config) is not None
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(BASE)]
    for setting in run.settings:
        arguments += ["--set", setting]
    threads = config.hardware.threads
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)} if threads else None
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [*study.command, *arguments, *(["--resume"] if resume else [])],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip


def _require_success(study: Study, name: str, code: int) -> None:
    if code:
        log = study.folder / name / "log.txt"
        end = "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN:])
        raise StudyFailed(f"{name}: training ended with status {code}; the end of {log}:\n{end}")
