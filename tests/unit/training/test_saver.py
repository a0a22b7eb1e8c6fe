"""What a run came from, when it goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from training import checkpoint
from training.checkpoint import CheckpointError
from training.config import RunConfig, StartConfig, from_dict
from training.engine import RunState
from training.saver import RunSaver
from training.schedule import AveragedModel, EarlyStop, Progress, optimiser_for
from training.teacher import Lineage, lineage_of

TAUGHT: Lineage = [{"file": "teacher.pt", "sha256": "a" * 64}]


def config(start: Path | str = "", sets: tuple[str, ...] = (), pool: str = "persons") -> RunConfig:
    plain = from_dict(
        {
            "name": "run",
            "task": "landmarks",
            "variant": "t",
            "data": {"pool": pool, "samples_per_epoch": 4, "val_samples": 2},
            "method": {"name": "supervised_landmarks"},
            "weights": {"kl": 1.0},
            "loop": {"batch": 2},
        }
    )
    data = replace(plain.data, sets=sets, pool="" if sets else pool)
    return replace(plain, data=data, start=StartConfig(checkpoint=str(start)))


def saver(folder: Path, run: RunConfig, teachers: Lineage | None = None) -> RunSaver:
    """Of a network of one weight: which one it is plays no part here."""
    student = nn.Linear(1, 1)
    state = RunState(
        student=student,
        averaged=AveragedModel(student, 0.5),
        optimiser=optimiser_for(student, run.optimiser),
        progress=Progress(run.loop, 4),
        adapters=nn.Module(),
        early_stop=EarlyStop(0),
    )
    return RunSaver(run, state, teachers or [], folder, active=True)


def network(path: Path, **more: object) -> Path:
    content = {"task": "landmarks", "variant": "t", "model": nn.Linear(1, 1).state_dict()}
    checkpoint.save({**content, **more}, path)
    return path


def note_of(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "note.json").read_text()))


def test_the_start_brings_its_own_lineage(tmp_path: Path) -> None:
    first = {"file": "0.pt", "sha256": "0" * 64}
    path = network(
        tmp_path / "first.pt", start=[first], config=config(sets=("tfake=/d",)).as_dict()
    )
    saver(tmp_path, config(path)).save({})
    assert note_of(tmp_path)["start"] == json.loads(json.dumps([first, lineage_of(path)[-1]]))
    assert checkpoint.load(tmp_path / "last.pt")["start"] == lineage_of(path)
    assert lineage_of(path)[-1]["data"]["sets"] == ("tfake=/d",)


def test_resumed_without_its_start_a_run_keeps_it(tmp_path: Path) -> None:
    path = network(tmp_path / "first.pt")
    saver(tmp_path, config(path), TAUGHT).save({})
    resumed = saver(tmp_path, config(pool="moved"), TAUGHT)
    assert not resumed.restore()
    resumed.save({})
    assert note_of(tmp_path)["start"] == lineage_of(path)
    assert checkpoint.load(tmp_path / "last.pt")["start"] == lineage_of(path)
    assert not saver(tmp_path, config(path), TAUGHT).restore()


def test_a_run_does_not_go_on_with_another_lineage(tmp_path: Path) -> None:
    path, other = network(tmp_path / "first.pt"), network(tmp_path / "other.pt", step=1)
    saver(tmp_path, config(path), TAUGHT).save({})
    with pytest.raises(CheckpointError, match=r"with other data\.sets than"):
        saver(tmp_path, config(path, sets=("tfake=/d",)), TAUGHT).restore()
    with pytest.raises(CheckpointError, match=r"with other teacher\.checkpoint than"):
        saver(tmp_path, config(path)).restore()
    with pytest.raises(CheckpointError, match=r"other teacher\.checkpoint, start\.checkpoint than"):
        saver(tmp_path, config(other)).restore()


def test_one_that_started_from_nothing_keeps_to_that(tmp_path: Path) -> None:
    saver(tmp_path, config()).save({})
    assert "start" not in note_of(tmp_path)
    with pytest.raises(CheckpointError, match=r"other start\.checkpoint"):
        saver(tmp_path, config(network(tmp_path / "first.pt"))).restore()


def test_an_older_checkpoint_needs_its_start_named(tmp_path: Path) -> None:
    path, last = network(tmp_path / "first.pt"), tmp_path / "last.pt"
    saver(tmp_path, config(path)).save({})
    content = checkpoint.load(last)
    del content["start"]
    checkpoint.save(content, last)
    with pytest.raises(CheckpointError, match=r"other start\.checkpoint"):
        saver(tmp_path, config()).restore()
    resumed = saver(tmp_path, config(path))
    resumed.restore()
    resumed.save({})
    assert checkpoint.load(last)["start"] == lineage_of(path)
