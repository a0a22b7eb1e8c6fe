"""What several rooms of the tests share."""

from collections.abc import Iterator

import pytest

from tests.repositories import make_repository
from tests.triton_server import TritonServer


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """One server for all tests that do not kill it; its repository is `make_repository`'s.

    Tests may add models of their own; the loaded ones stay, since a load takes half a second.
    """
    folder = tmp_path_factory.mktemp("triton")
    with TritonServer(make_repository(folder / "models"), folder / "log") as server:
        yield server
