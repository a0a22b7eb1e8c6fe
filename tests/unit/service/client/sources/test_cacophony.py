import gzip
import struct
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import cptv
import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.cacophony import open_cptv
from tests.unit.service.client.sources.fakes import array, arrays, scene

FRAMES = [scene(160, 120, low=29500 + 20 * k) for k in range(4)]


def record(
    path: Path, frames: list[NDArray[np.uint16]], *, fps: int = 9, background: bool = False
) -> str:
    """Written by the project's own library, ten frames a second apart from what it says."""
    with path.open("wb") as file:
        writer = cptv.CPTVWriter(file)
        writer.fps = fps
        for number, pixels in enumerate(frames):
            since = timedelta(seconds=100 + number / 10)
            is_background = background and number == 0
            writer.write_frame(cptv.Frame(pixels, since, timedelta(), 30.0, 30.0, is_background))
        writer.close()
    return str(path)


def test_frames_are_centikelvin_at_their_own_times(tmp_path: Path) -> None:
    source = open_cptv(record(tmp_path / "a.cptv", FRAMES))
    form = source.form
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.Y16, 160, 120)
    assert (form.unit, form.scale, form.live, form.fps) == (PixelUnit.KELVIN, 0.01, False, 9.0)
    np.testing.assert_array_equal(arrays(source), FRAMES)
    assert [f.captured for f in source.frames()] == pytest.approx([100.0, 100.1, 100.2, 100.3])


def test_cameras_that_are_not_radiometric_are_left_to_the_service(tmp_path: Path) -> None:
    path = record(tmp_path / "a.cptv", [scene(160, 120, low=3000, span=900)])
    assert open_cptv(path).form.unit is PixelUnit.AUTO
    assert open_cptv(path, units="counts").form.unit is PixelUnit.COUNTS


def test_the_background_picture_is_no_frame(tmp_path: Path) -> None:
    source = open_cptv(record(tmp_path / "a.cptv", FRAMES, background=True))
    np.testing.assert_array_equal(arrays(source), FRAMES[1:])


def by_hand(*, version: int, fields: bytes, count: int, frame: bytes) -> bytes:
    """The format's own layout: sections of a letter, a count and fields (length, letter, value)."""
    head = b"CPTV" + bytes([version]) + b"H" + bytes([count]) + fields
    return gzip.compress(head + frame)


def test_an_old_file_by_hand(tmp_path: Path) -> None:
    """Version 1: no times and no rate; 4 x 2 pixels, rows there and back, 8-bit differences."""
    fields = b"\x08T" + struct.pack("<Q", 10**15) + b"\x01C\x01"
    fields += b"\x04X" + struct.pack("<I", 4) + b"\x04Y" + struct.pack("<I", 2)
    deltas = struct.pack("<i", 29000) + struct.pack("7b", 1, 1, 1, 10, 1, 1, 1)
    frame = b"F\x02" + b"\x04f" + struct.pack("<I", len(deltas)) + b"\x01w\x08" + deltas
    path = tmp_path / "old.cptv"
    path.write_bytes(by_hand(version=1, fields=fields, count=4, frame=frame))
    source = open_cptv(str(path))
    assert (source.form.width, source.form.height, source.form.fps) == (4, 2, 9.0)
    (only,) = source.frames()
    assert only.captured == 0.0
    assert array(only).tolist() == [[29000, 29001, 29002, 29003], [29016, 29015, 29014, 29013]]


@pytest.mark.parametrize(("share", "whole"), [(0.6, 2), (0.99, 3)])
def test_a_file_cut_off_gives_its_whole_frames_and_then_the_error(
    tmp_path: Path, share: float, whole: int
) -> None:
    random = np.random.default_rng(0)
    noisy = [frame + random.integers(0, 99, frame.shape, np.uint16) for frame in FRAMES]
    path = Path(record(tmp_path / "a.cptv", noisy))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    seen: list[Any] = []
    with pytest.raises(SourceError, match="damaged or cut off after"):
        for frame in open_cptv(str(path)).frames():
            seen.append(array(frame))
    assert len(seen) == whole
    np.testing.assert_array_equal(seen, noisy[: len(seen)])


@pytest.mark.parametrize(
    "content", [b"", b"no recording", gzip.compress(b"no recording"), gzip.compress(b"CPTV\x02H")]
)
def test_files_that_are_no_recording_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.cptv"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="no CPTV file"):
        open_cptv(str(path))
    with pytest.raises(SourceError, match="no such file"):
        open_cptv(str(tmp_path / "none.cptv"))


def test_a_recording_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no frames"):
        open_cptv(record(tmp_path / "a.cptv", []))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cptv", None)
    with pytest.raises(SourceError, match=r"pip install 'thermal-landmarks\[cameras\]'"):
        open_cptv("a.cptv")
