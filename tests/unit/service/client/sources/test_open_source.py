from pathlib import Path

import numpy as np
import pytest

from service.client.frames import PixelFormat, PixelUnit, Source, SourceError
from service.client.sources import CAMERAS, FILES, open_source
from tests.unit.service.client.sources.fakes import arrays, scene
from tests.unit.service.imaging.files import encode

CLIP = np.stack([scene(40, 30)] * 2)


@pytest.fixture
def clip(tmp_path: Path) -> str:
    np.savez(tmp_path / "clip.NPZ", frames=CLIP, fps=8.0, kind="talking")
    (tmp_path / "clip.NPZ.npz").rename(tmp_path / "clip.NPZ")
    return str(tmp_path / "clip.NPZ")


def test_files_go_by_their_ending_whatever_its_case(clip: str) -> None:
    source: Source = open_source(clip)
    assert (source.form.pixel_format, source.form.live) == (PixelFormat.Y16, False)


def test_cameras_go_by_what_stands_before_the_colon(clip: str) -> None:
    assert open_source(f"synthetic:{clip}").form.live
    with pytest.raises(SourceError, match="there is no /dev/video98"):
        open_source("v4l2:/dev/video98")
    with pytest.raises(SourceError, match="GenICam|harvesters|GenTL"):
        open_source("genicam:A1")


def test_folders_are_recordings(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(encode(".png", np.zeros((30, 40), np.uint8)))
    assert open_source(str(tmp_path)).form.pixel_format is PixelFormat.PNG
    assert open_source(f"{tmp_path}/").form.pixel_format is PixelFormat.PNG


def test_options_may_be_text_or_typed(clip: str) -> None:
    as_text = open_source(f"synthetic:{clip}", live="false", frames="3", seed="7", fps="4")
    typed = open_source(f"synthetic:{clip}", live=False, frames=3, seed=7, fps=4.0)
    assert as_text.form == typed.form
    assert as_text.form.fps == 4.0
    np.testing.assert_array_equal(arrays(as_text), arrays(typed))
    assert open_source(clip, units="counts").form.unit is PixelUnit.COUNTS


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"live": "perhaps"}, "live must be true or false, not 'perhaps'"),
        ({"fps": "fast"}, "fps must be a number"),
        ({"frames": "1.5"}, "frames must be a number"),
        ({"layout": "boson"}, "no option layout; known are seed, fps, live, frames"),
    ],
)
def test_options_that_are_wrong_are_named(clip: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        open_source(f"synthetic:{clip}", **options)


def test_seams_of_the_tests_are_no_options() -> None:
    with pytest.raises(SourceError, match="known are layout, units$"):
        open_source("v4l2:0", factory="x")
    with pytest.raises(SourceError, match="known are cti, units$"):
        open_source("genicam:", library="x")


@pytest.mark.parametrize("name", ["", "nothing", "clip.xyz", "/none/", "http://camera/1"])
def test_names_of_no_source_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(SourceError, match=r"no source; known are synthetic:.*v4l2:.*\.seq"):
        open_source(name)


def test_every_kind_opens_by_its_name_alone_or_says_what_is_missing() -> None:
    for ending in FILES:
        with pytest.raises(SourceError, match="none|library"):
            open_source(f"none{ending}")
    assert set(CAMERAS) == {"synthetic", "v4l2", "rtsp", "rtsps", "genicam"}
