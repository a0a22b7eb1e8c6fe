"""Alerts: documented, tested, and on metrics that exist."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import errors
from service.rest.problems import STATUS as REST
from service.rpc.statuses import STATUS as RPC
from service.telemetry import Telemetry
from tests.unit.docker.files import (
    ROOT,
    TRITON_METRICS,
    alerts,
    left_side,
    panel_expressions,
    recorded,
)

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))
PARTS = ("**Symptom.**", "**First checks.**", "**Likely causes.**", "**What to do.**")
SERVER_FAULT, ENGINE_FAULT = range(500, 600), (502, 503)
METRIC = re.compile(r"\b(?:thermal|nv)_\w+|\w+:\w+:\w+")


@pytest.mark.parametrize("alert", alerts().values(), ids=lambda alert: str(alert["alert"]))
def test_alert(alert: dict[str, Any]) -> None:
    name = alert["alert"]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["for"]
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    assert left_side(alert)


@pytest.mark.parametrize("name", alerts())
def test_runbook_entry(name: str) -> None:
    entry = ENTRIES[name]
    positions = [entry.index(part) for part in PARTS]
    assert positions == sorted(positions)
    checks = entry[positions[1] : positions[2]]
    assert "```\n" in checks, "the first checks are commands"


def test_no_entry_without_its_alert() -> None:
    assert set(ENTRIES) == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_fires_in_a_rule_test(name: str) -> None:
    tested = (ROOT / "tests" / "observability" / "rules.test.yml").read_text(encoding="utf-8")
    assert f'alertname="{name}"' in tested


def _known() -> set[str]:
    texts = Telemetry().render().decode(), TRITON_METRICS.read_text(encoding="utf-8")
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    suffixes = {"counter": ("_total", ""), "histogram": ("_bucket", "_sum", "_count")}
    return {
        family.name + suffix
        for family in families
        for suffix in suffixes.get(family.type, ("",))
    } | set(recorded())  # fmt: skip


def test_only_metrics_that_exist() -> None:
    expressions = [left_side(alert) for alert in alerts().values()]
    expressions += recorded().values()
    expressions += [expression for _, expression in panel_expressions()]
    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert used - _known() == set()
    assert set(recorded()) <= used


@pytest.mark.parametrize("kind", REST, ids=lambda kind: str(kind.__name__))
def test_an_error_counts_the_same_by_either_door(kind: type[errors.ServiceError]) -> None:
    for name, faults in (
        ("instance:thermal_errors:ratio_rate5m", SERVER_FAULT),
        ("instance:thermal_backend_errors:ratio_rate5m", ENGINE_FAULT),
    ):
        counts = REST[kind] in faults
        assert _counted(name, str(REST[kind])) is counts
        # gRPC has one status for a fault of ours and a failure of the engine.
        assert _counted(name, RPC[kind].name) is (counts or REST[kind] == 500)


@pytest.mark.parametrize("kind", REST, ids=lambda kind: str(kind.__name__))
def test_frames_fail_as_requests_do(kind: type[errors.ServiceError]) -> None:
    fails = REST[kind] in SERVER_FAULT and kind is not errors.DeadlineExceeded
    assert _counted("instance:thermal_stream_errors:ratio_rate5m", kind.code) is fails


def _counted(record: str, code: str) -> bool:
    """Whether the share's upper part counts this code; Prometheus, too, matches it whole."""
    (pattern,) = re.findall(r'\bcode=~"(.*?)"', recorded()[record])
    return re.fullmatch(pattern, code) is not None
