"""With a made-up trainer: a script that writes what training writes, and keeps a diary."""

import json
import sys
from pathlib import Path

import pytest

from tests.unit.training.paper.studies import tiny
from training.config import load_config
from training.paper.arms import Place, Run, plan
from training.paper.runner import BASE, Study, StudyFailed, is_done, run_all

TRAINER = """
import hashlib, sys, time
from pathlib import Path

here, base, *rest = sys.argv[1:]
here = Path(here)
settings = dict(v.split("=", 1) for k, v in zip(rest, rest[1:]) if k == "--set")
name = settings["name"].split("/")[-1]
with (here / "diary.txt").open("a") as diary:
    diary.write(f"begin {name}{' again' if '--resume' in rest else ''}\\n")
if (here / f"fail-{name}").exists():
    sys.exit("out of luck")
running = len(list(here.glob("running-*"))) + 1
(here / f"running-{name}").touch()
(here / f"most-{running}").touch()
time.sleep(0.05)
note = (here / f"note-{name}.json").read_text()
for word, key in (("TEACHER", "teacher.checkpoint"), ("START", "start.checkpoint")):
    if word in note:
        note = note.replace(word, hashlib.sha256(Path(settings[key]).read_bytes()).hexdigest())
(here / name / "last.pt").write_text(f"{name} of {time.time_ns()}")
(here / name / "note.json").write_text(note)
(here / f"running-{name}").unlink()
with (here / "diary.txt").open("a") as diary:
    diary.write(f"end {name}\\n")
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER)
    folder = tmp_path / "runs"
    folder.mkdir()
    return Study(folder, (sys.executable, str(script), str(folder)))


def runs_of(study: Study, **changes: object) -> list[Run]:
    place = Place(str(study.folder.parent), study.folder.name, "persons")
    return plan(tiny(seeds=(1,), **changes), place, ("i",))


def diary(study: Study) -> list[str]:
    file = study.folder / "diary.txt"
    lines = file.read_text().splitlines()
    file.unlink()
    return lines


def do(study: Study, runs: list[Run], jobs: int = 2) -> list[str]:
    for run in runs:
        config = load_config(BASE, run.settings)
        note = {
            "config": config.as_dict(),
            "steps": config.data.samples_per_epoch // config.loop.batch,
            "teachers": [{"sha256": "TEACHER"}] if run.teacher else [],
            **({"start": [{"sha256": "FIRST"}, {"sha256": "START"}]} if run.start else {}),
        }
        (study.folder / f"note-{run.name}.json").write_text(json.dumps(note))
    said: list[str] = []
    run_all(study, runs, jobs, said.append)
    return said


def test_all_once_teachers_first_and_never_too_many(study: Study) -> None:
    runs = runs_of(study)
    said = do(study, runs)
    lines = diary(study)
    assert sorted(lines) == sorted(
        f"{word} {run.name}" for run in runs for word in ("begin", "end")
    )
    for run in runs:
        for name in run.needs:
            assert lines.index(f"end {name}") < lines.index(f"begin {run.name}")
    assert not (study.folder / "most-3").exists()
    assert len(said) == len(runs) and f"{len(runs)} of {len(runs)}" in said[-1]
    assert do(study, runs) == []  # nothing is left to do
    assert not (study.folder / "diary.txt").exists()


def test_other_settings_are_trained_anew(study: Study) -> None:
    do(study, runs_of(study))
    diary(study)
    changed = runs_of(study, arm_steps=7)
    do(study, changed)
    begun = {line for line in diary(study) if line.startswith("begin")}
    teachers = {"rgb-s", "rgb-t", "thermal-s"}
    assert begun == {f"begin {run.name}" for run in changed if run.name not in teachers}


def test_a_new_teacher_has_its_students_trained_anew(study: Study) -> None:
    runs = runs_of(study)
    do(study, runs)
    diary(study)
    study.checkpoint("thermal-s").write_text("another one")
    assert [run.name for run in runs if not is_done(study, run)] == ["compressed-st-1"]


def test_a_new_first_network_has_what_starts_from_it_trained_anew(study: Study) -> None:
    runs = runs_of(study)
    do(study, runs)
    study.checkpoint("rgb-t").write_text("another one")
    stale = {run.name for run in runs if not is_done(study, run)}
    assert stale == {run.name for run in runs if run.start == "rgb-t"}


def test_an_interrupted_run_goes_on(study: Study) -> None:
    runs = runs_of(study)
    do(study, runs)
    diary(study)
    note = study.folder / "supervised-s-1" / "note.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "steps": 2}))
    do(study, runs)
    assert diary(study) == ["begin supervised-s-1 again", "end supervised-s-1"]


@pytest.mark.parametrize("broken", ['{"config": ', None])
def test_a_broken_note_begins_anew(study: Study, broken: str | None) -> None:
    runs = runs_of(study)
    do(study, runs)
    diary(study)
    note = study.folder / "supervised-s-1" / "note.json"
    note.unlink() if broken is None else note.write_text(broken)
    do(study, runs)
    assert diary(study) == ["begin supervised-s-1", "end supervised-s-1"]


def test_a_failed_run_stops_the_study_and_is_told(study: Study) -> None:
    first = runs_of(study)[0].name
    (study.folder / f"fail-{first}").touch()
    with pytest.raises(StudyFailed, match=rf"{first}: .*status 1(.|\n)*out of luck"):
        do(study, runs_of(study), jobs=1)
    assert diary(study) == [f"begin {first}"]
    (study.folder / f"fail-{first}").unlink()
    do(study, runs_of(study))
    assert "end compressed-st-1" in diary(study)


def test_other_running_trainings_are_ended(study: Study) -> None:
    (study.folder / "fail-rgb-s").touch()
    with pytest.raises(StudyFailed):
        do(study, runs_of(study), jobs=2)
    begun = [line for line in diary(study) if line.startswith("begin")]
    assert len(begun) <= 3  # the failed one, and what had been started beside it
