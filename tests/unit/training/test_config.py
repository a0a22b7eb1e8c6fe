from pathlib import Path

import pytest

from training.config import ConfigError, from_dict, load_config

MINIMAL = """
name = "tiny"
task = "landmarks"
variant = "t"
[data]
pool = "p"
samples_per_epoch = 8
val_samples = 4
[method]
name = "supervised_landmarks"
[loop]
batch = 4
[weights]
kl = 1
"""
FOLDER = Path("training/configs")
CONFIGS = sorted(FOLDER.rglob("*.toml"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(MINIMAL)
    return file


def test_defaults_and_overrides(path: Path) -> None:
    config = load_config(
        path, ["loop.batch=2", "data.pool=some/folder", "optimiser.learning_rate=1", "seed = 7"]
    )
    assert (config.loop.batch, config.data.pool, config.seed) == (2, "some/folder", 7)
    assert config.optimiser.learning_rate == 1.0
    assert config.weights == {"kl": 1.0}


def test_a_checkpoint_can_hold_it(path: Path) -> None:
    config = load_config(path)
    assert from_dict(config.as_dict()) == config


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("loop.bacth=2", r"loop\.bacth: unknown"),
        ("colour=1", "colour: unknown"),
        ("loop.batch=2.5", r"loop\.batch: expected int, got float"),
        ("loop.batch=true", r"loop\.batch: expected int, got bool"),
        ("hardware.channels_last=1", r"hardware\.channels_last: expected bool"),
        ("data.pool=3", r"data\.pool: expected str"),
        ("weights.kl=much", r"weights\.kl: expected float"),
        ("weights=1", "weights: expected a table"),
        ("loop=1", "loop: expected a table"),
        ("name.first=1", "name is a value"),
        ("loop.batch", "expected key=value"),
        ("task=segmentation", "task: 'segmentation' is not one of"),
        ("hardware.precision=fp16", r"hardware\.precision"),
        ("loop.batch=9", r"loop\.batch: larger"),
        ("weights={kl=0}", "weights: none is above 0"),
        ("method.reverse_target=both", r"method\.reverse_target: 'both' is not one of"),
        ("method.decay_warmup=1.1", r"method\.decay_warmup: a part of the run"),
        ("method.sigma=-1", r"method\.sigma: at least 0"),
        ("data.input_size=64", r"data\.input_size: bf16 needs 96 pixels"),
        ("teacher.file=a", r"teacher\.file: unknown"),
    ],
)
def test_what_is_wrong_is_named(path: Path, override: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_config(path, [override])


def test_only_landmarks_have_modalities_and_sizes(path: Path) -> None:
    detector = ["task=detector", "variant=nano"]
    assert load_config(path, detector).task == "detector"
    for other in ("data.modality=rgb", "data.input_size=128"):
        with pytest.raises(ConfigError, match="modality and input_size are for landmarks"):
            load_config(path, [*detector, other])


def test_a_missing_setting_is_named(path: Path) -> None:
    path.write_text(MINIMAL.replace('pool = "p"', ""))
    with pytest.raises(ConfigError, match=r"data\.pool: missing"):
        load_config(path)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_committed_configs_are_valid(config: Path) -> None:
    assert load_config(config).name == "_".join(config.relative_to(FOLDER).with_suffix("").parts)
    assert f"python -m training.train {config}" in config.read_text().splitlines()[0]
