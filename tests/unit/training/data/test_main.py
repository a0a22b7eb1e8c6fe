import json
from pathlib import Path

import numpy as np
import pytest

from tests.data_sets import (
    face,
    side_slots,
    slots_73,
    tfw_row,
    write_charlotte,
    write_pts,
    write_sf_tl54,
    write_tfw,
)
from training.data.__main__ import main
from training.data.sets import SETS

FRONT = slots_73(face())


def test_what_a_data_set_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    absent, beyond = FRONT.copy(), FRONT.copy()
    absent[8], beyond[0] = np.nan, [-20, 60]
    rows = {"R11185": FRONT, "R11186": absent, "R21187": beyond, "R21188": side_slots()}
    write_charlotte(tmp_path, rows)
    (tmp_path / "S1" / "R11185.tiff").unlink()
    main(["check", "charlotte", str(tmp_path), "--json", str(tmp_path / "found.json")])
    said = capsys.readouterr().out
    for words in (
        "3 faces, 2 of 3 usable",
        "left out: 1, side view, unmapped",
        "subject: S1 1, S2 1",
        "points not annotated: 1, of landmarks 8",
        "points outside their picture: 1",
        "values: celsius, 20.0 to 36.0",
        "160 x 120 2; tiff16/centikelvin 2",
        "side views: unmapped",
        "licence: R-UDA",
        "R11185.tiff: No such file",
        "preparation: none needed",
    ):
        assert words in said
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["faces"], found["usable"], found["outside"]) == (3, 2, 1)
    assert found["masked"] == {"8": 1}
    assert found["broken"]["count"] == 1
    assert found["groups"]["width"] == {"Low": 2}


def test_partners_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sf_tl54(tmp_path, {"train": ["1_1_1_1_1", "2_1_1_1_1"]}, (80, 60))
    partner = tmp_path / "rgb" / "train" / "2_1_1_1_1.png"
    partner.write_bytes(partner.read_bytes()[:99])
    main(["check", "sf-tl54", str(tmp_path)])
    said = capsys.readouterr().out
    assert "colour partners: 1 of 2" in said
    assert "no partner: 1, the first:" in said
    assert "points not annotated: 28, of landmarks 49, 50, 52" in said


def test_frames_with_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crowd = [tfw_row("a.png", 10 * i, 60, side=20) for i in range(13)]
    write_tfw(tmp_path, [*crowd, tfw_row("b.png", 440, 60)])
    main(["check", "tfw", str(tmp_path)])
    said = capsys.readouterr().out
    assert "2 frames, 2 of 2 usable" in said
    assert "boxes: 14; 1 frames with more than 12" in said
    assert "points outside their picture: 3" in said
    assert "20.0 to 60.0 pixels, median 20.0" in said


def test_some_of_the_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        write_pts(tmp_path, f"{number}", face())
    main(["check", "300w", str(tmp_path), "--pictures", "2"])
    said = capsys.readouterr().out
    assert "6 faces, 2 of 2 usable" in said
    assert "colour partners" not in said


def test_nothing_usable_is_exit_status_1(tmp_path: Path) -> None:
    write_pts(tmp_path, "a", face()[:51])
    with pytest.raises(SystemExit, match="nothing in it can be used"):
        main(["check", "300w", str(tmp_path), "--json", str(tmp_path / "found.json")])
    assert json.loads((tmp_path / "found.json").read_text())["usable"] == 0
    with pytest.raises(SystemExit, match="charlotte: .*no S"):
        main(["check", "charlotte", str(tmp_path), "--json", str(tmp_path / "none.json")])
    assert "no S" in json.loads((tmp_path / "none.json").read_text())["error"]


def test_the_list_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(SETS)
    assert "side" in next(line for line in lines if line.startswith("charlotte"))
