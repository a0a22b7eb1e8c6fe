"""A camera that needs nothing: a short rendered clip to and fro, in real time, with noise."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.client.frames import CameraFrame, SourceError
from service.client.sources.stacks import Stack, read_stack

CLIP: Final = Path(__file__).parents[1] / "clips" / "portrait.npz"
# Deviations in steps of the clip: centikelvin, or grey values. As of an uncooled camera of 50 mK.
_NOISE: Final = {"uint16": 5.0, "uint8": 1.0}
_PATTERN: Final = {"uint16": 3.0, "uint8": 0.6}


class SyntheticCamera:
    """live: in real time, skipping what nobody fetched in time; else as fast as asked.

    The picture of a frame follows from its number and the seed alone.
    """

    def __init__(self, stack: Stack, seed: int, last: int | None, *, live: bool) -> None:
        self.form = replace(stack.form, live=live)
        self._stack = stack
        self._seed = seed
        self._last = last
        self._live = live
        self._closed = threading.Event()
        kind = stack.frames.dtype.name
        if kind not in _NOISE or self.form.fps is None:
            raise SourceError("the clip must be of uint8 or uint16 frames, and have an fps")
        self._noise = _NOISE[kind]
        self._pattern = _PATTERN[kind] * _normal((seed,), stack.frames.shape[1:])
        self._fps = self.form.fps

    def frames(self) -> Iterator[CameraFrame]:
        began = time.monotonic()
        number = 0
        while self._last is None or number < self._last:
            if self._live:
                number = max(number, int((time.monotonic() - began) * self._fps))
                self._closed.wait(began + number / self._fps - time.monotonic())
            if self._closed.is_set():
                return
            captured = time.time() if self._live else number / self._fps
            yield CameraFrame(self._picture(number), captured)
            number += 1

    def close(self) -> None:
        self._closed.set()

    def _picture(self, number: int) -> NDArray[Any]:
        clip = self._stack.frames[to_and_fro(number, len(self._stack.frames))]
        noise = self._noise * _normal((self._seed, number), clip.shape)
        limits = np.iinfo(clip.dtype)
        noisy = np.rint(clip + self._pattern + noise).clip(limits.min, limits.max)
        picture: NDArray[Any] = noisy.astype(clip.dtype)
        return picture


def open_synthetic(
    target: str = "",
    *,
    seed: int = 0,
    fps: float | None = None,
    live: bool = True,
    frames: int | None = None,
) -> SyntheticCamera:
    """target: a clip (NPZ) instead of the one that ships. fps: instead of the clip's own.

    live: in real time; else a recording. frames: end after so many, 1 or more; None: never.
    """
    if frames is not None and frames < 1:
        raise SourceError(f"frames must be 1 or more, not {frames}")
    return SyntheticCamera(read_stack(target or str(CLIP), fps=fps), seed, frames, live=live)


def to_and_fro(number: int, length: int) -> int:
    """Index into a clip of `length` frames that turns round at both ends: 0 1 2 1 0 1 ..."""
    period = max(2 * length - 2, 1)
    step = number % period
    return min(step, period - step) if length > 1 else 0


def _normal(seed: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)
