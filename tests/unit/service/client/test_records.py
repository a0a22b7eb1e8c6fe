import csv
import json
from pathlib import Path

import numpy as np
import pytest

from service.client.records import CSV_FIELDS, Csv, JsonLines
from service.entities import SensorEvent, Verdict
from tests.unit.service.client.answers import answer, face, failed


def test_a_json_line_a_frame(tmp_path: Path) -> None:
    events = frozenset({SensorEvent.SATURATED, SensorEvent.FROZEN})
    output = JsonLines(str(tmp_path / "out.jsonl"))
    output.write(answer(7, face(), events=events))
    output.write(failed(8))
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    output.close()
    (seen,) = first.pop("faces")
    assert first == {
        "frame": 7, "time": 1.5, "latency_ms": 31.25, "dropped": 2,
        "events": ["frozen", "saturated"], "width": 120, "height": 160, "unit": "celsius",
        "normalisation": "linear-v1", "timings_ms": {"detect": 6.25}, "error": None,
    }  # fmt: skip
    assert len(seen["landmarks"]) == len(seen["sigma"]) == len(seen["velocities"]) == 68
    assert (seen["landmarks"][0], seen["sigma"][0]) == ([30.0, 50.0, 0.5], 1.25)
    assert seen["velocities"][0] == [-1.5, -1.5]
    assert (seen["track_id"], seen["box"], seen["score"]) == (3, [30, 50, 90, 110], 0.875)
    assert (seen["verdict"], seen["reasons"]) == ("uncertain", ["cut"])
    assert seen["temperatures"] == {"forehead": 34.57}
    assert second["error"] == {"code": "broken_image", "detail": "cut off"}
    assert second["faces"] == [] and second["width"] is None


def test_numbers_are_short(tmp_path: Path) -> None:
    landmarks = np.full((68, 4), np.float32(0.1))
    for output in (JsonLines(str(tmp_path / "a")), Csv(tmp_path / "b")):
        output.write(answer(0, face(landmarks=landmarks, velocities=landmarks[:, :2])))
        output.close()
    assert "0.10000" not in (tmp_path / "a").read_text() + (tmp_path / "b").read_text()


def test_what_a_face_may_lack(tmp_path: Path) -> None:
    bare = face(verdict=None, temperatures=None, track_id=None, velocities=None)
    output = JsonLines(str(tmp_path / "out.jsonl"))
    output.write(answer(0, bare))
    output.close()
    (seen,) = json.loads((tmp_path / "out.jsonl").read_text())["faces"]
    assert all(
        seen[name] is None
        for name in ("verdict", "reasons", "temperatures", "track_id", "velocities")
    )


def test_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output = JsonLines("-")
    output.write(answer(1))
    output.close()  # leaves it open
    assert json.loads(capsys.readouterr().out)["frame"] == 1


def test_a_csv_row_a_face(tmp_path: Path) -> None:
    output = Csv(tmp_path / "out.csv")
    untracked = face(track_id=None, verdict=None)
    for one in (answer(7, face(), face(verdict=Verdict())), failed(8), answer(9, untracked)):
        output.write(one)
    output.close()
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == ["7", "7", "9"]
    assert list(rows[0]) == list(CSV_FIELDS) and len(CSV_FIELDS) == 9 + 3 * 68
    first = rows[0]
    assert (first["time"], first["track_id"], first["score"]) == ("1.500000", "3", "0.875")
    corners = ("box_x1", "box_y1", "box_x2", "box_y2")
    assert [float(first[name]) for name in corners] == [30, 50, 90, 110]
    assert [float(first[name]) for name in ("x67", "y67", "sigma67")] == [90, 110, 1.25]
    assert [row["verdict"] for row in rows] == ["uncertain", "reliable", ""]
    assert rows[2]["track_id"] == ""


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    for make in (lambda: JsonLines(str(tmp_path)), lambda: Csv(tmp_path / "no" / "folder")):
        with pytest.raises(OSError):
            make()
