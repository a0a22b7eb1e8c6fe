"""Faces to measure landmark networks on: what a network sees, and the truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from service.entities import Box, ByteArray, FloatArray, ThermalFrame, Unit
from service.vision.crop import CROP_SCALE, LANDMARK_INPUT, SimilarityMap, landmark_crop
from training.data.faces import DataSetError, FaceSet, FrameSet
from training.data.sets import Source
from training.metrics import bounding_boxes
from training.synthesis.config import DEFAULT
from training.synthesis.facts import ViewFacts
from training.synthesis.frames import Frame
from training.synthesis.pool import Pool
from training.synthesis.views import View, landmark_view, neighbour

_VIEWS: Final = 20  # keeps the draws apart from those of training and validation


@dataclass(frozen=True)
class FirstLook:
    """frame: the picture that the image was cut from; box: around the face there, in its pixels, as
    a detector would have found it; to_network: from there to the image."""

    frame: ThermalFrame
    box: Box
    to_network: SimilarityMap


@dataclass(frozen=True)
class Example:
    """image: uint8 `[256, 256]`. points: float32 `[68, 2]`, its pixels, nan where nobody knows.
    weight: float32 `[68]`, 0 = does not count. box: float32 `[4]` (x1, y1, x2, y2), its pixels.
    size: of the face in the frame, pixels, sqrt(w * h). facts: None for what nobody described.
    groups: what a data set says of the face, e.g. `view: front`. first: what a second look needs to
    know, where there shall be one."""

    name: str
    image: ByteArray
    points: FloatArray
    weight: FloatArray
    box: FloatArray
    size: float
    facts: ViewFacts | None
    groups: Mapping[str, str] = field(default_factory=dict)
    first: FirstLook | None = None


class ExampleSet(Protocol):
    """Examples by index, the same ones whenever asked; `protocol` says in words what they are."""

    @property
    def protocol(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


class SyntheticViews:
    """`count` views of a pool's portraits, drawn as those of training are, by other numbers.

    two_looks: in boxes that a detector found, so that some get the second look that serving takes.
    """

    def __init__(
        self, folder: Path, split: str, count: int, seed: int, *, two_looks: bool = False
    ) -> None:
        self._pool, self._count, self._seed = Pool(folder, "portrait", split), count, seed
        self._two_looks = two_looks
        self.protocol = (
            f"{count} synthetic views of {len(self._pool)} persons (portraits of {folder}, split"
            f" {split}, seed {seed}); cameras, occluders and crops drawn as for training"
            + ("; doubtful boxes and tilted faces looked at twice, as in serving" * two_looks)
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng((self._seed, _VIEWS, index))
        person = int(rng.integers(len(self._pool)))
        beside = neighbour(self._pool, rng, DEFAULT.view)
        view = landmark_view(self._pool.layer(person), rng, beside=beside)
        return Example(
            name=f"view {index} of person {person}",
            image=view.image,
            points=view.points,
            weight=view.weight,
            box=bounding_boxes(view.points[None])[0],
            size=view.facts.size,
            facts=view.facts,
            first=_first_look(view) if self._two_looks else None,
        )


def _first_look(view: View) -> FirstLook:
    """The box is the face's own, as far off and as much too large as the crop is."""
    middle = np.full((1, 2), (LANDMARK_INPUT - 1) / 2, np.float32)
    ((x, y),) = view.to_network.to_frame(middle).tolist()
    width, height = np.ptp(view.to_network.to_frame(view.points), axis=0).tolist()
    scale = LANDMARK_INPUT / view.to_network.scale / CROP_SCALE / max(width, height) / 2
    dx, dy = width * scale, height * scale
    frame = ThermalFrame(view.frame, Unit.COUNTS, "synthesis")
    return FirstLook(frame, Box(x - dx, y - dy, x + dx, y + dy), view.to_network)


class DataSetExamples:
    """A data set's faces in the crops that serving makes of their boxes."""

    def __init__(self, source: Source) -> None:
        faces = source.open()
        if not isinstance(faces, FaceSet):
            raise DataSetError(f"{source}: has boxes, but no landmarks")
        self._faces = faces
        self.protocol = _protocol(f"{len(faces)} faces of {source}, marked boxes given", faces)

    def __len__(self) -> int:
        return len(self._faces)

    def __getitem__(self, index: int) -> Example:
        face = self._faces[index]
        frame, box = face.frame, face.box
        image, to_network = landmark_crop(frame.values, box, "auto", black_hot=frame.black_hot)
        known = np.where(face.weight[:, None] > 0, face.points, np.float32(np.nan))
        corners = np.array([[box.x1, box.y1], [box.x2, box.y2]], np.float32)
        return Example(
            name=face.name,
            image=image,
            points=to_network.to_network(known),
            weight=face.weight,
            box=to_network.to_network(corners).reshape(4),
            size=box.size,
            facts=None,
            groups=face.groups,
        )


class DataSetFrames:
    """A data set's frames with all their faces' boxes; none of them is ignored."""

    def __init__(self, source: Source) -> None:
        frames = source.open()
        if not isinstance(frames, FrameSet):
            raise DataSetError(f"{source}: has faces one by one, not all faces of a frame")
        self._frames = frames
        words = f"{len(frames)} frames of {source}; a match is an IoU of 0.5"
        self.protocol = _protocol(words, frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        boxes, values = self._frames.label(index).boxes, self._frames.frame(index).values
        nobody = np.zeros(len(boxes), np.float32)
        return Frame(values, boxes, nobody, np.full((len(boxes), 68, 2), np.nan, np.float32))


def _protocol(words: str, data_set: FaceSet | FrameSet) -> str:
    left_out = [f"{count} left out: {reason}" for reason, count in data_set.left_out.items()]
    return "; ".join([words, *left_out, *data_set.notes])
