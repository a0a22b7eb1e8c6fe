from dataclasses import replace

import numpy as np
import pytest

from tests.unit.training.synthesis.clips import clip
from training.synthesis.clip_events import Event, PlanError, blanked, disturb, parse_event


def test_a_frozen_picture_is_sent_again_bit_by_bit_with_its_truth() -> None:
    usual = clip()
    frozen = disturb(usual, [Event("freeze", 0.2, 0.3)])
    for index in (2, 3, 4):
        assert (frozen.frames[index] == usual.frames[1]).all()
        np.testing.assert_array_equal(frozen.landmarks[index], usual.landmarks[1])
    for index in (0, 1, 5):
        assert (frozen.frames[index] == usual.frames[index]).all()
    assert not (frozen.frames[5] == frozen.frames[4]).all()


def test_a_freeze_from_the_start_repeats_the_first_picture() -> None:
    frozen = disturb(clip(), [Event("freeze", 0.0, 0.25)])
    assert (frozen.frames[:3] == clip().frames[0]).all()


def test_nobody_is_behind_a_closed_shutter() -> None:
    event = Event("blank", 0.1, 0.2)
    closed = disturb(clip(), [event])
    assert np.isnan(closed.landmarks[[1, 2]]).all() and not closed.visible[[1, 2]].any()
    assert np.isfinite(closed.landmarks[[0, 3, 4, 5]]).all()
    np.testing.assert_array_equal(blanked(clip().times, [event]), [0, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8])
def test_a_flip_changes_warm_and_cold_and_back(dtype: type) -> None:
    event = Event("flip", 0.3, 0.1)
    once = disturb(clip(dtype), [event])
    usual, flipped = clip(dtype).frames[3].astype(int), once.frames[3].astype(int)
    assert np.corrcoef(usual.ravel(), flipped.ravel())[0, 1] == pytest.approx(-1.0)
    assert (usual.min(), usual.max()) == (flipped.min(), flipped.max())
    assert (disturb(once, [event]).frames == clip(dtype).frames).all()


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8])
def test_a_saturated_picture_has_one_value_at_the_top(dtype: type) -> None:
    saturated = disturb(clip(dtype), [Event("saturate", 0.0, 0.1)])
    frame = saturated.frames[0]
    assert 0.25 < (frame == frame.max()).mean() < 0.35
    assert dtype is np.uint16 or frame.max() == 255
    cold = frame < frame.max()
    np.testing.assert_array_equal(frame[cold], clip(dtype).frames[0][cold])


def test_events_do_not_touch_the_clip_that_they_are_given() -> None:
    usual = clip()
    disturb(usual, [Event(kind, 0.0, 1.0) for kind in ("freeze", "flip", "saturate", "blank")])
    assert (usual.frames == clip().frames).all() and np.isfinite(usual.landmarks).all()


def test_an_event_is_read_from_text() -> None:
    assert parse_event("freeze@1.5+2") == Event("freeze", 1.5, 2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("freeze", "KIND@START"),
        ("freeze@1", "KIND@START"),
        ("freeze@a+1", "KIND@START"),
        ("thaw@1+1", "not one of freeze"),
        ("blank@-1+1", "0 or later"),
        ("blank@1+0", "longer than 0"),
        ("blank@nan+1", "0 or later"),
    ],
)
def test_an_event_that_cannot_be_is_an_error(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_event(text)


def test_an_event_after_the_end_is_an_error() -> None:
    with pytest.raises(PlanError, match="no frame from 9"):
        disturb(clip(), [Event("flip", 9.0, 1.0)])
    with pytest.raises(PlanError, match="no frame"):
        disturb(replace(clip(), times=clip().times + 5), [Event("freeze", 0.0, 1.0)])
