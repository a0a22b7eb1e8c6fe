"""The step from a canary to all requests, and the steps back."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.card import Canary, CardError
from tests.gate_sets import network
from tests.unit.training.published_models import NAME, served
from training.contract import Refused
from training.publish import publish
from training.release import promote, rollback
from training.repository import version_card, versions


def test_rollback_serves_the_version_before(tmp_path: Path, repository: Path, gate: Path) -> None:
    first = publish(network(tmp_path, 0.1), NAME, repository, gate=gate)
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert rollback(NAME, repository) == first
    assert served(repository) == first
    with pytest.raises(Refused, match="no version before 1"):
        rollback(NAME, repository)
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert served(repository).version == 3  # not 2 again: that number has had its weights
    with pytest.raises(Refused, match="nothing is published"):
        rollback("landmarks_s", repository)


def test_rollback_skips_what_was_rolled_back(tmp_path: Path, repository: Path, gate: Path) -> None:
    for off in (0.03, 0.02):
        publish(network(tmp_path, off), NAME, repository, gate=gate)
    rollback(NAME, repository)  # 2 was bad
    publish(network(tmp_path), NAME, repository, gate=gate)
    assert versions(repository / NAME) == [1, 3]
    assert rollback(NAME, repository).version == 1


def test_a_canary_and_its_promotion(tmp_path: Path, repository: Path, gate: Path) -> None:
    with pytest.raises(Refused, match="nothing is served yet"):
        publish(network(tmp_path), NAME, repository, gate=gate, canary=5)
    first = publish(network(tmp_path, 0.1), NAME, repository, gate=gate)
    second = publish(network(tmp_path), NAME, repository, gate=gate, canary=5)
    assert served(repository) == replace(first, canary=Canary(2, 5))
    assert version_card(repository / NAME, 2) == second
    assert (second.canary, second.replaces) == (None, 1)
    with pytest.raises(Refused, match="version 2 is a canary for 5 % of the requests"):
        publish(network(tmp_path), NAME, repository, gate=gate)
    assert promote(NAME, repository) == second == served(repository)
    with pytest.raises(Refused, match="no canary; version 2 is served to all"):
        promote(NAME, repository)
    assert rollback(NAME, repository) == first


def test_rollback_ends_a_trial(tmp_path: Path, repository: Path, gate: Path) -> None:
    first = publish(network(tmp_path, 0.1), NAME, repository, gate=gate)
    publish(network(tmp_path), NAME, repository, gate=gate, canary=99)
    assert rollback(NAME, repository) == first == served(repository)
    publish(network(tmp_path), NAME, repository, gate=gate, canary=1)
    assert served(repository).canary == Canary(3, 1)
    assert versions(repository / NAME) == [1, 3]


def test_a_damaged_version_is_not_put_back(tmp_path: Path, repository: Path, gate: Path) -> None:
    for off in (0.1, 0.0):
        publish(network(tmp_path, off), NAME, repository, gate=gate)
    (repository / NAME / "1" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(CardError, match="1/model.onnx is damaged"):
        rollback(NAME, repository)
    (repository / NAME / "1" / "model.onnx").unlink()
    with pytest.raises(CardError, match="version 1 cannot be read"):
        rollback(NAME, repository)
    assert served(repository).version == 2
