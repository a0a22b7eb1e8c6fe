from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from service.card import file_sha256
from training import checkpoint
from training.checkpoint import CheckpointError
from training.config import ConfigError, RunConfig, StartConfig, TeacherConfig, from_dict
from training.data.sets import OWN_LICENCE, UNKNOWN_LICENCE
from training.served import published
from training.teacher import lineage_of, load_teacher

FULL = {"keypoints": 0.1, "feature": 1e-3}


def config(teacher: Path | str = "", method: str = "ktl", **data: Any) -> RunConfig:
    modality = "paired" if method == "ktl" else "thermal"
    where = {"pool": "persons", "samples_per_epoch": 4, "val_samples": 2, "modality": modality}
    return from_dict(
        {
            "name": "run",
            "task": "landmarks",
            "variant": "t",
            "data": {**where, "input_size": 128, **data},
            "method": {"name": method},
            "weights": FULL,
            "teacher": {"checkpoint": str(teacher)},
            "loop": {"batch": 2},
        }
    )


def saved(path: Path, run: RunConfig | None, **more: Any) -> Path:
    """A checkpoint as a run of this configuration leaves it; None: of unknown origin."""
    content = {"task": "landmarks", "variant": "t", "input_size": 128, **more}
    model = checkpoint.build_model(content["task"], content["variant"], content["input_size"])
    known = {"config": run.as_dict(), "step": 7, "revision": "abc"} if run else {}
    checkpoint.save({"model": model.state_dict(), **known, **content}, path)
    return path


def rgb_run() -> RunConfig:
    run = config(method="mcl", modality="rgb")
    return replace(run, name="photographs", weights={"keypoints": 1.0})


def test_no_teacher_is_named() -> None:
    assert load_teacher(config()) is None


def test_it_comes_frozen_and_says_where_it_is_from(tmp_path: Path) -> None:
    first = {"file": "first.pt", "sha256": "0" * 64, "variant": "x"}
    path = saved(tmp_path / "last.pt", rgb_run(), teachers=[first])
    state = torch.get_rng_state()
    teacher = load_teacher(config(path))
    assert teacher is not None
    assert torch.equal(torch.get_rng_state(), state)
    assert not teacher.network.training
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())
    assert teacher.lineage == [
        first,
        {
            "file": "last.pt",
            "sha256": file_sha256(path),
            "variant": "t",
            "input_size": 128,
            "steps": 7,
            "revision": "abc",
            "name": "photographs",
            "method": "mcl",
            "weights": {"keypoints": 1.0},
            "data": {"pool": "persons", "modality": "rgb"},
        },
    ]


def test_data_sets_on_disk_are_named(tmp_path: Path) -> None:
    run = rgb_run()
    sets = ("300w=/data/300w",)
    path = saved(tmp_path / "last.pt", replace(run, data=replace(run.data, pool="", sets=sets)))
    teacher = load_teacher(config(path))
    assert teacher is not None
    assert teacher.lineage[0]["data"] == {"sets": sets, "modality": "rgb"}


def test_a_lineage_has_teachers_and_what_was_started_from(tmp_path: Path) -> None:
    taught, began = ({"file": f"{name}.pt", "sha256": name * 64} for name in "ab")
    path = saved(tmp_path / "last.pt", rgb_run(), teachers=[taught], start=[began])
    *earlier, own = lineage_of(path)
    assert earlier == [taught, began]
    assert (own["file"], own["sha256"]) == ("last.pt", file_sha256(path))
    assert "licence" not in own
    teacher = load_teacher(config(path))
    assert teacher is not None
    assert teacher.lineage == [*earlier, own]


def test_a_start_that_was_not_recorded_is_unknown(tmp_path: Path) -> None:
    run = replace(rgb_run(), start=StartConfig(checkpoint="gone.pt"))
    (own,) = lineage_of(saved(tmp_path / "last.pt", run))
    assert own["licence"] == UNKNOWN_LICENCE


def test_one_of_unknown_origin_is_taken_at_its_word(tmp_path: Path) -> None:
    teacher = load_teacher(config(saved(tmp_path / "last.pt", None)))
    assert teacher is not None
    assert set(teacher.lineage[0]) == {"file", "sha256", "variant", "input_size"}


def test_a_published_model_brings_its_card() -> None:
    path, card = published(Path("model_repository"), "landmarks_t")
    teacher = load_teacher(config(path, method="mcl", input_size=256))
    assert teacher is not None
    entry = teacher.lineage[-1]
    assert entry["sha256"] == card.files[f"{card.version}/model.onnx"]
    assert (entry["variant"], entry["input_size"]) == ("t", 256)
    assert entry["revision"] == card.revision
    assert entry["licence"] == card.licence == OWN_LICENCE
    assert lineage_of(path) == teacher.lineage
    assert entry["data"]["modality"] == "thermal"
    with pytest.raises(ConfigError, match="was trained on thermal crops; ktl on paired data"):
        load_teacher(config(path, input_size=256))


def test_what_cannot_teach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"teacher\.checkpoint: .*no such checkpoint"):
        load_teacher(config(tmp_path / "none.pt"))
    detector = saved(tmp_path / "detector.pt", None, task="detector", variant="nano")
    with pytest.raises(ConfigError, match="is for detector, this run for landmarks"):
        load_teacher(config(detector))
    rgb = saved(tmp_path / "rgb.pt", rgb_run())
    with pytest.raises(ConfigError, match=r"data\.modality: ktl needs 'paired'"):
        load_teacher(config(rgb, modality="thermal"))
    with pytest.raises(ConfigError, match="trained on rgb crops; mcl on thermal data shows"):
        load_teacher(config(rgb, method="mcl"))
    thermal = saved(tmp_path / "thermal.pt", config())
    with pytest.raises(ConfigError, match="trained on paired crops; ktl on paired data shows"):
        load_teacher(config(thermal))
    teacher = TeacherConfig(checkpoint=str(thermal))
    assert load_teacher(replace(config(method="mcl"), teacher=teacher)) is not None
