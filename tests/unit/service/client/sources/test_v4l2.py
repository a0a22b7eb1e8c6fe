"""UVC cameras by the bytes that they send, laid out by hand."""

import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import FrameForm, PixelFormat, PixelUnit, SourceError
from service.client.sources.newest import NewestFrame
from service.client.sources.v4l2 import crop, open_v4l2, to_words
from tests.unit.service.client.sources.fakes import Y16, YUYV, FakeCapture, array, scene


def telemetry(rows: int, width: int, *, tlinear: bool, fine: bool = True) -> NDArray[np.uint16]:
    """Rows A, B, C (and D) of 80 words, with noise where nothing is looked at."""
    words = np.random.default_rng(0).integers(0, 65536, rows * width).astype(np.uint16)
    words[2 * 80 + 48], words[2 * 80 + 49] = int(tlinear), int(fine)
    return words.reshape(rows, width)


def camera(raw: NDArray[Any], fourcc: int = Y16, frames: int = 3) -> FakeCapture:
    height, width = raw.shape[:2]
    return FakeCapture([raw] * frames, {fourcc: (width, height)})


def first(source: NewestFrame) -> tuple[FrameForm, NDArray[Any]]:
    frame = next(source.frames())
    source.close()
    return source.form, array(frame)


def test_lepton_with_tlinear_is_centikelvin() -> None:
    raw = scene(160, 120)
    capture = camera(raw)
    form, frame = first(open_v4l2("2", factory=capture))
    assert capture.asked[0] == 2
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.Y16, 160, 120)
    assert (form.unit, form.scale) == (PixelUnit.KELVIN, 0.01)
    assert (form.live, form.fps) == (True, 9.0)
    np.testing.assert_array_equal(frame, raw)


def test_raw_frames_are_asked_for_after_the_format() -> None:
    capture = camera(scene(160, 120))
    first(open_v4l2("0", factory=capture))
    assert capture.values[cv2.CAP_PROP_CONVERT_RGB] == 0.0
    assert capture.values[cv2.CAP_PROP_FOURCC] == Y16


def test_lepton_without_tlinear_is_left_to_the_service() -> None:
    form, _ = first(open_v4l2("0", factory=camera(scene(160, 120, low=7900, span=400))))
    assert (form.unit, form.scale) == (PixelUnit.AUTO, 1.0)


@pytest.mark.parametrize(("rows", "width"), [(2, 160), (3, 80)], ids=["lepton3", "lepton2"])
@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize(
    ("tlinear", "fine", "unit", "scale"),
    [
        (True, True, PixelUnit.KELVIN, 0.01),
        (True, False, PixelUnit.KELVIN, 0.1),
        (False, True, PixelUnit.COUNTS, 1.0),
    ],
)
def test_telemetry_rows_are_read_and_cropped(
    rows: int,
    width: int,
    header: bool,
    tlinear: bool,
    fine: bool,
    unit: PixelUnit,
    scale: float,
) -> None:
    picture = scene(width, width * 3 // 4)
    extra = telemetry(rows, width, tlinear=tlinear, fine=fine)
    raw = np.vstack([extra, picture] if header else [picture, extra])
    layout = "lepton-header" if header else "auto"
    form, frame = first(open_v4l2("0", layout=layout, factory=camera(raw)))
    assert (form.height, form.unit, form.scale) == (width * 3 // 4, unit, scale)
    np.testing.assert_array_equal(frame, picture)


def test_telemetry_that_is_empty_says_nothing() -> None:
    form, _ = first(open_v4l2("0", factory=camera(np.zeros((122, 160), np.uint16))))
    assert (form.height, form.unit) == (120, PixelUnit.AUTO)


@pytest.mark.parametrize("size", [(320, 256), (640, 512)])
def test_boson_is_counts(size: tuple[int, int]) -> None:
    raw = scene(*size, low=20000)
    form, frame = first(open_v4l2("0", factory=camera(raw)))
    assert (form.unit, form.scale) == (PixelUnit.COUNTS, 1.0)
    np.testing.assert_array_equal(frame, raw)


def two_part() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """YUYV `[384, 256, 2]` as OpenCV gives it, and the temperatures in it, kelvin x 64."""
    kelvin64 = scene(256, 192, low=int(293.15 * 64), span=900)
    low = (kelvin64 & 255).astype(np.uint8)
    high = (kelvin64 >> 8).astype(np.uint8)
    upper = np.random.default_rng(0).integers(0, 256, (192, 256, 2)).astype(np.uint8)
    return np.concatenate([upper, np.stack([low, high], 2)]), kelvin64


@pytest.mark.parametrize("layout", ["auto", "two-part"])
def test_the_lower_half_of_a_two_part_camera_is_kelvin_by_64(layout: str) -> None:
    raw, kelvin64 = two_part()
    capture = camera(raw, YUYV)
    form, frame = first(open_v4l2("/dev/video0", layout=layout, factory=capture))
    assert capture.asked[0] == "/dev/video0"
    assert capture.values[cv2.CAP_PROP_CONVERT_RGB] == 0.0
    assert (form.width, form.height) == (256, 192)
    assert (form.unit, form.scale) == (PixelUnit.KELVIN, 1 / 64)
    np.testing.assert_array_equal(frame, kelvin64)
    assert frame[0, 0] * form.scale == pytest.approx(293.15, abs=0.02)


def test_versions_of_opencv_that_flatten_or_split_raw_frames_are_read_alike() -> None:
    words = scene(160, 120)
    flat = words.reshape(1, -1)
    as_bytes = words.view(np.uint8).reshape(1, -1)
    as_pairs = words.view(np.uint8).reshape(120, 160, 2)
    for raw in (words, flat, as_bytes, as_pairs):
        np.testing.assert_array_equal(to_words(raw, 160, 120), words)


def test_named_units_win_over_the_layouts() -> None:
    form, _ = first(open_v4l2("0", units="kelvin25", factory=camera(scene(640, 512))))
    assert (form.unit, form.scale) == (PixelUnit.KELVIN, 0.04)


def test_other_sizes_are_sent_whole_and_left_to_the_service() -> None:
    raw = scene(384, 288)
    form, frame = first(open_v4l2("0", factory=camera(raw)))
    assert (form.width, form.height, form.unit) == (384, 288, PixelUnit.AUTO)
    np.testing.assert_array_equal(frame, raw)


@pytest.mark.parametrize("layout", ["auto", "grey"])
def test_cameras_without_raw_frames_give_grey_pictures(layout: str) -> None:
    picture = np.dstack([scene(64, 48, low=0, span=255).astype(np.uint8)] * 3)
    capture = FakeCapture([picture] * 3, {cv2.VideoWriter.fourcc(*"MJPG"): (64, 48)})
    form, frame = first(open_v4l2("0", layout=layout, factory=capture))
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.GRAY8, 64, 48)
    assert capture.values[cv2.CAP_PROP_CONVERT_RGB] == 1.0
    np.testing.assert_array_equal(frame, picture[:, :, 0])


def test_a_camera_unplugged_in_midstream_ends_by_an_error() -> None:
    capture = camera(scene(160, 120), frames=2)  # one to look at, one to send
    source = open_v4l2("0", factory=capture)
    with pytest.raises(SourceError, match="unplugged"):
        list(source.frames())
    assert capture.released.wait(10.0)


@pytest.mark.parametrize("layout", ["lepton", "boson", "plain"])
def test_layouts_that_need_raw_frames_say_so(layout: str) -> None:
    capture = camera(two_part()[0], YUYV)
    with pytest.raises(SourceError, match=f"layout={layout}"):
        open_v4l2("0", layout=layout, factory=capture)
    assert capture.released.is_set()


def test_frames_of_another_size_than_promised_are_refused() -> None:
    capture = FakeCapture([scene(100, 100)], {Y16: (160, 120)})
    with pytest.raises(SourceError, match="20000 bytes"):
        open_v4l2("0", factory=capture)
    assert capture.released.is_set()


def test_a_layout_that_is_none_is_refused_before_the_camera_is_touched() -> None:
    capture = camera(scene(160, 120))
    with pytest.raises(SourceError, match="two-part"):
        open_v4l2("0", layout="upside-down", factory=capture)
    assert not capture.asked


def test_a_missing_device_is_told_from_a_forbidden_and_a_busy_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = FakeCapture([], opened=False)
    with pytest.raises(SourceError, match="plugged in"):
        open_v4l2("/dev/video-none", factory=closed)
    device = tmp_path / "video0"
    device.touch()
    with pytest.raises(SourceError, match="another program"):
        open_v4l2(str(device), factory=closed)
    device.chmod(stat.S_IWUSR)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may open everything
    with pytest.raises(SourceError, match="usermod"):
        open_v4l2(str(device), factory=closed)
    assert closed.released.is_set()


def test_opencv_itself_finds_no_device() -> None:
    with pytest.raises(SourceError, match="there is no /dev/video97"):
        open_v4l2("97")


def test_crop_gives_rows_that_follow_each_other_in_memory() -> None:
    assert crop(scene(160, 122), "lepton").flags.c_contiguous
