import pytest

from tests.unit.training.paper.studies import PLACE, tiny
from training.config import ConfigError, RunConfig, load_config
from training.paper.arms import ARMS, ARMS_OF, TABLES, Run, arm_name, plan
from training.paper.runner import BASE


def config(run: Run) -> RunConfig:
    return load_config(BASE, run.settings)


def configs(*tables: str) -> dict[str, RunConfig]:
    return {run.name: config(run) for run in plan(tiny(), PLACE, tables or TABLES)}


def test_every_run_is_once_and_after_what_it_needs() -> None:
    runs = plan(tiny(), PLACE)
    names = [run.name for run in runs]
    assert len(names) == len(set(names))
    for place, run in enumerate(runs):
        assert set(run.needs) <= set(names[:place])
    # two RGB networks, a thermal teacher; t and s from labels, 7 arms of KTL and one of MCL, twice
    assert len(runs) == 3 + 2 * (2 + 7 + 1)


def test_where_runs_start() -> None:
    found = configs()
    assert found["rgb-t"].start.checkpoint.startswith("model_repository/landmarks_t/")
    assert found["rgb-t"].start.part == "all"
    for name in ("transfer-st-full-1", "supervised-t-2", "compressed-st-1"):
        start = found[name].start
        assert (start.checkpoint, start.part) == (
            ".checkpoints/paper/tiny/rgb-t/last.pt",
            "backbone",
        )
    assert found["thermal-s"].start.checkpoint == ".checkpoints/paper/tiny/rgb-s/last.pt"
    scratch = plan(tiny(rgb_start="", backbones="random"), PLACE)
    assert not any(config(run).start.checkpoint for run in scratch)
    assert "rgb-t" not in {run.name for run in scratch}


def test_an_rgb_start_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="no landmarks_m to start from"):
        plan(tiny(pairs=("mt",), ablation="mt"), PLACE)


def test_arms_of_a_seed_differ_in_their_terms_alone() -> None:
    found = configs("iii", "iv", "v")
    for seed in (1, 2):
        arms = {arm: found[arm_name(tiny(), arm, seed)].as_dict() for arm in ARMS}
        allowed = {"name", "weights", "teacher"}
        first = arms["supervised"]
        for arm, other in arms.items():
            changed = {key for key in first if first[key] != other[key]}
            changed -= {"method"} if arm == "full-other-target" else set()
            if "data" in changed:  # the colours beside the same thermal crops
                assert {**other["data"], "modality": "thermal"} == first["data"]
            assert changed <= allowed | {"data"}, arm
        assert first["seed"] == first["data"]["seed"] == seed


def test_terms_of_the_arms() -> None:
    found = configs("iv")
    profile = tiny()
    terms = {arm: set(found[arm_name(profile, arm, 1)].weights) for arm in ARMS_OF["iv"]}
    labels = {"keypoints", "map"}
    both = {"feature", "logits"}
    assert terms["supervised"] == labels
    assert terms["conventional"] == labels | both
    assert terms["forward"] == labels | both | {"forward_injection"}
    assert terms["reverse"] == labels | both | {"reverse_injection"}
    assert terms["full"] == terms["full-other-target"] == terms["forward"] | terms["reverse"]
    assert all(found[name].weights["keypoints"] == 0.1 for name in found)
    targets = [found[arm_name(profile, arm, 1)].method.reverse_target for arm in
               ("full", "full-other-target")]  # fmt: skip
    assert targets == ["student", "teacher"]


def test_teachers_and_levels() -> None:
    found = configs("i")
    assert found["rgb-s"].data.modality == "rgb"
    assert found["rgb-s"].teacher.checkpoint == ""
    assert found["thermal-s"].teacher.checkpoint == ".checkpoints/paper/tiny/rgb-s/last.pt"
    small = found["compressed-st-2"]
    assert (small.variant, small.method.name, small.data.modality) == ("t", "mcl", "thermal")
    assert small.teacher.checkpoint == ".checkpoints/paper/tiny/thermal-s/last.pt"
    assert set(small.weights) == {"keypoints", "map", "feature", "logits"}


def test_steps_end_a_run() -> None:
    found = configs()
    steps = {
        name: one.data.samples_per_epoch // one.loop.batch * one.loop.epochs
        for name, one in found.items()
    }
    teachers = {"rgb-s", "rgb-t", "thermal-s"}
    assert {steps[name] for name in teachers} == {8}
    assert {steps[name] for name in steps.keys() - teachers} == {6}
    assert all(one.loop.max_minutes == 0 and one.loop.patience == 0 for one in found.values())
    assert all(one.loop.log_every == 1 for one in found.values())


@pytest.mark.parametrize(("table", "count"), [("ii", 0), ("iv", 14), ("v", 10)])
def test_a_table_alone_needs_fewer(table: str, count: int) -> None:
    assert len(configs(table)) == count if count else not plan(tiny(), PLACE, (table,))


def test_other_networks() -> None:
    profile = tiny(
        pairs=("lm", "xl"), supervised=("m",), ablation="mm", seeds=(3,),
        rgb_start="", backbones="random",
    )  # fmt: skip
    runs = {run.name: run for run in plan(profile, PLACE)}
    assert runs["transfer-xl-conventional-3"].teacher == "rgb-x"
    assert runs["compressed-xl-3"].teacher == "thermal-x"
    assert config(runs["compressed-xl-3"]).variant == "l"
    assert {"rgb-m", "rgb-l", "rgb-x", "thermal-l", "thermal-x"} <= set(runs)
    assert "thermal-m" not in runs
