from pathlib import Path

import cv2
import numpy as np
import pytest

from service.landmark_schema import FLIP
from training.synthesis.frames import compose_frame, detector_view
from training.synthesis.pool import OFFSET, STEPS, Pool, PoolMissing, write_shard
from training.synthesis.sheets import contact_sheet, sample_frame
from training.synthesis.views import landmark_view, mirror, resample


def test_a_missing_pool_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(PoolMissing, match="training.synthesis pool"):
        Pool(tmp_path, "portrait")


def test_splits_share_nobody(pool_folder: Path) -> None:
    train, held_out, everyone = (Pool(pool_folder, "portrait", s) for s in ("train", "val", "all"))
    assert len(train) + len(held_out) == len(everyone) == 10
    np.testing.assert_array_equal(held_out.layer(0).landmarks, everyone.layer(len(train)).landmarks)


def test_a_finished_shard_is_not_rendered_again(pool_folder: Path) -> None:
    before = (pool_folder / "portrait-000-0000").stat().st_mtime_ns
    write_shard(pool_folder, None, "portrait", 0, 0)
    assert (pool_folder / "portrait-000-0000").stat().st_mtime_ns == before


def test_temperatures_survive_the_coding(portraits: Pool) -> None:
    layer = portraits.layer(0)
    warm = layer.temperature[layer.cover > 0]
    assert -20 < warm.min() < warm.max() < 60
    assert 1 / STEPS < 0.01
    assert layer.temperature[layer.cover == 0] == pytest.approx(-OFFSET)


def test_mirroring_twice_is_nothing(portraits: Pool) -> None:
    layer = portraits.layer(1)
    twice = mirror(mirror(layer))
    np.testing.assert_allclose(twice.landmarks, layer.landmarks, atol=1e-4)
    np.testing.assert_array_equal(twice.temperature, layer.temperature)
    assert list(np.array(FLIP)[list(FLIP)]) == list(range(68))


@pytest.mark.parametrize("scale", [0.2, 0.5, 0.9, 1.6])
def test_resampling_keeps_a_bright_spot_where_it_is(scale: float) -> None:
    image = np.zeros((120, 120), np.float32)
    image[58:63, 68:73] = 1.0  # centre (70, 60)
    origin = np.array([20.0, 10.0], np.float32)
    out = resample(image, scale, origin, 100, 100)
    yy, xx = np.mgrid[:100, :100]
    centre = np.array([(xx * out).sum(), (yy * out).sum()]) / out.sum()
    np.testing.assert_allclose(centre, (np.array([70.0, 60.0]) - origin) * scale, atol=0.15)


def test_views_hold_their_contract_and_are_deterministic(portraits: Pool) -> None:
    for seed in range(30):
        first, second = (
            landmark_view(portraits.layer(seed % 10), np.random.default_rng(seed)) for _ in range(2)
        )
        np.testing.assert_array_equal(first.image, second.image)
        assert first.image.shape == (256, 256) and first.image.dtype == np.uint8
        assert first.points.shape == (68, 2) and np.isfinite(first.points).all()
        learned = first.points[first.weight > 0]
        assert (learned >= 0).all() and (learned <= 255).all()


def test_frames_hold_their_contract(portraits: Pool, figures: Pool) -> None:
    boxes_seen = 0
    for seed in range(40):
        frame = compose_frame(portraits, figures, np.random.default_rng(seed))
        assert len(frame.boxes) == len(frame.ignore) == len(frame.landmarks) <= 6
        image, boxes = detector_view(frame)
        assert image.shape == (320, 320) and image.dtype == np.uint8
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        boxes_seen += len(boxes)
    assert boxes_seen > 20


def test_sheet_and_sample_are_pictures(pool_folder: Path, tmp_path: Path) -> None:
    contact_sheet(pool_folder, tmp_path / "sheet.png", 0)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None and sheet.shape[1] == 2048
    sample_frame(pool_folder, tmp_path / "sample.png", 0)
    sample = cv2.imread(str(tmp_path / "sample.png"), cv2.IMREAD_UNCHANGED)
    assert sample is not None and sample.dtype == np.uint16 and sample.shape == (256, 320)
    assert 27000 < np.median(sample) < 31500
