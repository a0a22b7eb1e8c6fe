"""Cameras without hardware: what OpenCV and harvesters would answer, from recorded layouts."""

import threading
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from service.client.frames import CameraFrame, Source

Y16 = cv2.VideoWriter.fourcc(*"Y16 ")
YUYV = cv2.VideoWriter.fourcc(*"YUYV")


class FakeCapture:
    """A `cv2.VideoCapture` of one camera: `formats` by FOURCC with the sizes each one has.

    Like V4L2, it takes the nearest thing to what is asked for; after `pictures` it is unplugged.
    """

    def __init__(
        self,
        pictures: Iterable[NDArray[Any]],
        formats: dict[int, tuple[int, int]] | None = None,
        *,
        fps: float = 9.0,
        opened: bool = True,
        count: int = 0,
    ) -> None:
        self._pictures = iter(pictures)
        self._formats = formats or {}
        self._opened = opened
        self.values: dict[int, float] = {
            cv2.CAP_PROP_FPS: fps,
            cv2.CAP_PROP_FRAME_COUNT: count,
            cv2.CAP_PROP_CONVERT_RGB: 1.0,
            cv2.CAP_PROP_FOURCC: next(iter(self._formats), 0),
        }
        self.released = threading.Event()
        self.asked: tuple[Any, ...] = ()

    def __call__(self, *asked: Any) -> "FakeCapture":
        """As its own factory."""
        self.asked = asked
        return self

    def isOpened(self) -> bool:
        return self._opened

    def get(self, propId: int, /) -> float:
        size = self._formats.get(int(self.values[cv2.CAP_PROP_FOURCC]), (640, 480))
        sides = {cv2.CAP_PROP_FRAME_WIDTH: size[0], cv2.CAP_PROP_FRAME_HEIGHT: size[1]}
        return float(sides.get(propId, self.values.get(propId, 0.0)))

    def set(self, propId: int, value: float, /) -> bool:
        if propId == cv2.CAP_PROP_FOURCC:
            if int(value) not in self._formats:
                return False
            self.values[cv2.CAP_PROP_CONVERT_RGB] = 1.0  # as V4L2 does on a change of format
        self.values[propId] = value
        return True

    def read(self) -> tuple[bool, NDArray[Any] | None]:
        picture = next(self._pictures, None)
        return picture is not None, picture

    def release(self) -> None:
        self.released.set()


def scene(width: int, height: int, low: int = 29500, span: int = 1500) -> NDArray[np.uint16]:
    """uint16 `[H, W]` in which no row and no column is like another."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = (x / width + 2.0 * y / height) / 3.0
    return np.asarray(low + span * ramp, np.uint16)


def arrays(source: Source) -> list[NDArray[Any]]:
    """All frames of a source of arrays."""
    return [array(frame) for frame in source.frames()]


def array(frame: CameraFrame) -> NDArray[Any]:
    assert isinstance(frame.data, np.ndarray)
    return frame.data
