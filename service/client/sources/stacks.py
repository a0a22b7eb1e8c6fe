"""NPY and NPZ files that hold many frames, the project's own clips among them."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.client.frames import CameraFrame, FrameForm, SourceError
from service.client.sources.arrays import form_of, to_frame
from service.client.sources.recording import Recording

_FPS: Final = 9.0  # of a Lepton, where a file does not say


@dataclass(frozen=True)
class Stack:
    """frames: `[T, H, W]` uint8, uint16 or float. times: float64 `[T]` seconds, increasing."""

    frames: NDArray[Any]
    times: NDArray[np.float64]
    units: str
    form: FrameForm


def open_stack(path: str, *, units: str = "auto", fps: float | None = None) -> Recording:
    """units: as in POST /landmarks. fps: instead of the file's own times."""
    stack = read_stack(path, units=units, fps=fps)

    def read() -> Iterator[CameraFrame]:
        for pixels, at in zip(stack.frames, stack.times, strict=True):
            yield CameraFrame(to_frame(pixels, stack.units), float(at))

    return Recording(stack.form, read)


def read_stack(path: str, *, units: str = "auto", fps: float | None = None) -> Stack:
    """One array `[T, H, W]` (NPY), or `frames` and, if there, `times`, `fps`, `unit` (NPZ).

    The 16-bit frames of a clip (an NPZ with a `kind`) are centikelvin. SourceError for others.
    """
    entries = _load(Path(path))
    frames = entries["frames"]
    if frames.ndim != 3 or not frames.size:
        raise SourceError(f"{path}: frames must be [time, height, width], not {frames.shape}")
    if units == "auto" and "kind" in entries and frames.dtype == np.uint16:
        units = "centikelvin"
    if fps is None and "fps" in entries:
        fps = float(entries["fps"])
    if fps is not None or "times" not in entries:
        fps = fps if fps is not None else _FPS
        times = np.arange(len(frames)) / _positive(fps)
    else:
        times = entries["times"].astype(np.float64)
        if times.shape != frames.shape[:1] or not (np.diff(times) > 0).all():
            raise SourceError(f"{path}: its times must be as many as its frames, and increase")
        fps = 1.0 / float(np.diff(times).mean()) if len(times) > 1 else None
    return Stack(frames, times, units, form_of(frames[0], units, fps))


def _positive(fps: float) -> float:
    if not 0.0 < fps <= 1000.0:
        raise SourceError(f"fps must be above 0, at most 1000, not {fps}")
    return fps


def _load(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays by name; an NPY's one, and an NPZ's only one, are called `frames`."""
    try:
        if path.suffix.lower() == ".npy":
            return {"frames": np.load(path, mmap_mode="r", allow_pickle=False)}
        # Opened here: numpy leaves a file that is no whole NPZ open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as loaded:
            arrays = dict(loaded)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} is damaged or cut off, or no NPY or NPZ ({error})") from error
    if "frames" in arrays:
        return arrays
    if len(arrays) == 1:
        return {"frames": next(iter(arrays.values()))}
    raise SourceError(f"{path} holds {', '.join(sorted(arrays))}, but no `frames`")
