import numpy as np
import pytest

from training.config import DataConfig
from training.data.sample import (
    MAX_BOXES,
    DetectorSample,
    LandmarkSample,
    collate_detector,
    collate_landmarks,
)
from training.data.synthetic import build_dataset
from training.synthesis.pool import write_shard


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        write_shard(folder, None, kind, 0, 0, persons=6)
    return DataConfig(pool=str(folder), samples_per_epoch=12, val_samples=4)


@pytest.mark.parametrize("task", ["landmarks", "detector"])
def test_a_sample_depends_on_its_index_alone(config: DataConfig, task: str) -> None:
    first, again = build_dataset(task, config, "train"), build_dataset(task, config, "train")
    np.testing.assert_array_equal(first[100_003].image, again[100_003].image)
    assert not np.array_equal(first[0].image, first[12].image)
    assert len(first) == 12
    assert len(build_dataset(task, config, "val")) == 4


def test_batches_stack_and_pad(config: DataConfig) -> None:
    landmarks = build_dataset("landmarks", config, "train")
    samples = [landmarks[i] for i in range(3)]
    batch = collate_landmarks([s for s in samples if isinstance(s, LandmarkSample)])
    assert batch.images.shape == (3, 1, 256, 256)
    detector = build_dataset("detector", config, "train")
    frames = [s for s in (detector[i] for i in range(3)) if isinstance(s, DetectorSample)]
    padded = collate_detector(frames)
    assert padded.boxes.shape == (3, MAX_BOXES, 4)
    assert int((padded.valid | padded.ignore).sum()) == sum(len(f.boxes) for f in frames)


def test_too_many_boxes_are_refused() -> None:
    boxes = np.zeros((MAX_BOXES + 1, 4), np.float32)
    sample = DetectorSample(
        np.zeros((1, 320, 320), np.uint8), boxes, np.zeros(MAX_BOXES + 1, np.float32)
    )
    with pytest.raises(ValueError, match="boxes"):
        collate_detector([sample])
