from pathlib import Path

import numpy as np
import pytest

from training.synthesis import pool as pool_module
from training.synthesis.head import HeadModel, procedural_head
from training.synthesis.pool import Pool
from training.synthesis.thermal import Anatomy


@pytest.fixture(scope="session")
def head() -> HeadModel:
    return procedural_head()


@pytest.fixture(scope="session")
def anatomy(head: HeadModel) -> Anatomy:
    return Anatomy(head)


@pytest.fixture(scope="session")
def pool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pool of ten persons of each kind, of the procedural head."""
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        pool_module.write_shard(folder, None, kind, 0, 0, persons=10)
    return folder


@pytest.fixture
def portraits(pool_folder: Path) -> Pool:
    return Pool(pool_folder, "portrait")


@pytest.fixture
def figures(pool_folder: Path) -> Pool:
    return Pool(pool_folder, "figure")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)
