"""`python -m service` as a process of its own, on ONNX Runtime, spoken to over a real socket."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from tests.gateways import good_image
from tests.onnx_models import landmarks_model
from tests.repositories import add_model, make_repository

IMAGE = good_image()


PATIENCE = 60.0  # seconds; machines that run tests are often busy


class Server:
    """The process, gone at the end of the context; its output is collected as it comes."""

    def __init__(self, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        defaults = {"backend": "embedded", "deadline_ms": "60000", "body_timeout_s": "60"}
        defaults["grpc_port"] = "0"  # any that is free
        settings = {**defaults, **settings}
        given = {f"THERMAL_{name.upper()}": value for name, value in settings.items()}
        self.address = "127.0.0.1", port
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service"],
            env={**os.environ, "THERMAL_REST_PORT": str(port), **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=PATIENCE)

    def ready(self) -> bool:
        try:
            return self.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def wait(self) -> int:
        status = self.process.wait(PATIENCE)
        self._reader.join()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_repository(tmp_path_factory.mktemp("models"))


@pytest.fixture
def server(repository: Path) -> Iterator[Server]:
    limits = {"max_body_bytes": "1000000", "drain_delay_s": "0"}
    with Server(model_repository=str(repository), rest_prot="8080", **limits) as made:
        until(made.ready)
        yield made


def test_serves_and_logs(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        good = client.post("/landmarks", content=IMAGE, headers={"x-request-id": "abc"})
        assert good.status_code == 200
        assert len(good.json()["images"][0]["faces"]) == 1
        assert client.post("/landmarks", content=b"x").status_code == 415
        assert client.get("/docs").status_code == 200
        assert "server" not in good.headers
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    lines = [json.loads(line) for line in server.lines]  # every line, not only ours
    (line,) = (line for line in lines if line["request_id"] == "abc")
    assert (line["route"], line["status"], line["faces"]) == ("/landmarks", 200, 1)
    assert [line["setting"] for line in lines if "setting" in line] == ["THERMAL_REST_PROT"]


def test_chunked_upload_over_the_limit(server: Server) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(50_000)

    try:
        response = httpx.post(f"{server.url}/landmarks", content=body(), timeout=PATIENCE)
    except httpx.WriteError:
        return  # the server hung up before all was sent: just as well
    assert response.status_code == 413


def test_sighup_serves_what_is_new(tmp_path: Path) -> None:
    models = make_repository(tmp_path)

    def states() -> dict[str, str]:
        return {told["name"]: told["state"] for told in made.get("/models").json()["models"]}

    with Server(model_repository=str(models), reload_s="0") as made:
        until(made.ready)
        add_model(models, "landmarks_m", landmarks_model(), variant="m")
        assert "landmarks_m" not in states()
        made.process.send_signal(signal.SIGHUP)
        until(lambda: states().get("landmarks_m") == "ready")
        assert httpx.post(f"{made.url}/landmarks?variant=m", content=IMAGE).status_code == 200


def test_sigterm_answers_what_runs(server: Server) -> None:
    """A request of which the server has seen the head alone is still answered."""
    head = f"POST /landmarks HTTP/1.1\r\nHost: service\r\nContent-Length: {len(IMAGE)}\r\n"
    with socket.create_connection(server.address, PATIENCE) as connection:
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")  # the server waits for the body
        server.process.send_signal(signal.SIGTERM)
        until(lambda: any("Shutting down" in line for line in server.lines))
        connection.sendall(IMAGE)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert server.wait() == 0


def test_not_ready_first_and_a_second_signal_stops_at_once(repository: Path) -> None:
    with Server(model_repository=str(repository), drain_delay_s="600") as server:
        until(server.ready)
        server.process.send_signal(signal.SIGINT)
        until(lambda: not server.ready())
        assert server.get("/readyz").status_code == 503  # the port is still open
        assert server.get("/livez").status_code == 200
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0


@pytest.mark.parametrize(
    ("settings", "status", "word"),
    [
        ({"precision": "fp64"}, 2, "precision"),
        ({"device": "cuda"}, 3, "cuda"),
        ({"host": "192.0.2.1"}, 3, "192.0.2.1"),
    ],
)
def test_refuses_to_start(
    repository: Path, settings: dict[str, str], status: int, word: str
) -> None:
    with Server(model_repository=str(repository), **settings) as server:
        assert server.wait() == status
        assert word in "".join(server.lines)


def test_starts_without_models(tmp_path: Path) -> None:
    with Server(model_repository=str(tmp_path / "nowhere")) as server:
        until(lambda: any("Uvicorn running" in line for line in server.lines))
        assert server.get("/livez").status_code == 200
        assert server.get("/readyz").status_code == 503
