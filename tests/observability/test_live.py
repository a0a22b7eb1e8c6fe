"""Gateways, a Triton and a real Prometheus: every expression has data, alerts fire.

One gateway, on Triton, is well but gets more than it can take, until Triton is gone. The other one
has no models, and then is gone itself.
"""

import math
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.rpc.pb.thermal.v1 import landmarks_pb2 as pb
from service.rpc.pb.thermal.v1 import landmarks_pb2_grpc as pb_grpc
from tests import rpc_clients
from tests.e2e.test_server import PATIENCE, Server, until
from tests.gateways import good_image
from tests.observability.prometheus import Prometheus, found
from tests.repositories import make_repository
from tests.triton_server import TritonServer
from tests.unit.docker.files import (
    RULES,
    TRITON_METRICS,
    alerts,
    left_side,
    panel_expressions,
)

pytestmark = pytest.mark.observability

SENDERS = 8  # at once, to a gateway that takes one and lets one wait
FRAMES = 20  # at once, of one stream; those without a turn are dropped


@dataclass(frozen=True)
class Stage:
    well: Server
    empty: Server
    triton: TritonServer
    prometheus: Prometheus

    def wait_for(self, name: str, instance: str) -> None:
        seen: set[tuple[str, str]] = set()

        def fires() -> bool:
            seen.clear()
            seen.update(self.prometheus.firing())
            return (name, instance) in seen

        _until(fires, lambda: f"{name} on {instance} does not fire; these do: {sorted(seen)}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("observability")
    full = {"max_inflight": "1", "max_queued": "1"}
    with ExitStack() as stack:
        repository = make_repository(folder / "models")
        triton = TritonServer(repository, folder / "triton.log", metrics=True)
        triton.start()
        stack.callback(triton.kill)
        on_triton = {"backend": "triton", "triton_url": triton.url}
        grpc_port = _free_port()
        doors = {"grpc_port": str(grpc_port), **on_triton}
        well = stack.enter_context(Server(model_repository=str(repository), **doors, **full))
        empty = stack.enter_context(Server(model_repository=str(folder / "nowhere")))
        targets = {"gateway": [_instance(well), _instance(empty)], "triton": [_metrics(triton)]}
        until(well.ready)
        (folder / "prometheus").mkdir()
        prometheus = stack.enter_context(Prometheus(folder / "prometheus", _free_port(), targets))
        until(lambda: _answers(prometheus))
        stop = threading.Event()
        senders = [threading.Thread(target=_send, args=(well, stop)) for _ in range(SENDERS)]
        senders.append(threading.Thread(target=_send_by_grpc, args=(grpc_port, stop)))
        for sender in senders:
            sender.start()
        try:
            yield Stage(well, empty, triton, prometheus)
        finally:
            stop.set()
            for sender in senders:
                sender.join()


def test_shipped_files_are_valid() -> None:
    promtool = found("promtool")
    config = RULES.parent / "prometheus.yml"
    subprocess.run([promtool, "check", "config", config], check=True, capture_output=True)
    subprocess.run([promtool, "check", "rules", RULES], check=True, capture_output=True)


def test_rules() -> None:
    tests = Path(__file__).with_name("rules.test.yml")
    done = subprocess.run(
        [found("promtool"), "test", "rules", tests], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("title", "expression"), panel_expressions())
def test_every_panel_has_data(stage: Stage, title: str, expression: str) -> None:
    _until(lambda: _has_data(stage.prometheus, expression), lambda: f"{title}: {expression}")


@pytest.mark.parametrize("name", alerts())
def test_every_alert_weighs_data(stage: Stage, name: str) -> None:
    expression = left_side(alerts()[name])
    _until(lambda: _has_data(stage.prometheus, expression), lambda: expression)


@pytest.mark.parametrize("route", ["/landmarks", "Detect", "StreamLandmarks"])
def test_every_door_is_counted(stage: Stage, route: str) -> None:
    """The expressions name these; most of them would have data from one door alone."""
    counted = f'sum(rate(thermal_requests_total{{route="{route}", code=~"200|OK"}}[1m])) > 0'
    _until(lambda: _has_data(stage.prometheus, counted), lambda: counted)


def test_fires_when_images_are_sent_away(stage: Stage) -> None:
    for name in ("GatewayShedding", "StreamsDropping"):
        stage.wait_for(name, _instance(stage.well))


def test_fires_without_models(stage: Stage) -> None:
    instance = _instance(stage.empty)
    assert stage.empty.get("/livez").status_code == 200
    image = good_image()
    for _ in range(2):  # a counter's first value is no growth
        answer = httpx.post(f"{stage.empty.url}/landmarks", content=image, timeout=PATIENCE)
        assert answer.status_code == 503
        time.sleep(3)
    for name in ("GatewayNotReady", "NoModelLoaded", "GatewayErrors", "BackendUnavailable"):
        stage.wait_for(name, instance)


def test_fires_when_a_gateway_is_gone(stage: Stage) -> None:
    stage.empty.process.kill()
    stage.wait_for("GatewayDown", _instance(stage.empty))


def test_the_other_gateway_is_not_blamed(stage: Stage) -> None:
    here = _instance(stage.well)
    blamed = {name for name, instance in stage.prometheus.firing() if instance == here}
    assert "GatewayShedding" in blamed
    assert not blamed & {"GatewayDown", "GatewayNotReady", "NoModelLoaded", "BackendUnavailable"}


def test_recorded_names_are_those_of_a_real_triton(stage: Stage) -> None:
    """The quick tests know Triton's metrics by that record alone."""
    answer = httpx.get(f"http://{_metrics(stage.triton)}/metrics", timeout=PATIENCE)
    assert _names(TRITON_METRICS.read_text(encoding="utf-8")) <= _names(answer.text)


def test_fires_when_triton_is_gone(stage: Stage) -> None:
    stage.triton.kill()
    stage.wait_for("TritonDown", _metrics(stage.triton))
    for name in ("GatewayNotReady", "GatewayErrors", "BackendUnavailable"):
        stage.wait_for(name, _instance(stage.well))


def _metrics(triton: TritonServer) -> str:
    return f"127.0.0.1:{triton.metrics_port}"


def _names(text: str) -> set[str]:
    return {family.name for family in text_string_to_metric_families(text)}


def _instance(server: Server) -> str:
    host, port = server.address
    return f"{host}:{port}"


def _has_data(prometheus: Prometheus, expression: str) -> bool:
    return any(not math.isnan(value) for _, value in prometheus.query(expression))


def _answers(prometheus: Prometheus) -> bool:
    try:
        return httpx.get(f"{prometheus.url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def _send(server: Server, stop: threading.Event) -> None:
    """One request after the other; the pause leaves this machine room for the rest."""
    image = good_image()
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        while not stop.wait(0.05):
            client.post("/landmarks", content=image)


def _send_by_grpc(port: int, stop: threading.Event) -> None:
    """A short stream and a call, one after the other."""
    opening = pb.StreamLandmarksRequest(config=rpc_clients.config())
    pictures = [pb.Frame(data=rpc_clients.y16(number)) for number in range(FRAMES)]
    frames = [pb.StreamLandmarksRequest(frame=picture) for picture in pictures]
    image = pb.DetectRequest(images=[good_image()])
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb_grpc.LandmarksServiceStub(channel)
        while not stop.wait(0.05):
            with suppress(grpc.RpcError):  # sent away, or Triton is gone
                list(stub.StreamLandmarks(iter([opening, *frames]), timeout=PATIENCE))
                stub.Detect(image, timeout=PATIENCE)


def _until(condition: Callable[[], bool], why: Callable[[], str]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.5)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
