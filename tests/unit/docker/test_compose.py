"""docker-compose.yml: the specification's schema, and what makes it safe to run."""

import importlib
import json
import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import yaml

from service.settings import PREFIX, Settings, unknown_settings
from tests.unit.docker.files import DOCKER, ROOT

FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = {
    "cpu": {"gateway", "prometheus", "grafana"},
    "gpu": {"gateway-gpu", "triton", "plans", "prometheus-gpu", "grafana"},
}
JOBS = {"plans"}  # they end, and write what the others read


def test_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, FILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles(profile: str) -> None:
    members = {name for name, service in SERVICES.items() if profile in service["profiles"]}
    assert members == PROFILES[profile]
    for name in members:
        for needed, how in SERVICES[name].get("depends_on", {}).items():
            assert how["condition"] == "service_healthy"
            assert needed in members or how.get("required") is False
    names = [alias for name in members for alias in _names_on_edge(name)]
    assert {"gateway", "prometheus", "grafana"} <= set(names)
    assert len(set(names)) == len(names)


def _names_on_edge(name: str) -> list[str]:
    networks = SERVICES[name].get("networks", [])
    if "edge" not in networks:
        return []
    aliases = networks["edge"].get("aliases", []) if isinstance(networks, dict) else []
    return [name, *aliases]


@pytest.mark.parametrize("name", SERVICES)
def test_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name in JOBS else "unless-stopped")
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert not {"privileged", "user", "cap_add", "pid"} & set(service)
    assert service.get("network_mode", "none") == "none"
    for mount in service["volumes"]:
        source, *_, last = mount.split(":")
        if name in JOBS:
            assert (source, last) == ("./model_repository", "/models")
            continue
        assert last == "ro" if source.startswith(".") else source in COMPOSE["volumes"]
        assert not source.startswith(".") or (ROOT / source).exists()


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - JOBS))
def test_healthy_means_something(name: str) -> None:
    service = SERVICES[name]
    if "healthcheck" in service:
        assert service["healthcheck"]["test"][0] == "CMD"
    else:
        assert "HEALTHCHECK" in (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8")


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_pinned_and_published_to_this_machine(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    for port in service.get("ports", []):
        assert port.startswith(("127.0.0.1:", "${THERMAL_PUBLISH:-127.0.0.1}:"))


def test_only_the_gateway_reaches_triton_and_prometheus_its_metrics() -> None:
    triton = SERVICES["triton"]
    assert "ports" not in triton and "edge" not in triton["networks"]
    flags = dict(argument.lstrip("-").split("=") for argument in triton["command"])
    assert flags["http-address"] == "127.0.0.1"
    for flag, network, users in (
        ("grpc-address", "inference", {"gateway-gpu", "triton"}),
        ("metrics-address", "triton-metrics", {"prometheus-gpu", "triton"}),
    ):
        address = triton["networks"][network]["ipv4_address"]
        assert flags[flag] == address
        assert {
            name for name, made in SERVICES.items() if network in made.get("networks", ())
        } == users
        assert COMPOSE["networks"][network]["internal"] is True
        (pool,) = COMPOSE["networks"][network]["ipam"]["config"]
        assert ip_address(address) in ip_network(pool["subnet"])
        assert ip_address(address) not in ip_network(pool["ip_range"])


def test_targets_are_services() -> None:
    for job, network in (("gateway", "edge"), ("triton", "triton-metrics")):
        (group,) = yaml.safe_load((DOCKER / f"prometheus/targets/{job}.yml").read_text())
        assert [target.split(":")[0] for target in group["targets"]] == [job]
        assert network in SERVICES[job]["networks"]


def test_plans_are_for_the_tensorrt_and_the_gpu_that_serve_them() -> None:
    months = [
        re.findall(r"^FROM nvcr.io/nvidia/\w+:(\S+)", text, re.MULTILINE)
        for name in ("plans", "triton")
        for text in [(DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8")]
    ]
    assert months[0] == months[1] and len(months[0]) == 1
    gpus = [SERVICES[name]["deploy"]["resources"]["reservations"] for name in ("plans", "triton")]
    assert gpus[0] == gpus[1]


def test_the_plans_command_is_one_that_exists(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCKER / "plans.Dockerfile").read_text(encoding="utf-8")
    (module,) = re.findall(r'^ENTRYPOINT \["python", "-m", "([\w.]+)"\]', text, re.MULTILINE)
    (arguments,) = re.findall(r"^CMD (\[.*\])", text, re.MULTILINE)
    with pytest.raises(SystemExit, match="no plan is built"):  # no GPU, but every option is known
        importlib.import_module(module).main(json.loads(arguments))
    source, place = SERVICES["plans"]["volumes"][0].split(":")
    assert source == "./model_repository" and place in json.loads(arguments)


@pytest.mark.parametrize("name", ["gateway", "gateway-gpu"])
def test_both_doors_are_published(name: str) -> None:
    fields = Settings.model_fields
    ports = fields["rest_port"].default, fields["grpc_port"].default
    published = [f"${{THERMAL_PUBLISH:-127.0.0.1}}:{port}:{port}" for port in ports]
    assert SERVICES[name]["ports"] == published
    dockerfile = (ROOT / SERVICES[name]["build"]["dockerfile"]).read_text(encoding="utf-8")
    (exposed,) = re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)
    assert exposed.split() == [str(port) for port in ports]


@pytest.mark.parametrize("name", ["gateway", "gateway-gpu"])
def test_gateway_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SERVICES[name]
    defaults, yours = service["env_file"]
    lines = (ROOT / defaults).read_text(encoding="utf-8").splitlines()
    environment = dict(line.split("=") for line in lines if not line.startswith("#"))
    assert yours == {"path": "gateway.env", "required": False}
    assert not set(environment) & set(service["environment"]), "these would win over gateway.env"
    environment |= service["environment"]
    assert unknown_settings(environment) == []
    for key, value in environment.items():
        assert key.startswith(PREFIX)
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.worker_threads == int(service["deploy"]["resources"]["limits"]["cpus"])
    grace = int(service["stop_grace_period"].removesuffix("s"))
    assert grace > settings.drain_delay_s + settings.drain_timeout_s
