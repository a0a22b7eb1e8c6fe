from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.data_sets import (
    coco_person,
    face,
    slots_73,
    tfw_row,
    write_charlotte,
    write_coco,
    write_pts,
    write_sf_tl54,
    write_tfw,
)
from training.config import AugmentConfig, ConfigError, DataConfig, from_overrides
from training.data.faces import DataSetError
from training.data.on_disk import LabelledFaces, LabelledFrames, held_out_protocol
from training.data.sample import LandmarkSample, collate_detector, collate_landmarks
from training.data.stream import StreamSampler
from training.data.synthetic import build_dataset
from training.metrics import summarise_landmarks

NAMES = {"train": ["10_1_2_1_5_1_1", "11_2_1_3_5_1_1"], "val": ["8_1_1_1_5_1_1", "9_1_1_1_5_1_1"]}
FULL_SIZE = face((80, 60), 40)


@pytest.fixture
def pairs(tmp_path: Path) -> DataConfig:
    folder = tmp_path / "sf"
    write_sf_tl54(folder, NAMES, (160, 120))
    return config(f"sf-tl54={folder}")


def config(*sets: str, **changes: object) -> DataConfig:
    plain = DataConfig(pool="", samples_per_epoch=8, val_samples=10, sets=sets)
    return replace(plain, **changes)  # type: ignore[arg-type]


def landmarks(data: DataConfig, split: str = "train") -> LabelledFaces:
    built = build_dataset("landmarks", data, split)
    assert isinstance(built, LabelledFaces)
    return built


def test_thermal_samples(pairs: DataConfig) -> None:
    samples = landmarks(pairs)
    assert len(samples) == 8
    sample = samples[3]
    assert sample.image.shape == (1, 256, 256)
    assert sample.image.dtype == np.uint8
    assert sample.rgb is None
    assert (sample.weight == 0).sum() >= 14
    assert np.isfinite(sample.points).all()
    np.testing.assert_array_equal(samples[3].image, sample.image)
    assert not np.array_equal(samples[5].image, sample.image)  # the same face, another crop


def test_every_modality_draws_the_same_geometry(pairs: DataConfig) -> None:
    thermal = landmarks(pairs)[5]
    paired = landmarks(replace(pairs, modality="paired"))[5]
    colour = landmarks(replace(pairs, modality="rgb"))[5]
    for other in (paired, colour):
        np.testing.assert_array_equal(other.points, thermal.points)
        np.testing.assert_array_equal(other.weight, thermal.weight)
    np.testing.assert_array_equal(paired.image, thermal.image)
    assert paired.rgb is not None
    assert paired.rgb.shape == (3, 256, 256)
    np.testing.assert_array_equal(colour.image, paired.rgb)
    assert colour.rgb is None


def test_a_smaller_input(pairs: DataConfig) -> None:
    large, small = landmarks(pairs)[1], landmarks(replace(pairs, input_size=128))[1]
    assert small.image.shape == (1, 128, 128)
    both = (large.weight > 0) & (small.weight > 0)
    expected = (large.points[both] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(small.points[both], expected, atol=1e-3)


def test_validation_has_the_serving_crops_of_the_split(pairs: DataConfig) -> None:
    samples = landmarks(pairs, "val")
    assert len(samples) == 2  # there are no more
    assert np.isnan(samples[0].points).any(axis=1).sum() == 14
    span = np.ptp(samples[0].points[samples[0].weight > 0], axis=0).max()
    assert span == pytest.approx(256 / 1.25, abs=0.5)
    assert len(landmarks(replace(pairs, val_samples=1), "val")) == 1
    assert held_out_protocol(pairs) == "split val of sf-tl54, marked boxes given"
    assert held_out_protocol(replace(pairs, sets=())) == "held-out synthetic persons"


def test_validation_figures_are_over_the_marked_faces(pairs: DataConfig) -> None:
    held_out = landmarks(pairs, "val")
    batch = collate_landmarks([held_out[i] for i in range(2)])
    truth, weight = batch.points.numpy(), batch.weight.numpy()
    figures = summarise_landmarks(np.nan_to_num(truth) + np.float32(2), truth, weight)
    size = np.sqrt(np.prod(np.ptp(FULL_SIZE, axis=0))) / np.ptp(FULL_SIZE, axis=0).max()
    assert figures["nme_box_mean"] == pytest.approx(np.sqrt(8) / (size * 256 / 1.25), rel=1e-3)
    eyes = np.linalg.norm(FULL_SIZE[36] - FULL_SIZE[45]) / np.ptp(FULL_SIZE, axis=0).max()
    assert figures["nme_io_mean"] == pytest.approx(np.sqrt(8) / (eyes * 256 / 1.25), rel=1e-3)


def test_several_sets_one_after_the_other(tmp_path: Path, pairs: DataConfig) -> None:
    write_charlotte(tmp_path / "c", {"R11185": slots_73(FULL_SIZE)})
    still = AugmentConfig(crop_scale=(1.25, 1.25), shift=0, rotation=0, flip=0, black_hot=0)
    data = replace(pairs, sets=(*pairs.sets, f"charlotte={tmp_path / 'c'}"), augment=still)
    weights = [int(sample.weight.sum()) for sample in (landmarks(data)[i] for i in range(6))]
    assert weights == [54, 54, 68] * 2


def test_through_a_loader_process(pairs: DataConfig) -> None:
    data = replace(pairs, modality="paired")
    sampler = StreamSampler(8, 4, 3)
    loader = DataLoader(
        landmarks(data), batch_sampler=sampler, collate_fn=collate_landmarks, num_workers=1
    )
    batches = list(loader)
    assert len(batches) == 3
    assert batches[0].rgb is not None
    assert (batches[0].rgb.shape, batches[0].rgb.dtype) == ((4, 3, 256, 256), torch.uint8)


def test_a_broken_file_is_named_through_a_loader_process(pairs: DataConfig) -> None:
    folder = Path(pairs.sets[0].partition("=")[2])
    samples = landmarks(pairs)
    for file in (folder / "gray" / "train" / "images").iterdir():
        file.write_bytes(b"no picture")
    loader = DataLoader(samples, batch_size=8, collate_fn=collate_landmarks, num_workers=1)
    batches = iter(loader)
    with pytest.raises(DataSetError, match="not one of the allowed formats"):
        next(batches)
    assert list(batches) == []  # and the process ends


def test_photographs_train_colour_networks_alone(tmp_path: Path) -> None:
    for name in "abc":
        write_pts(tmp_path, name, FULL_SIZE)
    data = config(f"300w={tmp_path}", modality="rgb")
    sample = landmarks(data)[0]
    assert sample.image.shape == (3, 256, 256)
    assert (sample.image[1] == 90).mean() > 0.5  # green is 90 everywhere within the picture
    with pytest.raises(ConfigError, match="photographs; they need data.modality = rgb"):
        build_dataset("landmarks", replace(data, modality="thermal"), "train")
    with pytest.raises(DataSetError, match="no face of the split val"):
        build_dataset("landmarks", data, "val")


def test_visibility_weighs_points(tmp_path: Path) -> None:
    person = coco_person(FULL_SIZE)
    person["face_kpts"][2::3] = [0.5] * 68
    write_coco(tmp_path, [person], "train")
    sample = landmarks(config(f"coco-wholebody={tmp_path}", modality="rgb"))[0]
    assert set(sample.weight.tolist()) <= {0.0, 0.5}
    assert sample.weight.max() == 0.5


@pytest.mark.parametrize(
    ("task", "sets", "changes", "says"),
    [
        ("landmarks", "charlotte", {"modality": "paired"}, "no colour pictures"),
        ("landmarks", "charlotte", {"modality": "rgb"}, "no colour pictures"),
        ("landmarks", "tfw", {}, r"\['tfw'\] have no labels for the task landmarks"),
        ("detector", "charlotte", {}, r"\['charlotte'\] have no labels for the task detector"),
        ("detector", "tfw", {"input_size": 128}, "of landmark crops alone"),
    ],
)
def test_sets_that_do_not_fit(
    tmp_path: Path, task: str, sets: str, changes: dict[str, object], says: str
) -> None:
    write_charlotte(tmp_path, {"R11185": slots_73(FULL_SIZE)})
    write_tfw(tmp_path, [tfw_row("a.png", 1, 1)])
    with pytest.raises(ConfigError, match=says):
        build_dataset(task, config(f"{sets}={tmp_path}", **changes), "train")


def test_training_takes_the_splits_itself(pairs: DataConfig) -> None:
    with pytest.raises(ConfigError, match="splits train and val itself"):
        build_dataset("landmarks", config(f"{pairs.sets[0]},split=test"), "train")


def detector(folder: Path, **changes: object) -> LabelledFrames:
    built = build_dataset("detector", config(f"tfw={folder}", **changes), "train")
    assert isinstance(built, LabelledFrames)
    return built


def test_detector_samples(tmp_path: Path) -> None:
    write_tfw(tmp_path, [tfw_row("a.png", 50, 60), tfw_row("a.png", 300, 80, side=5)])
    still = AugmentConfig(crop_scale=(1.25, 1.25), shift=0, rotation=0, flip=0, black_hot=0)
    sample = detector(tmp_path, augment=still)[0]
    assert sample.image.shape == (1, 320, 320)
    scale = 320 / 464
    expected = (np.array([50, 60, 110, 120]) - [231.5, 173.5] * 2) * scale + 159.5
    np.testing.assert_allclose(sample.boxes[0], expected, atol=1e-3)
    assert sample.ignore.tolist() == [0, 1]  # 3.4 pixels are too few to be found
    mirrored = detector(tmp_path, augment=replace(still, flip=1.0))[0]
    np.testing.assert_allclose(mirrored.boxes[0, [2, 0]], 319 - expected[[0, 2]], atol=1e-3)
    np.testing.assert_allclose(mirrored.image[0, :, ::-1].astype(int), sample.image[0], atol=2)


def test_frames_that_zoom_out_of_sight(tmp_path: Path) -> None:
    """A face that leaves the input is no target; one that half leaves it is ignored."""
    write_tfw(tmp_path, [tfw_row("a.png", 0, 144), tfw_row("a.png", 50, 144)])
    near = AugmentConfig(crop_scale=(0.75, 0.75), shift=0, rotation=0, flip=0, black_hot=0)
    sample = detector(tmp_path, augment=near)[0]
    assert sample.ignore.tolist() == [1]
    assert collate_detector([sample]).ignore.sum() == 1


def test_crowds_are_left_out(tmp_path: Path) -> None:
    crowd = [tfw_row("a.png", 10 * i, 60, side=20) for i in range(13)]
    write_tfw(tmp_path, [*crowd, tfw_row("b.png", 60, 60)])
    frames = detector(tmp_path)
    assert all(len(frames[i].boxes) <= 1 for i in range(4))
    write_tfw(tmp_path, crowd)
    with pytest.raises(ConfigError, match="12 faces at most"):
        detector(tmp_path)


def test_settings_out_of_range() -> None:
    assert from_overrides(AugmentConfig, ["crop_scale=[1,2]"]).crop_scale == (1.0, 2.0)
    for override in ("flip=2", "shift=-1", "rotation=181", "crop_scale=[2,1]"):
        with pytest.raises(ConfigError, match=override.split("=")[0]):
            from_overrides(AugmentConfig, [override])


def test_a_sample_is_what_the_batch_takes(pairs: DataConfig) -> None:
    assert isinstance(landmarks(pairs)[0], LandmarkSample)
    assert collate_landmarks([landmarks(pairs)[i] for i in range(3)]).images.shape[0] == 3
