"""A clip: frames of one camera with the truth about every face in every frame, and its file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray

CENTIKELVIN, GREY = "centikelvin", "grey8"
Frames = NDArray[Any]  # uint16 or uint8


@dataclass(frozen=True)
class Clip:
    """frames [T, H, W]: uint16 centikelvin (`unit` centikelvin) or uint8 (`unit` grey8);
    times float64 [T] seconds; landmarks float32 [T, P, 68, 2] in pixels of the frame, nan where a
    person is not in the picture; visible float32 [T, P]: the share of the face that is seen,
    0 to 1; fps: frames a second; kind: what the persons do."""

    frames: Frames
    times: NDArray[np.float64]
    landmarks: FloatArray
    visible: FloatArray
    fps: float
    kind: str

    @property
    def unit(self) -> str:
        return CENTIKELVIN if self.frames.dtype == np.uint16 else GREY


def save_clip(clip: Clip, file: Path) -> None:
    """Write the clip as a compressed `.npz`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        file,
        # Fortran order, time first: what stands still becomes runs of one value, and a clip
        # without noise a fifth of the size. Readers do not notice.
        frames=np.asfortranarray(clip.frames),
        times=clip.times,
        landmarks=clip.landmarks,
        visible=clip.visible,
        fps=np.float64(clip.fps),
        kind=np.str_(clip.kind),
        unit=np.str_(clip.unit),
    )


def load_clip(file: str | Path) -> Clip:
    """Read what `save_clip` wrote. FileNotFoundError, ValueError or KeyError for anything else."""
    with np.load(file, allow_pickle=False) as data:
        return Clip(
            np.ascontiguousarray(data["frames"]),
            data["times"],
            data["landmarks"],
            data["visible"],
            float(data["fps"]),
            str(data["kind"]),
        )
