"""Detectors on frames: recall, precision and average precision, whole and by face size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from service.vision.crop import DETECTOR_INPUT, letterbox_map
from service.vision.detection import non_maximum_suppression
from training.evaluation.candidates import Candidate
from training.evaluation.groups import SIZE_RANGES
from training.metrics import (
    Matching,
    average_precision,
    match_detections,
    recall_and_precision,
)
from training.synthesis.frames import Frame, compose_frame, detector_view
from training.synthesis.pool import Pool

CHUNK: Final = 32  # frames in memory at once
_FRAMES: Final = 21  # keeps the draws apart from those of training and validation
_EVERY_SIZE: Final = (0.0, float("inf"))


@dataclass(frozen=True)
class Detections:
    """One frame, all in its own pixels. boxes `[K, 4]`, scores `[K]`: after suppression, of every
    score. faces `[M, 4]`; ignore bool `[M]`: neither to be found nor background."""

    boxes: FloatArray
    scores: FloatArray
    faces: FloatArray
    ignore: NDArray[np.bool_]


class SyntheticFrames:
    """`count` frames composed of a pool's portraits and figures, by index."""

    def __init__(
        self, folder: Path, split: str, count: int, seed: int, side: int = DETECTOR_INPUT
    ) -> None:
        """side: of the largest detector that is to see them: the finer its input, the finer the
        frames, and the smaller the faces that count."""
        self._portraits = Pool(folder, "portrait", split)
        self._figures = Pool(folder, "figure", split)
        self._count, self._seed, self._side = count, seed, side
        self.protocol = (
            f"{count} synthetic frames with {len(self._portraits)} portraits and"
            f" {len(self._figures)} figures of {folder} (split {split}, seed {seed}), composed for"
            f" a detector of {side} pixels; a match is an IoU of 0.5; sizes in pixels of the frame"
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        rng = np.random.default_rng((self._seed, _FRAMES, index))
        return compose_frame(self._portraits, self._figures, rng, input_size=self._side)


class Frames(Protocol):
    """Frames by index, the same ones whenever asked; `protocol` says in words what they are."""

    @property
    def protocol(self) -> str: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


def detect(frames: Frames, candidates: Sequence[Candidate]) -> dict[str, list[Detections]]:
    """What each candidate finds in each frame, by its label."""
    found: dict[str, list[Detections]] = {candidate.label: [] for candidate in candidates}
    for start in range(0, len(frames), CHUNK):
        chunk = [frames[i] for i in range(start, min(start + CHUNK, len(frames)))]
        for candidate in candidates:
            views = [detector_view(frame, candidate.side)[0] for frame in chunk]
            outputs = candidate.network(np.stack(views)[:, None])
            found[candidate.label] += [
                _in_frame(frame, candidate.side, *candidates_of_frame)
                for frame, *candidates_of_frame in zip(
                    chunk, outputs["boxes"], outputs["scores"], strict=True
                )
            ]
    return found


def _in_frame(frame: Frame, side: int, boxes: FloatArray, scores: FloatArray) -> Detections:
    """The candidates after suppression, from the network's pixels to the frame's; not clipped,
    as the boxes of faces are not."""
    kept = non_maximum_suppression(boxes, scores)
    height, width = frame.values.shape
    corners = letterbox_map(width, height, side).to_frame(boxes[kept].reshape(-1, 2, 2))
    return Detections(corners.reshape(-1, 4), scores[kept], frame.boxes, frame.ignore > 0)


def match(
    images: Sequence[Detections], size_range: tuple[float, float] = _EVERY_SIZE
) -> list[Matching]:
    """Every frame's, for faces of a range of sizes in pixels of sqrt(w * h)."""
    return [match_detections(i.boxes, i.scores, i.faces, i.ignore, size_range) for i in images]


def figures(images: Sequence[Detections], min_score: float) -> dict[str, Any]:
    """group -> number of faces, recall and precision at `min_score`, average precision."""
    groups = {"all": match(images)}
    groups |= {name: match(images, limits) for name, limits in SIZE_RANGES.items()}
    return {name: _row(matchings, min_score) for name, matchings in groups.items()}


def _row(matchings: Sequence[Matching], min_score: float) -> dict[str, float]:
    recall, precision = recall_and_precision(matchings, min_score)
    return {
        "faces": sum(int(m.target.sum()) for m in matchings),
        "recall": recall,
        "precision": precision,
        "ap": average_precision(matchings),
    }
