"""What the tests of the packaging read."""

import json
import re
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[3]
DOCKER: Final = ROOT / "docker"
DASHBOARD: Final = DOCKER / "grafana" / "dashboards" / "thermal-landmarks.json"
RULES: Final = DOCKER / "prometheus" / "rules.yml"
TRITON_METRICS: Final = ROOT / "tests" / "observability" / "triton-metrics.txt"

_COMPARISON = re.compile(r"\s*(==|!=|>=|<=|>|<)\s*[0-9.]+\s*$")


def alerts() -> dict[str, dict[str, Any]]:
    """Every alerting rule, by name."""
    return {rule["alert"]: rule for rule in _rules() if "alert" in rule}


def recorded() -> dict[str, str]:
    """The expression of every recording rule."""
    return {rule["record"]: rule["expr"] for rule in _rules() if "record" in rule}


def left_side(alert: dict[str, Any]) -> str:
    """What an alert compares with its limit."""
    expression, found = _COMPARISON.subn("", alert["expr"])
    assert found, f"{alert['alert']}: not of the form `expression OPERATOR number`"
    return expression


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard, rows included."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def panel_expressions() -> list[tuple[str, str]]:
    """(title of the panel, expression with Grafana's own variable filled in)."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "1m"))
        for panel in panels()
        for target in panel.get("targets", [])
    ]


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]
