from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.landmark_schema import FLIP
from service.vision.faces import roll_of
from training.data.sample import MAX_BOXES
from training.synthesis.backgrounds import DRAW
from training.synthesis.compose import mirror, paste
from training.synthesis.config import DEFAULT, SynthesisConfig
from training.synthesis.config.scene import BackgroundConfig, FrameConfig
from training.synthesis.facts import PersonFacts
from training.synthesis.frames import _visible, compose_frame, detector_view
from training.synthesis.head import HeadModelMissing
from training.synthesis.layouts import MOST
from training.synthesis.pool import OFFSET, STEPS, Layer, Pool, PoolMissing, write_shard
from training.synthesis.sheets import TOPICS, sample_frame, write_sheet
from training.synthesis.tiles import put
from training.synthesis.views import landmark_view


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
@pytest.mark.parametrize("mirrored", [False, True])
def test_pasting_puts_a_spot_where_it_belongs(scale: float, mirrored: bool) -> None:
    temperature = np.full((120, 120), 0.0, np.float32)
    temperature[58:63, 68:73] = 1.0  # centre (70, 60)
    facts = PersonFacts(0, 0, 0, 22)
    layer = Layer(temperature, np.ones_like(temperature), np.zeros((68, 2), np.float32), facts)
    layer = mirror(layer) if mirrored else layer
    centre = np.array([119.0 - 70.0 if mirrored else 70.0, 60.0])
    origin = np.array([20.0, 10.0], np.float32)
    scene = np.zeros((100, 100), np.float32)
    paste(scene, layer, scale, origin, np.random.default_rng(0), (0.0, 0.0))
    yy, xx = np.mgrid[:100, :100]
    found = np.array([(xx * scene).sum(), (yy * scene).sum()]) / scene.sum()
    np.testing.assert_allclose(found, (centre - origin) * scale, atol=0.15)


def test_a_person_outside_the_scene_leaves_it_alone(portraits: Pool) -> None:
    scene = np.zeros((40, 40), np.float32)
    origin = np.array([2000.0, 0.0], np.float32)
    patch = paste(scene, portraits.layer(0), 0.5, origin, np.random.default_rng(0), (0.1, 0.5))
    assert patch.cover.size == 0 and not scene.any()


@pytest.mark.parametrize("whole", [False, True])
def test_bodies_go_on_below_their_layer(figures: Pool, whole: bool) -> None:
    layer = figures.layer(2)
    height = layer.cover.shape[0]
    scene = np.full((4 * height, layer.cover.shape[1]), 1000.0, np.float32)
    nowhere = np.zeros(2, np.float32)
    patch = paste(scene, layer, 1.0, nowhere, np.random.default_rng(0), (0.1, 0.5), whole)
    below = patch.cover[height:].max(axis=1)
    assert below[:40].min() == 1.0
    assert below[-1] == (0.0 if whole else 1.0)  # a whole one ends with the feet


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


def test_upright_views_are_those_of_the_second_look(portraits: Pool) -> None:
    config = replace(DEFAULT, view=replace(DEFAULT.view, upright_chance=1.0, upright_deg=0.0))
    for seed in range(20):
        layer = portraits.layer(seed % 10)
        plain = landmark_view(layer, np.random.default_rng(seed))
        upright = landmark_view(layer, np.random.default_rng(seed), config)
        assert roll_of(upright.points) == pytest.approx(0.0, abs=0.2)
        assert upright.facts == plain.facts
        learned = upright.points[upright.weight > 0]
        assert (learned >= 0).all() and (learned <= 255).all()


def test_frames_hold_their_contract(portraits: Pool, figures: Pool) -> None:
    boxes_seen = 0
    for seed in range(40):
        frame = compose_frame(portraits, figures, np.random.default_rng(seed))
        assert len(frame.boxes) == len(frame.ignore) == len(frame.landmarks) <= MOST <= MAX_BOXES
        image, boxes = detector_view(frame)
        assert image.shape == (320, 320) and image.dtype == np.uint8
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        boxes_seen += len(boxes)
    assert boxes_seen > 20


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5, 0.9])
def test_the_visible_share_of_a_face_is_a_share(shift: float) -> None:
    box = np.array([[4.0, 5.0], [13.0, 14.0]], np.float32) + np.float32(shift)
    everywhere = np.zeros((20, 30), np.int16)
    assert _visible(everywhere, box, 0) == 1.0
    assert _visible(everywhere, box, 1) == 0.0
    beyond = box - np.array([8.5, 0], np.float32)  # about half of it outside the frame
    assert 0.4 < _visible(everywhere, beyond, 0) < 0.7


def test_a_larger_input_sees_finer_frames(portraits: Pool, figures: Pool) -> None:
    config = SynthesisConfig(frame=FrameConfig(sensors={"1024x768": 1.0}))
    sides = []
    for size in (320, 640):
        rng = np.random.default_rng(3)
        frame = compose_frame(portraits, figures, rng, config, size)
        image, _ = detector_view(frame, size)
        assert image.shape == (size, size)
        sides.append(frame.values.shape[1])
    assert sides == [416, 832]


@pytest.mark.parametrize("layout", FrameConfig().layouts)
def test_every_layout_fills_a_frame(layout: str, portraits: Pool, figures: Pool) -> None:
    config = SynthesisConfig(frame=FrameConfig(layouts={layout: 1.0}))
    counts = [
        len(compose_frame(portraits, figures, np.random.default_rng(s), config).boxes)
        for s in range(6)
    ]
    assert max(counts) <= MOST
    assert (sum(counts) == 0) == (layout == "empty")


@pytest.mark.parametrize("thing", BackgroundConfig().things)
def test_every_thing_is_seen_in_a_scene(thing: str) -> None:
    rng = np.random.default_rng(1)
    scene = np.full((60, 80), 21.0, np.float32)
    tile = DRAW[thing](60, 21.0, rng)
    patch = put(scene, tile, (40.0, 30.0), 50.0, 0.3)
    assert patch.cover.max() == 1.0 and scene.std() > 0.01
    assert scene.min() > -60 and scene.max() < 150  # nothing of the tile's empty part
    outside = np.ones(scene.shape, bool)
    outside[patch.rows, patch.columns] = False
    assert (scene[outside] == 21.0).all()


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic not in ("person", "rgb")])
def test_every_topic_is_a_picture(topic: str, pool_folder: Path, tmp_path: Path) -> None:
    write_sheet(pool_folder, tmp_path / "new" / "sheet.jpg", topic, 0)
    sheet = cv2.imread(str(tmp_path / "new" / "sheet.jpg"))
    assert sheet is not None and sheet.std() > 10


@pytest.mark.parametrize("topic", ["person", "rgb"])
def test_persons_are_not_shown_without_a_head_model(
    topic: str, pool_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(HeadModelMissing, match="--head"):
        write_sheet(pool_folder, tmp_path / "sheet.png", topic, 0)


def test_the_sample_is_a_picture(pool_folder: Path, tmp_path: Path) -> None:
    sample_frame(pool_folder, tmp_path / "sample.png", 0)
    sample = cv2.imread(str(tmp_path / "sample.png"), cv2.IMREAD_UNCHANGED)
    assert sample is not None and sample.dtype == np.uint16 and sample.shape == (256, 320)
    assert 27000 < np.median(sample) < 31500
