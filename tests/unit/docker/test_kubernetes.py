"""The manifests: Kubernetes' own schemas, and what hangs together across files."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service.settings import Settings, unknown_settings
from tests.unit.docker.files import DOCKER

FOLDER = DOCKER / "k8s"
VERSION = "1.34"  # of the schemas: a common one; nothing here is newer than autoscaling/v2 (1.23)
OVERLAYS = sorted((FOLDER / "overlays").iterdir())
MANIFESTS = sorted(file for file in FOLDER.rglob("*.yaml") if file.name != "kustomization.yaml")


def _read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_schema(file: Path) -> None:
    kubernetes_validate.validate(_read(file), VERSION, strict=True)


def test_the_schema_is_strict() -> None:
    broken = _read(FOLDER / "base" / "service.yaml")
    broken["spec"]["selektor"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_every_manifest_is_applied() -> None:
    listed = {
        (file.parent / name).resolve()
        for file in FOLDER.rglob("kustomization.yaml")
        for name in _read(file)["resources"]
    }
    assert set(MANIFESTS) <= {file.resolve() for file in listed}
    assert all(file.exists() for file in listed)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="rendering needs kubectl")
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)
def test_rendered(overlay: Path) -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True
    )
    rendered = list(yaml.safe_load_all(done.stdout))
    for document in rendered:
        kubernetes_validate.validate(document, VERSION, strict=True)
    (settings,) = (document for document in rendered if document["kind"] == "ConfigMap")
    (gateway,) = (document for document in rendered if document["kind"] == "Deployment")
    (container,) = gateway["spec"]["template"]["spec"]["containers"]
    (source,) = container["envFrom"]
    assert source["configMapRef"]["name"] == settings["metadata"]["name"]
    (scaler,) = (document for document in rendered if document["kind"] == "HorizontalPodAutoscaler")
    target = scaler["spec"]["metrics"][0]["pods"]["target"]["averageValue"]
    # What streams alone can have at work is above it, or they would never bring another gateway.
    streams = {"embedded": "THERMAL_WORKER_THREADS", "triton": "THERMAL_MAX_INFLIGHT"}
    most = int(settings["data"][streams[settings["data"]["THERMAL_BACKEND"]]])
    assert {"1500m": 1.5, "3": 3}[target] < most


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda overlay: overlay.name)
def test_settings(overlay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    literals: list[str] = []
    for folder in (FOLDER / "base", overlay):
        (generator,) = _read(folder / "kustomization.yaml")["configMapGenerator"]
        literals += generator["literals"]
    environment = dict(literal.split("=") for literal in literals)
    assert unknown_settings(environment) == []
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.backend == {"cpu": "embedded", "gpu": "triton"}[overlay.name]
    pod = _read(FOLDER / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    grace = pod["terminationGracePeriodSeconds"]
    assert grace > settings.drain_delay_s + settings.drain_timeout_s
    assert settings.worker_threads == int(pod["containers"][0]["resources"]["limits"]["cpu"])
    target = _read(FOLDER / "base" / "autoscaler.yaml")["spec"]["metrics"][0]["pods"]["target"]
    assert int(target["averageValue"]) < settings.max_inflight


@pytest.mark.parametrize("name", ["base/deployment.yaml", "overlays/gpu/triton.yaml"])
def test_hardened(name: str) -> None:
    pod = _read(FOLDER / name)["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])


def test_both_doors_of_the_gateway_are_open() -> None:
    fields = Settings.model_fields
    ports = {"http": fields["rest_port"].default, "grpc": fields["grpc_port"].default}
    pod = _read(FOLDER / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == ports
    service = _read(FOLDER / "base" / "service.yaml")["spec"]
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == ports
    (rule,) = _read(FOLDER / "base" / "network-policy.yaml")["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} == set(ports.values())


def test_only_the_gateway_reaches_triton() -> None:
    policy = _read(FOLDER / "overlays" / "gpu" / "triton-network-policy.yaml")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    triton = _read(FOLDER / "overlays" / "gpu" / "triton.yaml")["spec"]["template"]["metadata"]
    gateway = _read(FOLDER / "base" / "deployment.yaml")["spec"]["template"]["metadata"]
    assert policy["podSelector"]["matchLabels"] == triton["labels"]
    by_port = {rule["ports"][0]["port"]: rule["from"] for rule in policy["ingress"]}
    assert set(by_port) == {8001, 8002}
    assert by_port[8001] == [{"podSelector": {"matchLabels": gateway["labels"]}}]
