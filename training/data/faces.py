"""What the loader of a data set gives, whatever the data set."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import Box, ByteArray, FloatArray, ThermalFrame, Unit
from service.errors import ServiceError
from service.imaging.decode import DecodeOptions, decode_image
from service.imaging.raster import decode_raster
from service.imaging.sniff import read_header
from service.landmark_schema import KEYPOINTS

SPLITS = ("all", "train", "val", "test")  # what the option `split` of a loader takes
# Where a data set has no validation split of its own, every so many of its people are one.
HELD_OUT_EVERY = 20


class DataSetError(ValueError):
    """A data set does not hold what its loader reads: data set, file, what is wrong, what is
    expected. One message, so that it survives the way out of a loader process."""


def broken(data_set: str, where: Path | str, wrong: str, expected: str) -> DataSetError:
    return DataSetError(f"{data_set}: {where}: {wrong}; expected {expected}")


@dataclass(frozen=True, kw_only=True)
class FaceLabel:
    """A face of a data set, without its picture.

    name: tells it from the others, for tables. points: float32 `[68, 2]` (x, y), frame pixels
    from 0, iBUG order. weight: float32 `[68]`, 0 = not annotated: that point is nan.
    box: brow top to chin, jaw to jaw. groups: what figures are broken down by, e.g. `view: front`.
    """

    name: str
    points: FloatArray
    weight: FloatArray
    box: Box
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LabelledFace(FaceLabel):
    """A face of a data set, in its frame: grey values of a photograph, if the set has no other."""

    frame: ThermalFrame


class FaceSet(ABC):
    """Faces by index, each read when asked for.

    left_out: reason -> number of faces that are there and not given. notes: what a reader of
    figures on this set must know.
    """

    name: ClassVar[str]
    left_out: Counter[str]
    notes: Sequence[str] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def label(self, index: int) -> FaceLabel:
        """Without reading the picture. DataSetError for a broken label."""

    @abstractmethod
    def frame(self, index: int) -> ThermalFrame:
        """DataSetError for a missing or broken picture."""

    def colour(self, index: int) -> ByteArray:
        """The colour picture in whose pixels the label holds, too: uint8 `[H, W, 3]`, red first.

        DataSetError if it is missing, broken, or of another size.
        """
        raise broken(self.name, self.label(index).name, "no colour picture", "a set that has them")

    def __iter__(self) -> Iterator[LabelledFace]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> LabelledFace:
        return LabelledFace(**vars(self.label(index)), frame=self.frame(index))


@dataclass(frozen=True, kw_only=True)
class FrameLabel:
    """All faces of a frame: boxes float32 `[M, 4]` (x1, y1, x2, y2), and five points of each,
    float32 `[M, 5, 2]`: eyes, nose tip, corners of the mouth, the subject's right one first."""

    name: str
    boxes: FloatArray
    points: FloatArray
    groups: Mapping[str, str] = field(default_factory=dict)


class FrameSet(ABC):
    """Frames by index with the boxes of all their faces; see `FaceSet`."""

    name: ClassVar[str]
    left_out: Counter[str]
    notes: Sequence[str] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def label(self, index: int) -> FrameLabel: ...

    @abstractmethod
    def frame(self, index: int) -> ThermalFrame: ...


def to_68(slots: FloatArray, scheme: Mapping[int, int]) -> tuple[FloatArray, FloatArray]:
    """Points `[K, 2]` of another scheme to points float32 `[68, 2]` and weight float32 `[68]`.

    scheme: slot -> landmark. A slot with a nan, and a landmark without a slot, get nan and 0.
    """
    points = np.full((KEYPOINTS, 2), np.nan, np.float32)
    points[list(scheme.values())] = slots[list(scheme)]
    known = known_points(points)
    points[~known] = np.nan
    return points, np.asarray(known, np.float32)


def known_points(points: FloatArray) -> NDArray[np.bool_]:
    """bool `[K]` of points `[K, 2]`: both coordinates are finite."""
    return np.asarray(np.isfinite(points).all(axis=1))


def box_of(points: FloatArray) -> Box:
    """Of the points `[K, 2]` that are known; at least one must be."""
    return Box(*map(float, (*np.nanmin(points, axis=0), *np.nanmax(points, axis=0))))


def split_of(number: int) -> str:
    """`train` or `val` of the person or picture with this number, in sets that publish none."""
    return "val" if number % HELD_OUT_EVERY == 0 else "train"


def read_bytes(data_set: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise broken(data_set, file, error.strerror or str(error), "a file") from None


def read_text(data_set: str, file: Path) -> str:
    return read_bytes(data_set, file).decode("utf-8", errors="replace")


def read_frame(data_set: str, file: Path, units: str = "auto") -> ThermalFrame:
    data = read_bytes(data_set, file)
    try:
        return decode_image(data, DecodeOptions(units=units))
    except ServiceError as error:
        raise broken(data_set, file, str(error), "a picture") from None


def read_counts(data_set: str, file: Path) -> FloatArray:
    """The numbers of a 16-bit grey picture as they are stored, float32 `[H, W]`.

    DataSetError for anything else: what was cut to 8 bits is no temperature any more.
    """
    frame = read_frame(data_set, file, units="counts")
    container, _, meaning = frame.source.partition("/")
    if not container.endswith("16") or meaning != "counts":
        raise broken(data_set, file, f"a {frame.source} picture", "16-bit grey")
    return frame.values


def read_colour(data_set: str, file: Path) -> ByteArray:
    """uint8 `[H, W, 3]`, red first; a grey picture has three equal channels."""
    data = read_bytes(data_set, file)
    try:
        pixels = decode_raster(data, read_header(data)).pixels
    except ServiceError as error:
        raise broken(data_set, file, str(error), "a picture") from None
    if pixels.dtype != np.uint8:
        raise broken(data_set, file, f"{pixels.dtype} pixels", "8 bits a channel")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., ::-1])


def grey_frame(colour: ByteArray, source: str) -> ThermalFrame:
    """A photograph's luma, so that networks for one channel can be tried on it."""
    values = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return ThermalFrame(values, Unit.GREY8, f"{source}/rgb-luma")
