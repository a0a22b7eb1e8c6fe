"""A model's folder: which versions stay, who may write, and that it serves whoever dies."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from service.card import card_json
from tests.gate_sets import network
from tests.unit.training.published_models import NAME, served
from training import repository as repository_module
from training.contract import Refused
from training.publish import publish
from training.release import promote, rollback
from training.repository import KEEP, RepositoryError, earlier, locked, versions


def test_old_versions_go(tmp_path: Path, repository: Path, gate: Path) -> None:
    for _ in range(KEEP + 3):
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert versions(repository / NAME) == list(range(3, KEEP + 4))
    for version in (4, 3):
        assert rollback(NAME, repository).version == version
    with pytest.raises(Refused, match="no version before 3"):
        rollback(NAME, repository)


def test_one_publisher_at_a_time(tmp_path: Path, repository: Path, gate: Path) -> None:
    publish(network(tmp_path, 0.1), NAME, repository, gate=gate)
    for step in (
        lambda: publish(network(tmp_path), NAME, repository, gate=gate),
        lambda: promote(NAME, repository),
        lambda: rollback(NAME, repository),
    ):
        with locked(repository), pytest.raises(RepositoryError, match="another publisher"):
            step()
    publish(network(tmp_path), NAME, repository, gate=gate)
    with pytest.raises(RepositoryError, match="no such folder"):
        rollback(NAME, tmp_path / "nowhere")


def test_versions_that_name_each_other_end(tmp_path: Path, repository: Path, gate: Path) -> None:
    card = publish(network(tmp_path), NAME, repository, gate=gate)
    publish(network(tmp_path), NAME, repository, gate=gate)
    looped = replace(card, replaces=2)
    (repository / NAME / "1" / "card.json").write_text(card_json(looped))
    assert earlier(repository / NAME, looped) == [2, 1]


def test_a_version_that_lost_its_card_is_no_hindrance(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    (repository / NAME / "1" / "card.json").unlink()
    card = publish(network(tmp_path), NAME, repository, gate=gate)
    assert (card.version, earlier(repository / NAME, card)) == (2, [])


@pytest.mark.parametrize("stage", ["_describe", "_forget_all_but", "_sync", "_exchange"])
def test_killed_at_any_point_it_leaves_a_repository_that_serves(
    tmp_path: Path,
    repository: Path,
    gate: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
) -> None:
    publish(network(tmp_path, 0.1), NAME, repository, gate=gate)

    def die(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(repository_module, stage, die)
        # Killed outright, nothing is tidied up either.
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 1
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 2
    assert sorted(child.name for child in repository.iterdir()) == [NAME]


def test_killed_after_the_exchange_it_serves_the_new_one(
    tmp_path: Path, repository: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(network(tmp_path), NAME, repository, gate=gate)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 2
    rollback(NAME, repository)
    assert served(repository).version == 1


def test_a_file_system_that_cannot_exchange_is_told(
    tmp_path: Path, repository: Path, gate: Path
) -> None:
    (tmp_path / "here").mkdir()
    with pytest.raises(RepositoryError, match="there"):
        repository_module._exchange(tmp_path / "here", tmp_path / "there")
