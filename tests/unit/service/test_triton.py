"""The Triton backend against a server that answers oddly; `tests/integration` has a real one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from service.backends import triton
from service.backends.triton import TritonBackend
from service.errors import BackendUnavailable
from tests.repositories import add_model


class SlowServer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Has `landmarks_t`, and is never done with loading it."""

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        told = service_pb2.RepositoryIndexResponse.ModelIndex(name="landmarks_t")
        return service_pb2.RepositoryIndexResponse(models=[told])

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:
        await asyncio.Event().wait()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(SlowServer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_load_that_takes_too_long_may_be_tried_again(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(tmp_path, "landmarks_t", b"weights")
    monkeypatch.setattr(triton, "_LOAD_SECONDS", 0.1)
    backend = TritonBackend(url, tmp_path)
    with pytest.raises(BackendUnavailable, match="does not answer"):
        await backend.load("landmarks_t", 1)
    await backend.aclose()
