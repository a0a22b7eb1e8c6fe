from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.paper.studies import tiny
from training import checkpoint
from training.config import HardwareConfig
from training.devices import start
from training.export import seeded_landmarks
from training.models import rtmpose
from training.paper.arms import Run
from training.paper.runner import Study
from training.paper.scoring import HeldOut, errors_of, held_out_views, measure_errors
from training.synthesis.pool import PoolMissing, write_shard

SIZE, VIEWS = 64, 6


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    write_shard(folder, None, "portrait", 0, 0, persons=4, rgb=True)
    return folder


@pytest.fixture(scope="module")
def views(pool: Path) -> HeldOut:
    return held_out_views(pool, VIEWS, SIZE)


def save(path: Path, modality: str, scale: float = 1.0) -> Path:
    network = rtmpose.build("t", input_size=(SIZE, SIZE))
    lively = seeded_landmarks("t").state_dict()
    mine = network.state_dict()
    network.load_state_dict(
        {name: lively[name] if lively[name].shape == value.shape else value * scale
         for name, value in mine.items()}
    )  # fmt: skip
    content = {
        "task": "landmarks",
        "variant": "t",
        "input_size": SIZE,
        "model": network.state_dict(),
        "config": {"data": {"modality": modality}},
    }
    checkpoint.save(content, path)
    return path


def test_the_views_are_the_same_again_and_of_all_persons(pool: Path, views: HeldOut) -> None:
    again = held_out_views(pool, VIEWS, SIZE)
    np.testing.assert_array_equal(views.images, again.images)
    np.testing.assert_array_equal(views.colours, again.colours)
    assert views.images.shape == (VIEWS, 1, SIZE, SIZE)
    assert views.colours.shape == (VIEWS, 3, SIZE, SIZE)
    assert views.points.shape == (VIEWS, 68, 2)
    assert len(set(np.abs(views.yaw).round(4))) == 4  # four persons, some mirrored
    np.testing.assert_allclose(np.abs(views.yaw[:2]), np.abs(views.yaw[4:]), rtol=1e-5)


def test_persons_without_colours_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path, None, "portrait", 0, 0, persons=1)
    with pytest.raises(PoolMissing, match="no colours"):
        held_out_views(tmp_path, 1, SIZE)


def test_a_network_is_shown_what_it_was_trained_on(tmp_path: Path, views: HeldOut) -> None:
    runtime = start(HardwareConfig(device="cpu", precision="fp32"))
    file = save(tmp_path / "heat.pt", "paired")
    content = checkpoint.load(file)
    content["config"] = {"data": {"modality": "rgb"}}
    checkpoint.save(content, tmp_path / "colour.pt")
    heat, colour = (errors_of(tmp_path / f"{n}.pt", views, runtime) for n in ("heat", "colour"))
    assert np.isfinite(heat.diagonal).all() and heat.diagonal.shape == (VIEWS,)
    assert not np.array_equal(heat.diagonal, colour.diagonal)


def test_a_network_is_measured_once(tmp_path: Path, pool: Path) -> None:
    study, run = Study(tmp_path), Run("one", ())
    save(study.checkpoint("one"), "thermal")
    profile, said = tiny(views=VIEWS, input_size=SIZE, jobs=1), list[str]()
    first = measure_errors(study, [run], profile, pool, said.append)
    assert "one: NME-IO" in said[-1]
    kept = tmp_path / "one" / "errors.npz"
    written = kept.stat().st_mtime_ns
    again = measure_errors(study, [run], profile, pool, said.append)
    assert kept.stat().st_mtime_ns == written
    np.testing.assert_array_equal(again.errors["one"].io, first.errors["one"].io)
    assert again.subsets["full"].sum() == VIEWS
    fewer = measure_errors(study, [run], tiny(views=2, input_size=SIZE, jobs=1), pool, said.append)
    np.testing.assert_allclose(fewer.errors["one"].io, first.errors["one"].io[:2], rtol=1e-3)
    save(study.checkpoint("one"), "thermal", scale=-2.0)  # trained anew
    other = measure_errors(study, [run], profile, pool, said.append)
    assert not np.array_equal(other.errors["one"].io, first.errors["one"].io)
