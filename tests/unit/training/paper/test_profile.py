from pathlib import Path

import pytest

from training.config import ConfigError
from training.paper.profile import PROFILES, load_profile

NAMES = sorted(path.stem for path in PROFILES.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_profiles_hold(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.weights["keypoints"] == 0.1
    assert {profile.reverse_target, profile.other_target} == {"student", "teacher"}


def test_the_two_that_there_are() -> None:
    assert NAMES == ["paper", "two-cores"]


def changed(tmp_path: Path, old: str, new: str) -> str:
    text = (PROFILES / "two-cores.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new))
    return str(path)


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    profile = load_profile(changed(tmp_path, "seeds = [1, 2, 3]", "seeds = [5]"))
    assert (profile.name, profile.seeds) == ("own", (5,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch = 12", "batches = 12", "batches: unknown"),
        ("batch = 12", "", "batch: missing"),
        ("batch = 12", "batch = 0", "batch: at least 1"),
        ("batch = 12", 'batch = "x"', "batch: expected int"),
        ("batch = 12", "batch =", "own.toml"),
        ("seeds = [1, 2, 3]", "seeds = []", "seeds: at least one"),
        ('ablation = "st"', 'ablation = "s"', "a pair"),
        ('ablation = "st"', 'ablation = "sq"', "unknown variant 'q'"),
        ('reverse_target = "student"', 'reverse_target = "nobody"', "reverse_target"),
        ("early_steps = 150", "early_steps = 150_000", "early_steps"),
        ("logits = 1e-3", "", "weights.logits: missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_profile(changed(tmp_path, old, new))


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(ConfigError, match="paper, two-cores"):
        load_profile("four-cores")
