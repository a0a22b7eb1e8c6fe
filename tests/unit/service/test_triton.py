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
    """Has `landmarks_t`, on instances of `kinds`, and is never done with loading it anew."""

    kinds: tuple[str, ...] = ()

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        told = service_pb2.RepositoryIndexResponse.ModelIndex(name="landmarks_t")
        return service_pb2.RepositoryIndexResponse(models=[told])

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:
        await asyncio.Event().wait()

    async def ModelMetadata(self, request: Any, context: Any) -> Any:
        return service_pb2.ModelMetadataResponse(name=request.name)

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        groups = [{"kind": f"KIND_{kind}"} for kind in self.kinds]
        return service_pb2.ModelConfigResponse(config={"instance_group": groups})


@pytest.fixture
def server() -> SlowServer:
    return SlowServer()


@pytest.fixture
async def url(server: SlowServer) -> AsyncIterator[str]:
    listening = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(server, listening)
    port = listening.add_insecure_port("127.0.0.1:0")
    await listening.start()
    yield f"127.0.0.1:{port}"
    await listening.stop(None)


async def test_a_load_that_takes_too_long_may_be_tried_again(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_model(tmp_path, "landmarks_t", b"weights")
    monkeypatch.setattr(triton, "_LOAD_SECONDS", 0.1)
    backend = TritonBackend(url, tmp_path)
    with pytest.raises(BackendUnavailable, match="does not answer"):
        await backend.load("landmarks_t", 1)
    await backend.aclose()


@pytest.mark.parametrize(
    ("kinds", "device"),
    [
        (("GPU",), "gpu"),
        (("GPU", "GPU"), "gpu"),
        (("CPU",), "cpu"),
        (("GPU", "CPU"), "cpu"),  # some calls do run there
        ((), "cpu"),
    ],
)
async def test_device_by_the_kinds_of_the_instances(
    tmp_path: Path, server: SlowServer, url: str, kinds: tuple[str, ...], device: str
) -> None:
    server.kinds = kinds
    backend = TritonBackend(url, tmp_path)
    assert (await backend.metadata("landmarks_t", 1)).device == device
    await backend.aclose()
