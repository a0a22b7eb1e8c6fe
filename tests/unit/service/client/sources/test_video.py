from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelFormat, SourceError
from service.client.sources.capture import picture_form, to_picture
from service.client.sources.video import open_rtsp, open_video
from tests.unit.service.client.sources.fakes import FakeCapture, array, arrays, scene


def grey(shift: int = 0) -> NDArray[np.uint8]:
    return np.asarray(scene(64, 48, low=20 + shift, span=150), np.uint8)


def bgr(shift: int = 0) -> NDArray[np.uint8]:
    return np.dstack([grey(shift)] * 3)


def ironbow() -> NDArray[Any]:
    return np.asarray(cv2.applyColorMap(grey(), cv2.COLORMAP_INFERNO))


def avi(path: Path, pictures: list[NDArray[Any]], fps: float = 12.5) -> str:
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    assert writer.isOpened()
    for picture in pictures:
        writer.write(picture)
    writer.release()
    return str(path)


def test_a_video_file_is_a_recording_of_grey_pictures(tmp_path: Path) -> None:
    path = avi(tmp_path / "clip.avi", [bgr(5 * k) for k in range(6)])
    source = open_video(path)
    form = source.form
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.GRAY8, 64, 48)
    assert (form.live, form.fps) == (False, 12.5)
    frames = arrays(source)
    assert len(frames) == 6
    for k, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - grey(5 * k)).mean() < 2.0  # JPEG's loss
    assert [f.captured for f in source.frames()][:3] == pytest.approx([0.0, 0.08, 0.16])
    assert [f.captured for f in open_video(path, fps=5.0).frames()][1] == pytest.approx(0.2)


def test_palettes_are_sent_as_png_in_their_colours(tmp_path: Path) -> None:
    source = open_video(avi(tmp_path / "iron.avi", [ironbow()] * 2))
    assert source.form.pixel_format is PixelFormat.PNG
    data = next(iter(source.frames())).data
    assert isinstance(data, bytes)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - ironbow()).mean() < 8.0
    forced = open_video(avi(tmp_path / "iron.avi", [ironbow()]), colour=False)
    assert forced.form.pixel_format is PixelFormat.GRAY8


def test_a_coloured_logo_is_no_palette() -> None:
    picture = bgr()
    picture[:10, :20] = (0, 0, 255)
    assert picture_form(picture, None, None).pixel_format is PixelFormat.GRAY8
    assert picture_form(picture, True, None).pixel_format is PixelFormat.PNG
    assert picture_form(grey(), None, None).pixel_format is PixelFormat.GRAY8


def test_a_change_of_size_is_refused() -> None:
    form = picture_form(bgr(), None, None)
    with pytest.raises(SourceError, match="64 x 48 to 48 x 64"):
        to_picture(bgr().transpose(1, 0, 2), form)


def test_a_file_cut_off_gives_its_whole_frames_and_then_the_error(tmp_path: Path) -> None:
    path = Path(avi(tmp_path / "clip.avi", [bgr(k) for k in range(40)]))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = open_video(str(path)).frames()
    seen = []
    with pytest.raises(SourceError, match="damaged or cut off"):
        for frame in frames:
            seen.append(array(frame))
    assert 10 < len(seen) < 30


def test_counts_that_are_estimates_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    cameras = iter([FakeCapture([bgr()] * 9, count=10), FakeCapture([bgr()] * 9, count=10)])
    source = open_video(str(path), factory=lambda *_: next(cameras))
    assert len(arrays(source)) == 9


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_files_that_are_no_video_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="no video"):
        open_video(str(path))
    with pytest.raises(SourceError, match="no such file"):
        open_video(str(tmp_path / "none.mp4"))


def test_a_file_without_a_rate_takes_25(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.touch()
    assert open_video(str(path), factory=FakeCapture([bgr()], fps=0.0)).form.fps == 25.0


def test_a_network_camera_is_live_and_ends_by_an_error_when_it_stops() -> None:
    capture = FakeCapture([bgr(0), bgr(7)], fps=25.0)
    source = open_rtsp("rtsp://user:secret@camera/1", factory=capture)
    assert (source.form.live, source.form.fps) == (True, 25.0)
    assert capture.asked[:2] == ("rtsp://user:secret@camera/1", cv2.CAP_FFMPEG)
    frames = source.frames()
    with pytest.raises(SourceError, match=r"^camera/1: the camera has stopped"):
        for frame in frames:
            np.testing.assert_array_equal(array(frame), grey(7))
    assert capture.released.wait(10.0)


def test_a_network_camera_that_cannot_be_had_is_named_without_its_password() -> None:
    closed = FakeCapture([], opened=False)
    with pytest.raises(SourceError, match="login") as caught:
        open_rtsp("rtsp://user:secret@camera/1", factory=closed)
    assert "secret" not in str(caught.value)
    assert closed.released.is_set()
