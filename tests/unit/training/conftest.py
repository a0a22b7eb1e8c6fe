from pathlib import Path

import pytest

from tests.gate_sets import make_gate


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return make_gate(tmp_path / "gate")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "models"
