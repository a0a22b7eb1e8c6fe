"""Endless synthetic samples from a pool of rendered persons, as map-style data sets.

Sample `i` of a seed is the same in every process and after every resumption. Indices have no upper
end (`length` only says how many make an epoch): a new index is a new picture.
"""

import cv2
import numpy as np
from torch.utils.data import Dataset

from training.config import DataConfig
from training.data.sample import DetectorSample, LandmarkSample
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.frames import compose_frame, detector_view
from training.synthesis.pool import PersonFilter, Pool
from training.synthesis.views import landmark_view

SPLITS = ("train", "val")


class LandmarkStream(Dataset[LandmarkSample]):
    """`length` samples an epoch from the portraits of a pool."""

    def __init__(
        self,
        pool: str,
        length: int,
        seed: int,
        split: str,
        config: SynthesisConfig = DEFAULT,
        persons: PersonFilter | None = None,
    ) -> None:
        self.pool = Pool(pool, "portrait", split, persons)
        self.length, self.seed, self.split = length, seed, SPLITS.index(split)
        self.config = config

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> LandmarkSample:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, self.split, index))
        layer = self.pool.layer(int(rng.integers(len(self.pool))))
        view = landmark_view(layer, rng, self.config)
        return LandmarkSample(view.image[None], view.points, view.weight)


class DetectorStream(Dataset[DetectorSample]):
    """`length` frames an epoch composed of portraits and figures of a pool."""

    def __init__(
        self,
        pool: str,
        length: int,
        seed: int,
        split: str,
        config: SynthesisConfig = DEFAULT,
        persons: PersonFilter | None = None,
    ) -> None:
        self.portraits = Pool(pool, "portrait", split, persons)
        self.figures = Pool(pool, "figure", split, persons)
        self.length, self.seed, self.split = length, seed, SPLITS.index(split)
        self.config = config

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> DetectorSample:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, 10 + self.split, index))
        frame = compose_frame(self.portraits, self.figures, rng, self.config)
        image, boxes = detector_view(frame)
        return DetectorSample(image[None], boxes, frame.ignore)


def build_dataset(task: str, data: DataConfig, split: str) -> "LandmarkStream | DetectorStream":
    """The stream of a task (`landmarks` or `detector`) and split (`train` or `val`)."""
    length = data.samples_per_epoch if split == "train" else data.val_samples
    kind = LandmarkStream if task == "landmarks" else DetectorStream
    persons = PersonFilter(data.max_abs_yaw, data.exclude)
    return kind(data.pool, length, data.seed, split, data.synthesis, persons)
