from pathlib import Path

import pytest

from training.synthesis.__main__ import main
from training.train import main as train


def test_rendering_without_a_head_model_says_what_to_do(tmp_path: Path) -> None:
    arguments = ["--head", str(tmp_path / "none.npz"), "--out", str(tmp_path), "--workers", "1"]
    with pytest.raises(SystemExit, match="import-head"):
        main(["pool", *arguments, "--kind", "portrait", "--persons", "1"])
    assert not list(tmp_path.glob("portrait-*"))


def test_looking_without_a_pool_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="training.synthesis pool"):
        main(["sheet", "--pool", str(tmp_path), "--out", str(tmp_path / "sheet.png")])


def test_training_without_a_pool_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path("training/configs/landmarks_t.toml").resolve()
    monkeypatch.chdir(tmp_path)  # runs write to .checkpoints under the working folder
    with pytest.raises(SystemExit, match="training.synthesis pool"):
        train([str(config), "--set", f"data.pool={tmp_path}", "--set", "hardware.threads=1"])


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("--size", "160", "not WIDTHxHEIGHT"),
        ("--event", "freeze@x+1", "KIND@START"),
        ("--seconds", "0", "above 0"),
        ("--set", "worn.hats=1", "hats"),
        ("--kind", "standing", "import-head"),  # all else is right: there is no head model
    ],
)
def test_filming_what_cannot_be_filmed_says_why(
    argument: str, value: str, message: str, tmp_path: Path
) -> None:
    files = ["--head", str(tmp_path / "none.npz"), "--out", str(tmp_path / "clip.npz")]
    with pytest.raises(SystemExit, match=message):
        main(["sequence", *files, argument, value])
    assert not list(tmp_path.iterdir())
