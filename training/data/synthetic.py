"""Endless synthetic samples from a pool of rendered persons, as map-style data sets.

Sample `i` of a seed is the same in every process and after every resumption. Indices have no upper
end (`length` only says how many make an epoch): a new index is a new picture.
"""

import cv2
import numpy as np
from torch.utils.data import Dataset

from service.entities import ByteArray
from service.vision.crop import LANDMARK_INPUT
from training.config import ConfigError, DataConfig
from training.data.on_disk import LabelledFaces, LabelledFrames, build_labelled
from training.data.sample import DetectorSample, LandmarkSample
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.frames import compose_frame, detector_view
from training.synthesis.pool import PersonFilter, Pool
from training.synthesis.views import landmark_view, neighbour

SPLITS = ("train", "val")


COLOUR_DRAWS = 20  # added to a sample's seed: colours have a generator of their own


class LandmarkStream(Dataset[LandmarkSample]):
    """`length` samples an epoch from the portraits of a pool.

    modality, input_size: see `DataConfig`. Raises PoolMissing where colours are wanted of a pool
    without.
    """

    def __init__(
        self,
        pool: str,
        length: int,
        seed: int,
        split: str,
        config: SynthesisConfig = DEFAULT,
        persons: PersonFilter | None = None,
        modality: str = "thermal",
        input_size: int = LANDMARK_INPUT,
    ) -> None:
        self.pool = Pool(pool, "portrait", split, persons, rgb=modality != "thermal")
        self.modality, self.input_size = modality, input_size
        self.length, self.seed, self.split = length, seed, SPLITS.index(split)
        self.config = config

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> LandmarkSample:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, self.split, index))
        layer = self.pool.layer(int(rng.integers(len(self.pool))))
        own = None
        if self.modality != "thermal":
            own = np.random.default_rng((self.seed, COLOUR_DRAWS + self.split, index))
        beside = neighbour(self.pool, rng, self.config.view)
        view = landmark_view(layer, rng, self.config, own, beside)
        if self.modality == "rgb":
            assert view.rgb is not None
            sample = LandmarkSample(view.rgb, view.points, view.weight)
        else:
            sample = LandmarkSample(view.image[None], view.points, view.weight, view.rgb)
        return reduced(sample, self.input_size)


def reduced(sample: LandmarkSample, size: int) -> LandmarkSample:
    """The sample at `size` pixels a side, averaged over areas; points go with it.

    A pixel's centre is a whole number, so a point x of 256 pixels is at (x + 0.5) / 2 - 0.5 of 128.
    """
    side = sample.image.shape[-1]
    if size == side:
        return sample
    points = (sample.points + 0.5) * np.float32(size / side) - np.float32(0.5)
    inside = ((points >= 0) & (points <= size - 1)).all(axis=1)
    return LandmarkSample(
        _shrunk(sample.image, size),
        points,
        sample.weight * inside.astype(np.float32),
        None if sample.rgb is None else _shrunk(sample.rgb, size),
    )


def _shrunk(image: ByteArray, size: int) -> ByteArray:
    small = [cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA) for plane in image]
    return np.stack(small).astype(np.uint8)


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


def build_dataset(
    task: str, data: DataConfig, split: str
) -> LandmarkStream | DetectorStream | LabelledFaces | LabelledFrames:
    """The samples of a task (`landmarks` or `detector`) and split (`train` or `val`): of the pool,
    or of the data sets on disk that `data.sets` names.

    Raises ConfigError for a detector of colours or of another input size, PoolMissing without
    persons, or without colours where they are wanted, DataSetError for a folder without its data.
    """
    if task == "detector" and (data.modality != "thermal" or data.input_size != LANDMARK_INPUT):
        raise ConfigError("data.modality and data.input_size are of landmark crops alone")
    if data.sets:
        return build_labelled(task, data, split)
    length = data.samples_per_epoch if split == "train" else data.val_samples
    persons = PersonFilter(data.max_abs_yaw, data.exclude)
    shared = data.pool, length, data.seed, split, data.synthesis, persons
    if task == "landmarks":
        return LandmarkStream(*shared, data.modality, data.input_size)
    return DetectorStream(*shared)
