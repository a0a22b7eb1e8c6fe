"""`--show`: the picture in a browser. OpenCV's windows need another build than the headless one
that the project pins, and a screen; a page works over `ssh -L`, too."""

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import cv2

from service.client.answers import Answer
from service.client.pictures import Painter

_HOST: Final = "127.0.0.1"  # nobody else's business
_PAGE: Final = (
    b"<!doctype html><title>thermal-landmarks</title>"
    b'<body style="margin:0;background:#111"><img src="stream.mjpeg" style="width:100%"></body>'
)
_BOUNDARY: Final = "frame"
_JPEG_QUALITY: Final = 85
_LOOK_S: Final = 0.05  # between looks at whether to end


class Viewer:
    """A page with the newest answered frame; each browser gets those that it can take.

    port: 0 takes any that is free. OSError if it is taken.
    """

    def __init__(self, painter: Painter, port: int = 0) -> None:
        self._painter = painter
        self._changed = threading.Condition()
        self._picture = b""
        self._number = 0
        self._viewers = 0
        self._closed = False
        self._server = ThreadingHTTPServer((_HOST, port), self._handler())
        serve = partial(self._server.serve_forever, _LOOK_S)
        self._thread = threading.Thread(target=serve, name="viewer")
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self._server.server_port}/"

    def write(self, answer: Answer) -> None:
        with self._changed:
            if not self._viewers:
                return
        picture = self._painter.paint(answer)
        if picture is None:
            return
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        with self._changed:
            self._picture = data.tobytes()
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next(self, seen: int) -> tuple[int, bytes] | None:
        """A picture newer than the one of number `seen`; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._number > seen)
            return None if self._closed else (self._number, self._picture)

    def _send(self, handler: BaseHTTPRequestHandler) -> None:
        with self._changed:
            self._viewers += 1
            seen = self._number
        try:
            while (following := self._next(seen)) is not None:
                seen, picture = following
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                handler.wfile.write(f"{head}Content-Length: {len(picture)}\r\n\r\n".encode())
                handler.wfile.write(picture + b"\r\n")
        except OSError:  # the browser has left
            pass
        finally:
            with self._changed:
                self._viewers -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        viewer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # By another name, a page elsewhere could reach it through the reader's browser.
                host = self.headers.get("Host", "").rpartition(":")[0]
                if host not in (_HOST, "localhost") or self.path not in ("/", "/stream.mjpeg"):
                    self.send_error(404)
                    return
                kinds = {"/": "text/html"}
                mixed = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
                self.send_response(200)
                self.send_header("Content-Type", kinds.get(self.path, mixed))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Cross-Origin-Resource-Policy", "same-origin")
                self.end_headers()
                if self.path == "/":
                    self.wfile.write(_PAGE)
                else:
                    viewer._send(self)

            def log_message(self, *_: Any) -> None:
                """Standard error is for the status line."""

        return Handler
