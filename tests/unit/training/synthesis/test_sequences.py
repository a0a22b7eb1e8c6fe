from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.synthesis.clip import GREY, Clip, load_clip
from training.synthesis.clip_events import Event, PlanError
from training.synthesis.config import MOTION, PERSON
from training.synthesis.config.motion import MotionConfig
from training.synthesis.head import HeadModel
from training.synthesis.sequences import SequencePlan, film, write_sequence
from training.synthesis.thermal import Anatomy

SMALL = SequencePlan("talking", 0.6, 10.0, 64, 48, seed=3)
# Nobody moves: sway, breath, unrest and blinks are off.
MOTIONLESS = replace(
    MOTION,
    sway_cm=(0.0, 0.0),
    breath_cm=(0.0, 0.0),
    unrest_deg=(0.0, 0.0),
    blink_hz=(1e-3, 1e-3),
)


def _film(
    head: HeadModel, anatomy: Anatomy, plan: SequencePlan, motion: MotionConfig = MOTION
) -> Clip:
    return film(head, anatomy, plan, motion=motion)


def test_a_clip_is_the_same_for_the_same_seed(head: HeadModel, anatomy: Anatomy) -> None:
    first, second = (_film(head, anatomy, SMALL) for _ in range(2))
    np.testing.assert_array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(first.landmarks, second.landmarks)
    other = _film(head, anatomy, replace(SMALL, seed=4))
    assert not np.array_equal(first.frames, other.frames)
    assert not np.array_equal(first.landmarks, other.landmarks)


def test_a_clip_says_what_it_is(head: HeadModel, anatomy: Anatomy) -> None:
    clip = _film(head, anatomy, replace(SMALL, kind="crossing"))
    assert clip.frames.shape == (6, 48, 64) and clip.frames.dtype == np.uint16
    assert clip.landmarks.shape == (6, 2, 68, 2) and clip.landmarks.dtype == np.float32
    assert clip.visible.shape == (6, 2) and clip.visible.dtype == np.float32
    np.testing.assert_allclose(np.diff(clip.times), 0.1)
    celsius = clip.frames / 100.0 - 273.15
    assert 0 < np.median(celsius) < 40 and celsius.max() < 130


def test_who_does_not_move_changes_by_noise_alone(head: HeadModel, anatomy: Anatomy) -> None:
    """One person, one skin, one dress, one background; the camera's noise is new each time."""
    quiet = _film(head, anatomy, replace(SMALL, kind="standing", camera="clean"), MOTIONLESS)
    assert (quiet.frames == quiet.frames[0]).all()
    np.testing.assert_allclose(quiet.landmarks, quiet.landmarks[:1].repeat(6, axis=0), atol=1e-4)
    noisy = _film(head, anatomy, replace(SMALL, kind="standing"), MOTIONLESS)
    changes = np.diff(noisy.frames.astype(float), axis=0) / 100.0
    # From one frame to the next, root two times 30 to 80 mK.
    assert 0.03 < changes.std() / np.sqrt(2) < 0.09
    assert abs(changes.mean()) < 0.01
    # What does not average out is the camera's own pattern.
    pattern = noisy.frames.mean(axis=0) - quiet.frames[0]
    assert pattern.std() > 1.15 * 100 * changes.std() / np.sqrt(2) / np.sqrt(6)


@pytest.mark.parametrize("kind", ["turning", "walking"])
def test_the_truth_moves_without_jumps(kind: str, head: HeadModel, anatomy: Anatomy) -> None:
    plan = replace(SMALL, kind=kind, seconds=1.0, fps=50.0, camera="clean")
    points = _film(head, anatomy, plan).landmarks[:, 0]
    moved = np.linalg.norm(np.diff(points, axis=0), axis=2)
    bent = np.linalg.norm(np.diff(points, 2, axis=0), axis=2)
    assert 0.2 < moved.max() < 2.5  # pixels in 20 ms
    assert bent.max() < 0.35


def test_two_who_cross_hide_each_other_for_a_while(head: HeadModel, anatomy: Anatomy) -> None:
    clip = _film(head, anatomy, replace(SMALL, kind="crossing", seconds=4.0, fps=6.0))
    near, far = clip.visible.T
    assert (near == 1.0).all()
    assert far[0] == 1.0 and far.min() < 0.2
    assert np.isfinite(clip.landmarks).all()


def test_who_leaves_is_not_there(head: HeadModel, anatomy: Anatomy) -> None:
    clip = _film(head, anatomy, replace(SMALL, kind="leaving", seconds=2.5))
    gone = clip.visible[:, 0] == 0
    assert gone.any() and not gone[0]
    np.testing.assert_array_equal(np.isnan(clip.landmarks[:, 0, 0, 0]), gone)


def test_a_frozen_camera_repeats_to_the_bit_and_goes_on_elsewhere(
    head: HeadModel, anatomy: Anatomy
) -> None:
    usual = _film(head, anatomy, SMALL)
    frozen = _film(head, anatomy, replace(SMALL, events=(Event("freeze", 0.2, 0.3),)))
    assert (frozen.frames[2:5] == usual.frames[1]).all()
    assert (frozen.frames[[0, 1, 5]] == usual.frames[[0, 1, 5]]).all()


@pytest.mark.parametrize("camera", ["radiometric", "grey"])
def test_a_closed_shutter_shows_noise_alone(camera: str, head: HeadModel, anatomy: Anatomy) -> None:
    plan = replace(SMALL, camera=camera, events=(Event("blank", 0.2, 0.2),))
    clip = _film(head, anatomy, plan)
    assert clip.frames[2].std() < 0.1 * clip.frames[0].std()
    assert not (clip.frames[2] == clip.frames[3]).all()
    assert not clip.visible[2:4].any() and clip.visible[[0, 1, 4, 5]].all()


def test_a_grey_camera_keeps_its_gain_control(head: HeadModel, anatomy: Anatomy) -> None:
    """Grey levels of what stands still do not jump from frame to frame."""
    plan = replace(SMALL, kind="standing", camera="grey")
    for seed in range(3):
        clip = _film(head, anatomy, replace(plan, seed=seed), MOTIONLESS)
        assert clip.unit == GREY and clip.frames.dtype == np.uint8
        medians = np.median(clip.frames, axis=(1, 2))
        assert np.ptp(medians) < 6
        assert np.ptp(clip.frames[0]) > 60


def test_a_pan_moves_background_and_people_alike(head: HeadModel, anatomy: Anatomy) -> None:
    plan = replace(SMALL, kind="standing", seconds=6.0, fps=2.0, camera="clean", pan=True)
    panned = _film(head, anatomy, plan, replace(MOTIONLESS, pan_share=0.2))
    way = panned.landmarks[:, 0] - panned.landmarks[0, 0]
    assert np.ptp(way[:, 0, 0]) > 1.0  # pixels
    np.testing.assert_allclose(way, way[:, :1].repeat(68, axis=1), atol=1e-2)
    first, last = panned.frames[0].astype(np.float32), panned.frames[-1].astype(np.float32)
    moved = way[-1, 0]
    shift = np.array([[1, 0, moved[0]], [0, 1, moved[1]]], np.float64)
    followed = cv2.warpAffine(first, shift, (64, 48))
    inner = slice(14, -14), slice(14, -14)
    assert np.abs(followed - last)[inner].mean() < 0.3 * np.abs(first - last)[inner].mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "dancing"}, "dancing is not one of portrait"),
        ({"camera": "box"}, "box is not one of radiometric"),
        ({"seconds": 0.05}, "two frames"),
        ({"fps": -1.0}, "above 0"),
        ({"fps": float("nan")}, "above 0"),
        ({"width": 8}, "below 16"),
    ],
)
def test_a_plan_that_cannot_be_filmed_is_an_error(change: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_a_clip_is_written_with_its_picture(tmp_path: Path) -> None:
    out, sheet = tmp_path / "clip.npz", tmp_path / "new" / "clip.png"
    line = write_sequence(out, None, SMALL, PERSON, sheet)
    assert "6 frames of talking" in line
    assert load_clip(out).frames.shape == (6, 48, 64)
    assert cv2.imread(str(sheet)) is not None
