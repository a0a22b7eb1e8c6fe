import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import cv2
import numpy as np
import pytest

from service.client.pictures import Painter
from service.client.viewer import Viewer
from tests.memory_sources import FORM
from tests.unit.service.client.answers import answer, face


@pytest.fixture
def viewer() -> Iterator[Viewer]:
    made = Viewer(Painter(FORM))
    yield made
    made.close()
    assert "viewer" not in {thread.name for thread in threading.enumerate()}


def get(url: str, **headers: str) -> HTTPResponse:
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=30)
    return response


def picture(stream: HTTPResponse) -> np.ndarray:
    """The next one."""
    assert stream.readline() == b"--frame\r\n"
    assert stream.readline() == b"Content-Type: image/jpeg\r\n"
    length = int(stream.readline().split()[1])
    stream.readline()
    decoded = cv2.imdecode(np.frombuffer(stream.read(length), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    stream.readline()
    return decoded


def test_the_page_shows_the_stream(viewer: Viewer) -> None:
    with get(viewer.url) as page:
        assert page.headers["Content-Type"] == "text/html"
        assert b'src="stream.mjpeg"' in page.read()


def test_pictures_as_they_come(viewer: Viewer) -> None:
    viewer.write(answer(0, face()))  # nobody watches
    with get(viewer.url + "stream.mjpeg") as stream:
        assert stream.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        seen: list[np.ndarray] = []
        writer = threading.Thread(target=write_until, args=(viewer, seen))
        writer.start()
        seen.extend(picture(stream) for _ in range(2))
        writer.join()
    assert seen[0].shape == (1280, 960, 3) and np.ptp(seen[1].astype(int), axis=2).max() > 100


def write_until(viewer: Viewer, seen: list[np.ndarray]) -> None:
    for number in range(10_000):
        viewer.write(answer(number, face()))
        if seen:
            return


def test_a_viewer_that_waits_ends_with_the_stream() -> None:
    viewer = Viewer(Painter(FORM))
    with get(viewer.url + "stream.mjpeg") as stream:
        viewer.close()
        assert stream.read() == b""


@pytest.mark.parametrize(
    ("path", "host"), [("favicon.ico", ""), ("", "elsewhere.example"), ("", "elsewhere:80")]
)
def test_nothing_else_is_served(viewer: Viewer, path: str, host: str) -> None:
    headers = {"Host": host} if host else {}
    with pytest.raises(HTTPError) as caught:
        get(viewer.url + path, **headers)
    caught.value.close()
    assert caught.value.code == 404


def test_a_port_that_is_taken(viewer: Viewer) -> None:
    port = int(viewer.url.rstrip("/").rpartition(":")[2])
    with pytest.raises(OSError):
        Viewer(Painter(FORM), port)
