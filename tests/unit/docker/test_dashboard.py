"""The dashboard, against what Grafana documents of its JSON model."""

import json
from itertools import combinations
from typing import Any

import pytest
import yaml

from tests.unit.docker.files import DASHBOARD, DOCKER, panels

COLUMNS = 24
SHOWN = [panel for panel in panels() if panel["type"] != "row"]
# https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit
UNITS = {"s", "µs", "short", "none", "reqps", "cps", "percentunit"}


def _titled(panel: dict[str, Any]) -> str:
    return str(panel["title"])


def test_ids_and_titles_are_unique() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert len({panel["title"] for panel in panels()}) == len(panels())


@pytest.mark.parametrize("panel", SHOWN, ids=_titled)
def test_panel(panel: dict[str, Any]) -> None:
    assert panel["type"] in {"stat", "timeseries", "table"}
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert target["expr"]
        assert target["datasource"] == panel["datasource"]
        # Several lines in one panel need names of their own.
        assert panel["type"] != "timeseries" or target["legendFormat"]


def test_the_grid_has_no_overlaps() -> None:
    cells = {panel["title"]: _cells(panel["gridPos"]) for panel in panels()}
    for (one, here), (other, there) in combinations(cells.items(), 2):
        assert not here & there, (one, other)


def _cells(grid: dict[str, int]) -> set[tuple[int, int]]:
    assert grid["x"] >= 0 and grid["x"] + grid["w"] <= COLUMNS
    assert grid["w"] > 0 and grid["h"] > 0
    return {
        (x, y)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    }


def test_provisioned_as_it_names_its_data_source() -> None:
    folder = DOCKER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    named = {json.dumps(panel["datasource"]) for panel in SHOWN}
    assert named == {json.dumps({"type": source["type"], "uid": source["uid"]})}
    (provider,) = yaml.safe_load((folder / "dashboards" / "thermal.yml").read_text())["providers"]
    compose = yaml.safe_load((DOCKER.parent / "docker-compose.yml").read_text())
    mounts = compose["services"]["grafana"]["volumes"]
    local = f"./{DASHBOARD.parent.relative_to(DOCKER.parent)}"
    assert f"{local}:{provider['options']['path']}:ro" in mounts
