"""Faces to measure landmark networks on: what a network sees, and the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from service.entities import ByteArray, FloatArray
from service.vision.crop import landmark_crop
from training.evaluation.faces import FaceSet
from training.evaluation.pts_folder import PtsFolder
from training.metrics import bounding_boxes
from training.synthesis.facts import ViewFacts
from training.synthesis.pool import Pool
from training.synthesis.views import landmark_view

# Data sets by the name that `--data NAME=DIR` takes. A loader reads a folder that the user has.
LOADERS: Final[Mapping[str, Callable[[Path], FaceSet]]] = {"300w": PtsFolder}
_VIEWS: Final = 20  # keeps the draws apart from those of training and validation


@dataclass(frozen=True)
class Example:
    """image: uint8 `[256, 256]`. points: float32 `[68, 2]`, its pixels, nan where nobody knows.
    weight: float32 `[68]`, 0 = does not count. box: float32 `[4]` (x1, y1, x2, y2), its pixels.
    size: of the face in the frame, pixels, sqrt(w * h). facts: None for what nobody described."""

    name: str
    image: ByteArray
    points: FloatArray
    weight: FloatArray
    box: FloatArray
    size: float
    facts: ViewFacts | None


class ExampleSet(Protocol):
    """Examples by index, the same ones whenever asked; `protocol` says in words what they are."""

    @property
    def protocol(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Example: ...


class SyntheticViews:
    """`count` views of a pool's portraits, drawn as those of training are, by other numbers."""

    def __init__(self, folder: Path, split: str, count: int, seed: int) -> None:
        self._pool, self._count, self._seed = Pool(folder, "portrait", split), count, seed
        self.protocol = (
            f"{count} synthetic views of {len(self._pool)} persons (portraits of {folder}, split"
            f" {split}, seed {seed}); cameras, occluders and crops drawn as for training"
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng((self._seed, _VIEWS, index))
        person = int(rng.integers(len(self._pool)))
        view = landmark_view(self._pool.layer(person), rng)
        return Example(
            name=f"view {index} of person {person}",
            image=view.image,
            points=view.points,
            weight=view.weight,
            box=bounding_boxes(view.points[None])[0],
            size=view.facts.size,
            facts=view.facts,
        )


class DataSetExamples:
    """A data set's faces in the crops that serving makes of their boxes."""

    def __init__(self, name: str, folder: Path) -> None:
        self._faces = LOADERS[name](folder)
        self.protocol = f"{len(self._faces)} faces of {folder} ({name}), marked boxes given"

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
        )
