"""The typed batches that data sets give and losses take."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from service.entities import ByteArray, FloatArray

MAX_BOXES = 12  # boxes a detector frame can carry


@dataclass(frozen=True)
class LandmarkSample:
    """image uint8 [1, S, S], or [3, S, S] (R, G, B) of the modality `rgb`; points float32 [68, 2]
    crop pixels (x, y); weight float32 [68]: 0 = not to be learned from (outside the crop or the
    frame, or not annotated); rgb uint8 [3, S, S]: the same view in colour, pixel by pixel, of the
    modality `paired` alone. S is 256 unless `data.input_size` says otherwise."""

    image: ByteArray
    points: FloatArray
    weight: FloatArray
    rgb: ByteArray | None = None


@dataclass(frozen=True)
class DetectorSample:
    """image uint8 [1, 320, 320]; boxes float32 [M, 4] (x1, y1, x2, y2 in input pixels); ignore
    bool-like float32 [M]: 1 = neither a face to find nor background (tiny, or mostly hidden)."""

    image: ByteArray
    boxes: FloatArray
    ignore: FloatArray


@dataclass(frozen=True)
class LandmarkBatch:
    """images uint8 [N, 1, S, S] or [N, 3, S, S]; points float32 [N, 68, 2]; weight float32
    [N, 68]; rgb uint8 [N, 3, S, S] or None: see `LandmarkSample`."""

    images: Tensor
    points: Tensor
    weight: Tensor
    rgb: Tensor | None = None

    def to(self, device: torch.device | str) -> "LandmarkBatch":
        rgb = None if self.rgb is None else self.rgb.to(device)
        return LandmarkBatch(
            self.images.to(device), self.points.to(device), self.weight.to(device), rgb
        )


@dataclass(frozen=True)
class DetectorBatch:
    """images uint8 [N, 1, 320, 320]; boxes float32 [N, MAX_BOXES, 4]; valid and ignore bool
    [N, MAX_BOXES]: rows with neither are padding, `ignore` rows are no targets."""

    images: Tensor
    boxes: Tensor
    valid: Tensor
    ignore: Tensor

    def to(self, device: torch.device | str) -> "DetectorBatch":
        return DetectorBatch(
            self.images.to(device),
            self.boxes.to(device),
            self.valid.to(device),
            self.ignore.to(device),
        )


def collate_landmarks(samples: Sequence[LandmarkSample]) -> LandmarkBatch:
    """One batch; ValueError where some samples have a colour partner and others have none."""
    colours = [s.rgb for s in samples if s.rgb is not None]
    if colours and len(colours) < len(samples):
        raise ValueError(f"{len(colours)} of {len(samples)} samples have colours: all or none")
    return LandmarkBatch(
        images=torch.from_numpy(np.stack([s.image for s in samples])),
        points=torch.from_numpy(np.stack([s.points for s in samples])),
        weight=torch.from_numpy(np.stack([s.weight for s in samples])),
        rgb=torch.from_numpy(np.stack(colours)) if colours else None,
    )


def collate_detector(samples: Sequence[DetectorSample]) -> DetectorBatch:
    boxes = np.zeros((len(samples), MAX_BOXES, 4), np.float32)
    valid = np.zeros((len(samples), MAX_BOXES), bool)
    ignore = np.zeros((len(samples), MAX_BOXES), bool)
    for row, sample in enumerate(samples):
        count = len(sample.boxes)
        if count > MAX_BOXES:
            raise ValueError(f"a frame has {count} boxes; at most {MAX_BOXES} fit a batch")
        boxes[row, :count] = sample.boxes
        ignore[row, :count] = sample.ignore > 0
        valid[row, :count] = sample.ignore == 0
    return DetectorBatch(
        images=torch.from_numpy(np.stack([s.image for s in samples])),
        boxes=torch.from_numpy(boxes),
        valid=torch.from_numpy(valid),
        ignore=torch.from_numpy(ignore),
    )
