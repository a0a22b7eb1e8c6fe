"""What the loader of a data set gives, whatever the data set."""

from dataclasses import dataclass
from typing import Protocol

from service.entities import Box, FloatArray, ThermalFrame


class DataSetError(ValueError):
    """The folder does not hold what its loader reads; the message names the file."""


@dataclass(frozen=True)
class LabelledFace:
    """A face of a data set, in its frame.

    name: tells it from the others, for tables. points: float32 `[68, 2]` (x, y), frame pixels
    from 0, iBUG order. weight: float32 `[68]`, 0 = not annotated: that point means nothing.
    box: brow top to chin, jaw to jaw.
    """

    name: str
    frame: ThermalFrame
    points: FloatArray
    weight: FloatArray
    box: Box


class FaceSet(Protocol):
    """Faces by index, each read when asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LabelledFace: ...
