import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from service.client.frames import PixelFormat, PixelUnit, SourceError
from service.client.sources.synthetic import open_synthetic, to_and_fro
from tests.unit.service.client.sources.fakes import arrays, scene

CLIP = np.stack([scene(40, 30, low=29000 + 100 * k) for k in range(4)])


@pytest.fixture
def clip(tmp_path: Path) -> str:
    np.savez(tmp_path / "clip.npz", frames=CLIP, fps=8.0, kind="talking")
    return str(tmp_path / "clip.npz")


@pytest.mark.parametrize(
    ("length", "indices"), [(1, [0, 0, 0]), (2, [0, 1, 0, 1]), (4, [0, 1, 2, 3, 2, 1, 0, 1])]
)
def test_a_clip_turns_round_at_both_ends(length: int, indices: list[int]) -> None:
    assert [to_and_fro(number, length) for number in range(len(indices))] == indices


def test_pictures_are_the_clips_with_noise_of_a_camera(clip: str) -> None:
    source = open_synthetic(clip, live=False, frames=8)
    frames = arrays(source)
    assert (source.form.pixel_format, source.form.unit) == (PixelFormat.Y16, PixelUnit.KELVIN)
    assert (source.form.live, source.form.fps) == (False, 8.0)
    noise = np.stack(frames).astype(float) - CLIP[[0, 1, 2, 3, 2, 1, 0, 1]]
    assert 4.5 < noise.std(axis=0).mean() < 5.5  # in time
    assert 3.0 < noise.mean(axis=0).std() < 4.0  # the pattern, and what eight frames leave
    assert [frame.captured for frame in source.frames()][:3] == [0.0, 0.125, 0.25]


def test_noise_follows_from_the_seed_alone(clip: str) -> None:
    first, again, other = (
        arrays(open_synthetic(clip, live=False, frames=3, seed=seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_grey_clips_stay_within_their_scale(tmp_path: Path) -> None:
    grey = np.zeros((2, 30, 40), np.uint8)
    grey[:, :, 20:] = 255
    np.savez(tmp_path / "grey.npz", frames=grey, fps=8.0, kind="talking", unit="grey8")
    source = open_synthetic(str(tmp_path / "grey.npz"), live=False, frames=2)
    assert source.form.pixel_format is PixelFormat.GRAY8
    for frame in arrays(source):
        assert frame.dtype == np.uint8
        assert frame[:, :20].max() < 10
        assert frame[:, 20:].min() > 245


def test_no_frames_are_no_camera() -> None:
    with pytest.raises(SourceError, match="frames"):
        open_synthetic(frames=0)


def test_a_live_camera_has_the_clocks_time_and_skips_what_is_late(clip: str) -> None:
    source = open_synthetic(clip, fps=1000.0)
    assert source.form.live
    frames = list(itertools.islice(source.frames(), 3))
    assert frames[0].captured < frames[1].captured < frames[2].captured
    slow = source.frames()
    next(slow)
    threading.Event().wait(0.02)
    as_recorded = arrays(open_synthetic(clip, live=False, frames=2))
    late = next(slow).data
    assert not np.array_equal(late, as_recorded[1])


def test_close_from_another_thread_ends_a_wait(clip: str) -> None:
    source = open_synthetic(clip, fps=0.01)
    frames = source.frames()
    next(frames)
    threading.Timer(0.05, source.close).start()
    assert list(frames) == []


def test_clips_that_cannot_be_played_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "float.npz", frames=CLIP.astype(np.float32))
    with pytest.raises(SourceError, match="units"):
        open_synthetic(str(tmp_path / "float.npz"))
    np.savez(tmp_path / "one.npz", frames=CLIP[:1], times=np.zeros(1))
    with pytest.raises(SourceError, match="have an fps"):
        open_synthetic(str(tmp_path / "one.npz"))
    with pytest.raises(SourceError, match="no such file"):
        open_synthetic(str(tmp_path / "none.npz"))


def test_the_clip_that_ships_shows_a_person_by_temperature() -> None:
    source = open_synthetic(live=False, frames=2)
    assert (source.form.unit, source.form.scale) == (PixelUnit.KELVIN, 0.01)
    assert source.form.fps is not None and 5.0 <= source.form.fps <= 60.0
    for frame in arrays(source):
        celsius = frame * 0.01 - 273.15
        assert 10.0 < np.percentile(celsius, 1) < np.percentile(celsius, 99) < 45.0
        assert np.percentile(celsius, 99) > 30.0  # skin
