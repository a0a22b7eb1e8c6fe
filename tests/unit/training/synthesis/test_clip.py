from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.synthesis.clips import clip
from training.synthesis.clip import CENTIKELVIN, GREY, Clip, load_clip, save_clip


@pytest.mark.parametrize(("dtype", "unit"), [(np.uint16, CENTIKELVIN), (np.uint8, GREY)])
def test_a_clip_comes_back_as_it_was_written(tmp_path: Path, dtype: type, unit: str) -> None:
    file, ours = tmp_path / "new" / "clip.npz", clip(dtype)
    save_clip(ours, file)
    theirs = load_clip(file)
    for name in ("frames", "times", "landmarks", "visible"):
        np.testing.assert_array_equal(getattr(theirs, name), getattr(ours, name))
        assert getattr(theirs, name).dtype == getattr(ours, name).dtype
    assert (theirs.fps, theirs.kind, theirs.unit) == (10.0, "standing", unit)
    assert theirs.frames.flags.c_contiguous
    with np.load(file) as data:
        assert str(data["unit"]) == unit


def test_what_stands_still_costs_next_to_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 60_000, (1, 64, 64)).astype(np.uint16)
    sizes = []
    for count in (1, 20):
        still = Clip(
            np.repeat(noise, count, axis=0),
            np.arange(count) / 9.0,
            np.zeros((count, 1, 68, 2), np.float32),
            np.ones((count, 1), np.float32),
            9.0,
            "standing",
        )
        save_clip(still, tmp_path / "clip.npz")
        sizes.append((tmp_path / "clip.npz").stat().st_size)
    assert sizes[1] < 2 * sizes[0]
