"""A network camera for real: RTSP over TCP with JPEG pictures (RFC 2326, RFC 2435), by FFmpeg."""

import itertools
import re
import socket
import struct
import threading
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.client.frames import PixelFormat, SourceError
from service.client.sources import open_source

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=framerate:25\r\na=control:track1\r\n"
)
ANSWERS = {
    "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n", ""),
    "DESCRIBE": (f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n", SDP),
    "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", ""),
    "PLAY": ("Session: 1\r\n", ""),
}


def picture(number: int) -> NDArray[np.uint8]:
    """`[48, 64]`, brighter by one with each number, dark on the left."""
    ramp = np.linspace(20, 200, 64) + number
    return np.asarray(np.broadcast_to(ramp, (48, 64)).clip(0, 255), np.uint8)


def rtp_jpeg(number: int) -> bytes:
    """One picture in one interleaved packet: the tables and the scan of a 4:2:0 JPEG."""
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(picture(number), cv2.COLOR_GRAY2BGR))
    assert done
    data = encoded.tobytes()
    tables, position = b"", 2
    while data[position + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, position + 2)
        if data[position + 1] == 0xDB:
            tables += data[position + 5 : position + 2 + length]
        position += 2 + length
    (length,) = struct.unpack_from(">H", data, position + 2)
    scan = data[position + 2 + length : -2]
    head = struct.pack(">IBBBB", 0, 1, 255, 64 // 8, 48 // 8)
    body = head + struct.pack(">BBH", 0, 0, len(tables)) + tables + scan
    rtp = struct.pack(">BBHII", 0x80, 0x80 | 26, number & 0xFFFF, number * 3600, 1) + body
    return b"$\x00" + struct.pack(">H", len(rtp)) + rtp


class Camera:
    """Answers one viewer; sends until it is switched off."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(10.0)
        self.url = f"rtsp://viewer:secret@127.0.0.1:{self._listening.getsockname()[1]}/live"
        self.off = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def stop(self) -> None:
        self.off.set()
        self._listening.close()
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        viewer, _ = self._listening.accept()
        viewer.settimeout(10.0)
        with viewer, viewer.makefile("rb") as requests:
            while self._answer(viewer, requests.readline().decode(), requests) != "PLAY":
                pass
            for number in itertools.count():
                if self.off.wait(0.01):
                    return
                try:
                    viewer.sendall(rtp_jpeg(number))
                except OSError:  # the viewer has gone
                    return

    def _answer(self, viewer: socket.socket, request: str, more: Iterator[bytes]) -> str:
        sequence = ""
        for line in more:
            if line == b"\r\n":
                break
            if match := re.match(rb"CSeq: (\d+)", line, re.IGNORECASE):
                sequence = match[1].decode()
        headers, body = ANSWERS[request.split()[0]]
        viewer.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}\r\n{body}".encode())
        return request.split()[0]


@pytest.fixture
def camera() -> Iterator[Camera]:
    camera = Camera()
    yield camera
    camera.stop()


def test_pictures_come_and_stop_with_the_camera(camera: Camera) -> None:
    source = open_source(camera.url)
    form = source.form
    assert (form.pixel_format, form.width, form.height) == (PixelFormat.GRAY8, 64, 48)
    assert form.live
    frames = source.frames()
    levels = []
    for frame in itertools.islice(frames, 5):
        assert isinstance(frame.data, np.ndarray)
        assert np.diff(frame.data.mean(axis=0)).mean() > 1.0
        levels.append(float(frame.data.mean()))
    assert levels == sorted(levels)
    camera.off.set()
    with pytest.raises(SourceError, match=r"^127\.0\.0\.1:\d+/live: the camera has stopped"):
        list(frames)


def test_nobody_there_is_told_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(SourceError, match="check address, login and network") as caught:
        open_source(f"rtsp://viewer:secret@127.0.0.1:{port}/live")
    assert "secret" not in str(caught.value)
