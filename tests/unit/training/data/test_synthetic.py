from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import ConfigError, DataConfig, from_dict
from training.data.sample import (
    MAX_BOXES,
    DetectorSample,
    LandmarkSample,
    collate_detector,
    collate_landmarks,
)
from training.data.synthetic import LandmarkStream, build_dataset
from training.synthesis.facts import PersonFacts
from training.synthesis.pool import PersonFilter, PoolMissing, write_shard


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("pool")
    for kind in ("portrait", "figure"):
        write_shard(folder, None, kind, 0, 0, persons=6, rgb=kind == "portrait")
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


def _crop(config: DataConfig, index: int, **settings: object) -> LandmarkSample:
    changed = replace(config, **settings)  # type: ignore[arg-type]
    sample = build_dataset("landmarks", changed, "train")[index]
    assert isinstance(sample, LandmarkSample)
    return sample


def test_all_modalities_show_the_same_view(config: DataConfig) -> None:
    for index in range(12):
        thermal, rgb, paired = (
            _crop(config, index, modality=modality) for modality in ("thermal", "rgb", "paired")
        )
        for other in (rgb, paired):
            np.testing.assert_array_equal(other.points, thermal.points)
            np.testing.assert_array_equal(other.weight, thermal.weight)
        np.testing.assert_array_equal(paired.image, thermal.image)
        assert paired.rgb is not None and thermal.rgb is None and rgb.rgb is None
        np.testing.assert_array_equal(paired.rgb, rgb.image)
        assert rgb.image.shape == (3, 256, 256) and rgb.image.dtype == np.uint8


def test_a_smaller_input_halves_the_view(config: DataConfig) -> None:
    for index in range(8):
        whole, half = (_crop(config, index, modality="paired", input_size=s) for s in (256, 128))
        assert half.image.shape == (1, 128, 128) and half.image.dtype == np.uint8
        assert whole.rgb is not None and half.rgb is not None
        np.testing.assert_allclose(half.points, whole.points / 2 - 0.25, atol=1e-4)
        means = whole.image.reshape(1, 128, 2, 128, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(half.image, means, atol=1)
        means = whole.rgb.reshape(3, 128, 2, 128, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(half.rgb, means, atol=1)
        learned = half.points[half.weight > 0]
        assert (learned >= 0).all() and (learned <= 127).all()
        assert (half.weight <= whole.weight).all()


def test_pairs_stack_and_move_together(config: DataConfig) -> None:
    pairs = [_crop(config, i, modality="paired") for i in range(2)]
    batch = collate_landmarks(pairs)
    assert batch.rgb is not None and batch.rgb.shape == (2, 3, 256, 256)
    moved = batch.to("cpu").rgb
    assert moved is not None and moved.dtype == torch.uint8
    assert collate_landmarks([_crop(config, 0)]).to("cpu").rgb is None
    with pytest.raises(ValueError, match="all or none"):
        collate_landmarks([pairs[0], _crop(config, 0)])


@pytest.mark.parametrize("modality", ["rgb", "paired"])
def test_a_pool_without_colours_says_what_to_do(tmp_path: Path, modality: str) -> None:
    write_shard(tmp_path, None, "portrait", 0, 0, persons=2)
    data = DataConfig(str(tmp_path), samples_per_epoch=2, val_samples=2, modality=modality)
    with pytest.raises(PoolMissing, match="pool --rgb"):
        build_dataset("landmarks", data, "train")


@pytest.mark.parametrize("setting", [{"modality": "rgb"}, {"input_size": 128}])
def test_detectors_have_no_colours_and_one_size(
    config: DataConfig, setting: dict[str, object]
) -> None:
    changed = replace(config, **setting)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="landmark crops alone"):
        build_dataset("detector", changed, "train")


def test_too_many_boxes_are_refused() -> None:
    boxes = np.zeros((MAX_BOXES + 1, 4), np.float32)
    sample = DetectorSample(
        np.zeros((1, 320, 320), np.uint8), boxes, np.zeros(MAX_BOXES + 1, np.float32)
    )
    with pytest.raises(ValueError, match="boxes"):
        collate_detector([sample])


def test_ablations_come_from_the_settings_of_a_run(config: DataConfig) -> None:
    """Knobs of the synthesis and the choice of persons, as `--set` gives them."""
    table = {
        "pool": config.pool,
        "samples_per_epoch": 12,
        "val_samples": 4,
        "max_abs_yaw": 30,
        "exclude": ["glasses"],
        "synthesis": {"camera": {"radiometric_chance": 0, "gain_control": {"linear": 1}}},
    }
    run = {
        "name": "n",
        "task": "landmarks",
        "variant": "t",
        "method": {"name": "supervised"},
        "weights": {"kl": 1.0},
        "loop": {"batch": 4},
        "data": table,
    }
    parsed = from_dict(run)
    assert parsed.data.synthesis.camera.gain_control == {"linear": 1.0}
    assert parsed.as_dict()["data"]["synthesis"] == {
        "camera": {"radiometric_chance": 0.0, "gain_control": {"linear": 1.0}}
    }
    assert from_dict(parsed.as_dict()) == parsed
    everyone = build_dataset("landmarks", config, "train")
    plain = LandmarkStream(
        config.pool, 12, 0, "train", parsed.data.synthesis, PersonFilter(1000.0, ())
    )
    assert not np.array_equal(plain[0].image, everyone[0].image)


def test_persons_are_left_out_by_what_they_wear() -> None:
    facts = np.array(
        [
            PersonFacts(10, 0, 0, 20, glasses=True).as_row(),
            PersonFacts(-60, 0, 0, 20).as_row(),
            PersonFacts(350, 0, 0, 20).as_row(),
            PersonFacts(180, 0, 0, 20).as_row(),
        ]
    )
    assert PersonFilter().keeps(facts).all()
    assert PersonFilter(30.0).keeps(facts).tolist() == [True, False, True, False]
    assert PersonFilter(exclude=("glasses",)).keeps(facts).tolist() == [False, True, True, True]
    with pytest.raises(PoolMissing, match="render it again"):
        PersonFilter(exclude=("fringe",)).keeps(facts[:, :5])  # of an older pool


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"exclude": ["shoes"]}, "shoes"),
        ({"modality": "infrared"}, "data.modality: 'infrared'"),
        ({"input_size": 100}, "data.input_size: 100"),
        ({"input_size": 512}, "data.input_size: 512"),
        ({"input_size": 0}, "data.input_size: 0"),
        ({"synthesis": {"camera": {"blur": 1}}}, "data.synthesis.camera.blur"),
        ({"synthesis": {"camera": {"blur_px": [1]}}}, "blur_px: expected 2 values"),
        ({"synthesis": {"camera": {"blur_px": 1}}}, "blur_px: expected a list"),
    ],
)
def test_wrong_knobs_are_named(setting: dict[str, object], says: str) -> None:
    data = {"pool": "p", "samples_per_epoch": 64, "val_samples": 4, **setting}
    run = {
        "name": "n",
        "task": "landmarks",
        "variant": "t",
        "method": {"name": "supervised"},
        "weights": {"kl": 1.0},
        "data": data,
    }
    with pytest.raises(ConfigError, match=says):
        from_dict(run)


def test_a_pool_with_nobody_left_says_so(config: DataConfig) -> None:
    with pytest.raises(PoolMissing, match="max_abs_yaw"):
        LandmarkStream(config.pool, 4, 0, "train", persons=PersonFilter(max_abs_yaw=-1.0))
