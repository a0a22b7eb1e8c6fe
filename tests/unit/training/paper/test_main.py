from pathlib import Path

import pytest

from training.paper.__main__ import main
from training.paper.pools import PERSONS, ensure_pool
from training.synthesis.pool import PoolMissing, write_shard


def test_a_missing_profile_is_told() -> None:
    with pytest.raises(SystemExit, match="no profile 'none'; there are paper, two-cores"):
        main(["--profile", "none"])


def test_an_unknown_table_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "vi"])
    assert "invalid choice: 'vi'" in capsys.readouterr().err


def test_persons_need_a_head_model_unless_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.paper.__main__.CHECKPOINTS", tmp_path)
    with pytest.raises(SystemExit, match="to render them, give --head"):
        main(["--only", "v"])
    write_shard(tmp_path, None, "portrait", 0, 0, persons=2, rgb=True)
    said: list[str] = []
    ensure_pool(tmp_path, 2, PERSONS, None, 1, said.append)
    assert not said
    with pytest.raises(PoolMissing, match="fewer than 3 persons"):
        ensure_pool(tmp_path, 3, PERSONS, None, 1, said.append)


def test_a_head_model_that_is_none_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PoolMissing, match="could not be rendered"):
        ensure_pool(tmp_path / "new", 2, PERSONS, tmp_path / "no.npz", 1, lambda line: None)
    assert "no.npz" in capfd.readouterr().err
