"""Whenever a publisher dies, what it leaves behind serves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import gateways
from tests.gate_sets import make_gate, network
from tests.killed_publisher import NAME
from training.publish import publish

BOXES = {"boxes": "[[40, 20, 120, 100]]"}
# What of each scenario may be seen: the served version and its canary, before and after.
SERVED = {
    "first": [None, (1, None)],
    "publish": [(2, None), (3, None)],
    "canary": [(2, None), (2, 3)],
    "promote": [(2, 3), (3, None)],
    "rollback": [(2, None), (1, None)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    start, gate = tmp_path / "start", make_gate(tmp_path / "gate")
    (start / "first").mkdir(parents=True)
    for off in (0.03, 0.02):
        publish(network(tmp_path, off), NAME, start / "publish", gate=gate)
    for scenario in ("canary", "promote", "rollback"):
        shutil.copytree(start / "publish", start / scenario)
    publish(network(tmp_path, 0.01), NAME, start / "promote", gate=gate, canary=5)
    network(tmp_path).rename(tmp_path / "model.onnx")
    return tmp_path


async def served(models: Path) -> tuple[int, int | None] | None:
    """What a gateway that starts on the repository answers with, once it is seen to answer."""
    async with (
        gateways.running(gateways.settings(models), None) as gateway,
        gateways.client(gateway.rest_app()) as client,
    ):
        if not gateway.catalogue.entries:
            return None
        (entry,) = gateway.catalogue.entries
        assert entry.reason is None
        answer = await client.post("/landmarks", content=gateways.good_image(), params=BOXES)
        assert answer.status_code == 200, answer.text
        assert entry.model is not None
        canary = entry.canary.card.version if entry.canary else None
        return entry.model.card.version, canary


async def test_at_every_step(folder: Path) -> None:
    command = [sys.executable, "-m", "tests.killed_publisher", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    deaths = [json.loads(line) for line in run.stdout.splitlines()]
    assert {death["scenario"] for death in deaths} == set(SERVED)
    again = [death for death in deaths if death["again"] is not None]  # published after the death
    assert {death["again"] for death in again} == {0}
    assert {tuple(death["left"]) for death in again} == {(NAME,)}
    for scenario, expected in SERVED.items():
        own = [death for death in deaths if death["scenario"] == scenario]
        assert len(own) > 12 and [death["status"] for death in own][-2:] == [-9, 0]
        states = list(dict.fromkeys(death["state"] for death in own))
        found = [await served(folder / "found" / scenario / state) for state in states]
        assert found == expected
