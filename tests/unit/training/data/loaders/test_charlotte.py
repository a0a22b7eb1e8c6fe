from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from service.entities import Unit
from service.landmark_schema import FLIP
from tests.data_sets import face, side_slots, slots_73, write_charlotte
from training.data.faces import DataSetError
from training.data.loaders.charlotte import Charlotte, read_side_mapping

FRONT = slots_73(face())


def test_a_front_view_by_column_name(tmp_path: Path) -> None:
    write_charlotte(tmp_path, {"R11185": FRONT})
    faces = Charlotte(tmp_path)
    assert len(faces) == 1
    one = faces[0]
    np.testing.assert_allclose(one.points, face(), atol=1e-3)
    assert one.weight.sum() == 68
    assert one.name == "S1/R11185"
    assert one.frame.unit == Unit.CELSIUS
    assert one.frame.values[0, 0] == pytest.approx(20, abs=0.01)
    assert one.frame.values[-1, -1] == pytest.approx(36, abs=0.01)


def test_absent_points_do_not_count(tmp_path: Path) -> None:
    slots = FRONT.copy()
    slots[8] = np.nan
    slots[20, 1] = np.nan
    write_charlotte(tmp_path, {"R11185": slots})
    one = Charlotte(tmp_path)[0]
    assert np.flatnonzero(one.weight == 0).tolist() == [8, 20]
    assert np.isnan(one.points[[8, 20]]).all()
    assert one.box.y2 == pytest.approx(np.delete(face(), 8, axis=0)[:, 1].max(), abs=1e-3)


@pytest.mark.parametrize(("size", "width"), [(150, "Low"), (200.2, "Mean"), (230, "High")])
def test_subsets_by_width(tmp_path: Path, size: float, width: str) -> None:
    points = face((300, 300), 1)  # 1 pixel wide but for the ends of the jaw
    scale = size / np.ptp(points[:, 0])
    write_charlotte(tmp_path, {"R11185": slots_73((points - 300) * scale + 300)})
    assert Charlotte(tmp_path).label(0).groups == {
        "split": "train", "subject": "S1", "view": "front", "width": width,
    }  # fmt: skip


def test_side_views_are_left_out_and_said_so(tmp_path: Path) -> None:
    nobody, odd = np.full((73, 2), np.nan), side_slots()
    odd[70] = 50
    rows = {"R11185": FRONT, "R21186": side_slots(), "R21187": nobody, "R21188": odd}
    write_charlotte(tmp_path, rows)
    faces = Charlotte(tmp_path)
    assert len(faces) == 1
    assert dict(faces.left_out) == {
        "side view, unmapped: no mapping file": 1,
        "without points": 1,
        "neither front nor side": 1,
    }
    assert "side views: unmapped" in faces.notes[0]


def test_a_mapping_file_takes_side_views_in(tmp_path: Path) -> None:
    (tmp_path / "side.toml").write_text("[slots]\n0 = 2\n15 = 30\n")
    left = side_slots()
    left[:43, 0] = 200 - left[:43, 0]
    write_charlotte(tmp_path, {"R11185": side_slots(), "R11186": left})
    right_seen, left_seen = Charlotte(tmp_path)[0], Charlotte(tmp_path)[1]
    assert np.flatnonzero(right_seen.weight).tolist() == [2, 30]
    assert right_seen.points[30].tolist() == pytest.approx(side_slots()[15].tolist(), abs=1e-3)
    assert np.flatnonzero(left_seen.weight).tolist() == [FLIP[2], 30]
    assert right_seen.groups["view"] == "side"
    assert right_seen.groups["width"] == "Low"
    assert "side.toml" in Charlotte(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[slots]\n43 = 0\n", "slot 43; expected 0 to 42"),
        ("[slots]\n-1 = 0\n", "slot -1"),
        ("[slots]\n0 = 68\n", "slot 0 = 68; expected a landmark 0 to 67"),
        ("[slots]\n0 = 1.5\n", "slot 0 = 1.5"),
        ("[slots]\n0 = 3\n1 = 3\n15 = 30", "named twice"),
        ("[slots]\n0 = 3\n00 = 4\n15 = 30", "named twice"),
        ("[slots]\n0 = 3\n", "jaw or nose"),
        ("[other]\n0 = 3\n", r"no \[slots\]"),
        ("0 - 3", "side.toml: "),
    ],
)
def test_bad_mappings_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "side.toml").write_text(text)
    with pytest.raises(DataSetError, match=says):
        read_side_mapping(tmp_path / "side.toml")


def test_a_named_mapping_must_be_there(tmp_path: Path) -> None:
    write_charlotte(tmp_path, {"R11185": FRONT})
    with pytest.raises(DataSetError, match=r"mine\.toml: No such file"):
        Charlotte(tmp_path, side="mine.toml")


def test_the_last_subject_is_held_out(tmp_path: Path) -> None:
    write_charlotte(tmp_path, {"R100001": FRONT, "R21186": FRONT})
    assert [face.groups["subject"] for face in Charlotte(tmp_path)] == ["S2", "S10"]
    assert Charlotte(tmp_path, split="val").label(0).name == "S10/R100001"
    assert len(Charlotte(tmp_path, split="train")) == 1


def test_broken_tables(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"no S\*\.csv"):
        Charlotte(tmp_path)
    table = tmp_path / "S1.csv"
    table.write_text("ID,x0\nR11185,3\n")
    with pytest.raises(DataSetError, match=r"S1\.csv: no column y0, x1.*expected ID, x0"):
        Charlotte(tmp_path)
    table.unlink()
    write_charlotte(tmp_path, {"R11185": FRONT, "R11186": FRONT})
    whole = table.read_text()
    table.write_text(whole.replace("R11186", "N1"))
    with pytest.raises(DataSetError, match="line 3: ID 'N1'"):
        Charlotte(tmp_path)
    lines = whole.splitlines()
    words = [lines[1].replace(str(FRONT[3, 0]), "much"), ",".join(lines[2].split(",")[:20])]
    table.write_text("\n".join([lines[0], *words]) + "\n")
    faces = Charlotte(tmp_path)
    with pytest.raises(DataSetError, match="row R11185: .*much"):
        faces.label(0)
    with pytest.raises(DataSetError, match="row R11186: ends at column x9"):
        faces.label(1)


def test_pictures_that_are_no_centikelvin_are_refused(tmp_path: Path) -> None:
    write_charlotte(tmp_path, {"R11185": FRONT})
    faces, file = Charlotte(tmp_path), tmp_path / "S1" / "R11185.tiff"
    tifffile.imwrite(file, np.full((120, 160), 90, np.uint8))
    with pytest.raises(DataSetError, match=r"R11185\.tiff: .*expected 16-bit grey"):
        faces.frame(0)
    tifffile.imwrite(file, np.full((120, 160), 3000, np.uint16))
    with pytest.raises(DataSetError, match="median -243 C; expected uint16 centikelvin"):
        faces.frame(0)
    file.write_bytes(cv2.imencode(".png", np.zeros((4, 4), np.uint8))[1].tobytes()[:30])
    with pytest.raises(DataSetError, match="expected a picture"):
        faces.frame(0)
    file.unlink()
    with pytest.raises(DataSetError, match="No such file"):
        faces.frame(0)
