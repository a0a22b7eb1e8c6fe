from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.stacks import open_stack, read_stack
from tests.unit.service.client.sources.fakes import arrays, scene

FRAMES = np.stack([scene(16, 12, low=29000 + 10 * k) for k in range(4)])


def npz(tmp_path: Path, **entries: Any) -> str:
    path = tmp_path / "clip.npz"
    np.savez(path, **entries)
    return str(path)


def test_an_npy_is_given_frame_by_frame(tmp_path: Path) -> None:
    path = tmp_path / "stack.npy"
    np.save(path, FRAMES)
    source = open_stack(str(path), fps=5.0)
    assert (source.form.pixel_format, source.form.unit) == (PixelFormat.Y16, PixelUnit.AUTO)
    assert (source.form.width, source.form.height, source.form.fps) == (16, 12, 5.0)
    assert not source.form.live
    np.testing.assert_array_equal(arrays(source), FRAMES)
    assert [frame.captured for frame in source.frames()] == pytest.approx([0.0, 0.2, 0.4, 0.6])


def test_our_own_clips_are_centikelvin_by_their_own_times(tmp_path: Path) -> None:
    times = np.array([10.0, 10.1, 10.3, 10.4])
    source = open_stack(npz(tmp_path, frames=FRAMES, times=times, fps=9.0, kind="talking"))
    assert (source.form.unit, source.form.scale) == (PixelUnit.KELVIN, 0.01)


def test_times_are_kept_where_no_fps_is_given(tmp_path: Path) -> None:
    times = np.array([10.0, 10.1, 10.3, 10.4])
    source = open_stack(npz(tmp_path, frames=FRAMES, times=times))
    assert [frame.captured for frame in source.frames()] == times.tolist()
    assert source.form.fps == pytest.approx(7.5)
    assert source.form.unit is PixelUnit.AUTO


def test_grey_clips_and_single_arrays(tmp_path: Path) -> None:
    grey = np.zeros((2, 12, 16), np.uint8)
    assert (
        read_stack(npz(tmp_path, frames=grey, kind="x", unit="grey8")).form
        == read_stack(npz(tmp_path, anything=grey)).form
    )


def test_named_units_win(tmp_path: Path) -> None:
    source = open_stack(npz(tmp_path, frames=FRAMES, kind="x"), units="kelvin64")
    assert source.form.scale == 1 / 64


def test_floats_are_sent_as_centikelvin(tmp_path: Path) -> None:
    path = npz(tmp_path, frames=FRAMES / 100 - 273.15)
    np.testing.assert_array_equal(arrays(open_stack(path, units="celsius")), FRAMES)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"frames": FRAMES[0]}, "time, height, width"),
        ({"frames": FRAMES[:0]}, "time, height, width"),
        ({"a": FRAMES, "b": FRAMES}, "no `frames`"),
        ({"frames": FRAMES, "times": np.arange(3)}, "times"),
        ({"frames": FRAMES, "times": np.zeros(4)}, "times"),
        ({"frames": FRAMES, "fps": 0.0}, "fps"),
    ],
)
def test_what_is_no_stack_is_refused(tmp_path: Path, entries: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        open_stack(npz(tmp_path, **entries))


@pytest.mark.parametrize("name", ["clip.npz", "stack.npy"])
@pytest.mark.parametrize("kept", [0, 4, 100, -40])
def test_files_cut_off_are_refused(tmp_path: Path, name: str, kept: int) -> None:
    path = tmp_path / name
    np.savez(path, frames=FRAMES) if name.endswith("z") else np.save(path, FRAMES)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SourceError, match="damaged or cut off"):
        open_stack(str(path))


def test_no_code_is_run_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "objects.npy"
    np.save(path, np.array([print, None]), allow_pickle=True)
    with pytest.raises(SourceError, match="objects"):
        open_stack(str(path))
    with pytest.raises(SourceError, match="no such file"):
        open_stack(str(tmp_path / "none.npy"))


def test_close_ends_the_frames(tmp_path: Path) -> None:
    source = open_stack(npz(tmp_path, frames=FRAMES))
    seen = 0
    for _ in source.frames():
        seen += 1
        source.close()
    assert seen == 1
    assert arrays(source) == []
