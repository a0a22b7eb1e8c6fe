import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.paper.studies import measured, tiny
from tests.unit.training.paper.test_dynamics import LATENCIES
from training.paper.arms import ARMS_OF, TABLES
from training.paper.report import Finished, sections, write_report


@pytest.fixture
def finished() -> Finished:
    rng = np.random.default_rng(0)
    norms = {arm: [rng.uniform(1, 2, 4) for _ in range(2)] for arm in ARMS_OF["v"]}
    return Finished(measured(tiny()), norms, LATENCIES)


def test_all_tables_in_one_folder(finished: Finished, tmp_path: Path) -> None:
    parts = sections(finished, TABLES)
    files = write_report(tmp_path / "new" / "report", parts, "python -m training.paper")
    assert [file.name for file in files] == [
        "report.html", "tables.txt", "results.json", "figure4.svg", "figure5.svg",
    ]  # fmt: skip
    assert all(file.stat().st_size for file in files)
    text = files[1].read_text()
    for table in ("Table I", "Table II", "Table III", "Table IV", "Table V"):
        assert f"\n{table}:\n" in text
    html = files[0].read_text()
    assert "<title>MLCM-KD&#39;s tables on synthetic persons</title>" in html
    assert "<caption>Networks</caption>" not in html


def test_numbers_for_machines(finished: Finished, tmp_path: Path) -> None:
    write_report(tmp_path, sections(finished, TABLES), "command")
    results = json.loads((tmp_path / "results.json").read_text())
    one, two, three, _, five = results["sections"]
    run = finished.measured.errors["supervised-t-1"].column("full", finished.measured.subsets)
    assert one["figures"]["runs"]["supervised-t-1"]["full"] == pytest.approx(run)
    assert one["figures"]["faces"]["full"] == 40
    assert one["figures"]["profile"]["arm_steps"] == 6
    assert two["figures"]["t"]["landmarks_ms"] == 10.0
    assert len(three["figures"]["comparisons"]) == 6
    assert len(five["figures"]["full"][1]["norms"]) == 4


def test_the_protocol_stands_with_every_table_of_errors(finished: Finished) -> None:
    for part in sections(finished, ("i", "iii", "iv")):
        assert "whom no training saw" in part.protocol
        assert "Front = |yaw| < 45" in part.protocol


def test_some_tables_in_the_papers_order(finished: Finished) -> None:
    titles = [part.title for part in sections(finished, ("v", "ii"))]
    assert [title.split(" ")[1] for title in titles] == ["II", "V"]
