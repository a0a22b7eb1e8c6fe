import queue
import threading
from collections.abc import Callable

import numpy as np
import pytest

from service.client.frames import CameraFrame, FrameForm, PixelFormat, SourceError
from service.client.sources.newest import NewestFrame

FORM = FrameForm(PixelFormat.GRAY8, 4, 3, live=True)


class Camera:
    """A camera that gives what the test puts in: frames by number, or an error."""

    def __init__(self) -> None:
        self.given: queue.Queue[int | Exception] = queue.Queue()
        self.read = threading.Semaphore(0)  # one for each `grab` begun
        self.released = threading.Event()
        self.releases = 0

    def grab(self) -> CameraFrame:
        self.read.release()
        given = self.given.get(timeout=10.0)
        if isinstance(given, Exception):
            raise given
        return CameraFrame(np.zeros((3, 4), np.uint8), float(given))

    def release(self) -> None:
        self.releases += 1
        self.released.set()

    def source(self) -> NewestFrame:
        return NewestFrame(FORM, self.grab, self.release)

    def give(self, *given: int | Exception) -> None:
        """Returns when all of them were read, and the next read has begun (or will never)."""
        for one in given:
            self.given.put(one)
        for _ in given:
            assert self.read.acquire(timeout=10.0)


@pytest.fixture
def camera() -> Camera:
    return Camera()


def test_the_newest_frame_wins(camera: Camera) -> None:
    source = camera.source()
    frames = source.frames()
    camera.given.put(1)
    assert next(frames).captured == 1.0
    camera.read.acquire(timeout=10.0)
    camera.read.acquire(timeout=10.0)
    camera.give(2, 3, 4)
    assert next(frames).captured == 4.0
    source.close()
    camera.given.put(5)
    assert list(frames) == []


@pytest.mark.parametrize("error", [SourceError("unplugged"), RuntimeError("a bug")])
def test_the_last_frame_comes_before_the_error(camera: Camera, error: Exception) -> None:
    frames = camera.source().frames()
    camera.given.put(1)
    camera.given.put(error)
    first = next(frames)
    assert first.captured == 1.0
    with pytest.raises(type(error), match=str(error)):
        next(frames)
    assert camera.released.wait(10.0)


def ends(source: NewestFrame) -> Callable[[], None]:
    def run() -> None:
        assert list(source.frames()) == []

    return run


def test_close_ends_a_wait_though_the_camera_hangs(camera: Camera) -> None:
    source = camera.source()
    waiting = threading.Thread(target=ends(source))
    waiting.start()
    assert camera.read.acquire(timeout=10.0)  # the camera is being read, and gives nothing
    source.close()
    waiting.join(10.0)
    assert not waiting.is_alive()
    assert not camera.released.is_set()  # not under the read
    camera.given.put(1)
    assert camera.released.wait(10.0)


def test_a_source_that_was_never_read_gives_its_device_back_once(camera: Camera) -> None:
    source = camera.source()
    source.close()
    source.close()
    assert camera.releases == 1
    assert list(source.frames()) == []
    assert camera.releases == 1
