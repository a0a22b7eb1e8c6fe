"""OpenCV's capture as the sources see it, and its pictures as they are sent."""

from collections.abc import Callable
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from service.client.frames import FrameForm, PixelFormat, SourceError
from service.entities import ByteArray

_COLOURED: Final = 16  # grey values between a pixel's channels; compression alone gives some 5
_FAST: Final = (cv2.IMWRITE_PNG_COMPRESSION, 1)


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used: what a test's camera has to have."""

    def isOpened(self) -> bool: ...
    def get(self, propId: int, /) -> float: ...
    def set(self, propId: int, value: float, /) -> bool: ...
    def read(self) -> tuple[bool, NDArray[Any] | None]: ...
    def release(self) -> None: ...


Factory = Callable[..., Capture]


def picture_form(
    picture: NDArray[Any], colour: bool | None, fps: float | None, *, live: bool = False
) -> FrameForm:
    """How pictures like this `[H, W, 3]` or `[H, W]` one are sent.

    As PNG if they are coloured (colour: None is told by the picture): a palette is inverted by
    the service, where a mean over the channels would mix up hot and cold. Else as grey.
    """
    coloured = _is_coloured(picture) if colour is None else colour
    height, width = picture.shape[:2]
    kind = PixelFormat.PNG if coloured else PixelFormat.GRAY8
    return FrameForm(kind, width, height, live=live, fps=fps)


def to_picture(picture: NDArray[Any], form: FrameForm) -> ByteArray | bytes:
    """The picture as `form` says; SourceError if its size has changed."""
    if picture.shape[:2] != (form.height, form.width):
        height, width = picture.shape[:2]
        raise SourceError(
            f"the picture's size changed from {form.width} x {form.height} to {width} x {height}; "
            "open the source again"
        )
    if form.pixel_format is PixelFormat.PNG:
        return cv2.imencode(".png", picture, _FAST)[1].tobytes()
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return np.ascontiguousarray(grey, np.uint8)


def _is_coloured(picture: NDArray[Any]) -> bool:
    if picture.ndim == 2:
        return False
    # The median: a coloured logo or clock on a grey picture is not a palette.
    return bool(np.median(np.ptp(picture, axis=2)) > _COLOURED)
