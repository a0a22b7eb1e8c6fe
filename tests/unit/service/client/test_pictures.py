from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.client.frames import CameraFrame, FrameForm, PixelFormat
from service.client.pictures import Painter, Video
from tests.gateways import good_image
from tests.memory_sources import FORM, VALUES
from tests.unit.service.client.answers import answer, face, failed

SIZE = (1280, 960)  # height and width of a frame of `VALUES`, enlarged by 8


def shown(path: Path) -> int:
    """Frames of a video that can be read."""
    video = cv2.VideoCapture(str(path))
    count = 0
    while True:
        read, picture = video.read()
        if not read:
            break
        assert picture.shape == (*SIZE, 3)
        count += 1
    video.release()
    return count


@pytest.mark.parametrize(
    ("form", "data"),
    [
        (FORM, VALUES),
        (replace(FORM, pixel_format=PixelFormat.GRAY8), (VALUES % 256).astype(np.uint8)),
        (replace(FORM, pixel_format=PixelFormat.PNG), good_image()),
    ],
)
def test_frames_with_their_faces(form: FrameForm, data: np.ndarray | bytes) -> None:
    frame, painter = CameraFrame(data, 0.0), Painter(form)
    plain, drawn = (painter.paint(answer(0, *faces, frame=frame)) for faces in ((), (face(),)))
    assert plain is not None and drawn is not None
    assert plain.shape == drawn.shape == (*SIZE, 3)
    assert not np.ptp(plain.astype(int), axis=2).any()  # grey
    assert np.ptp(drawn.astype(int), axis=2).max() > 100


def test_black_hot_frames_are_drawn_white_hot() -> None:
    as_it_is = Painter(FORM).paint(answer())
    turned = Painter(FORM, "black-hot").paint(answer())
    assert as_it_is is not None and turned is not None
    assert as_it_is[640, 480, 0] > 200 and turned[640, 480, 0] < 50


def test_a_frame_that_cannot_be_read() -> None:
    painter = Painter(FORM)
    assert painter.paint(failed(frame=CameraFrame(VALUES[1:], 0.0))) is None
    assert painter.paint(failed()) is not None  # one that only the service could not


def test_a_picture_is_made_once() -> None:
    painter, one = Painter(FORM), answer()
    assert painter.paint(one) is painter.paint(one)


def test_a_recording_s_video_has_its_frames(tmp_path: Path) -> None:
    video = Video(tmp_path / "out.mp4", Painter(FORM), FORM)
    for number in range(5):
        video.write(answer(number, face(), captured=0.0))
    video.write(failed(frame=CameraFrame(VALUES[1:], 0.0)))
    video.close()
    assert shown(tmp_path / "out.mp4") == 5


@pytest.mark.parametrize(
    ("times", "frames"),
    [
        ([0.0, 0.1, 0.2], 3),
        ([0.0, 0.5, 0.6], 7),  # dropped frames: the later one stands for them
        ([0.0, 0.01, 0.1], 2),  # more than the video shows
        ([0.0, 500.0, 500.1], 3),  # an hour's break is not shown
        ([500.0, 0.0, 0.1], 1),  # a clock that was put back
    ],
)
def test_a_camera_s_video_keeps_time(tmp_path: Path, times: list[float], frames: int) -> None:
    live = replace(FORM, live=True)
    video = Video(tmp_path / "out.mp4", Painter(live), live)
    for number, captured in enumerate(times):
        video.write(answer(number, captured=captured))
    video.close()
    assert shown(tmp_path / "out.mp4") == frames


def test_a_camera_that_turns(tmp_path: Path) -> None:
    form = replace(FORM, pixel_format=PixelFormat.PNG)
    video = Video(tmp_path / "out.mp4", Painter(form), form)
    for height, width in ((160, 120), (120, 160)):
        video.write(answer(frame=CameraFrame(good_image(height, width), 0.0)))
    video.close()
    assert shown(tmp_path / "out.mp4") == 2


def test_videos_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Video(tmp_path / "no" / "folder.mp4", Painter(FORM), FORM)
    video = Video(tmp_path / "out.nonsense", Painter(FORM), FORM)
    with pytest.raises(OSError, match="cannot write"):
        video.write(answer())
