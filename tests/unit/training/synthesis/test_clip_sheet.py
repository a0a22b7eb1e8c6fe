from dataclasses import replace

import numpy as np

from tests.unit.training.synthesis.clips import clip
from training.synthesis.clip_sheet import COLUMNS, ORANGE, clip_sheet
from training.synthesis.pictures import GREEN


def _has(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: tuple[int, ...]) -> bool:
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


def test_a_sheet_shows_the_frames_with_their_points() -> None:
    picture = clip_sheet(clip(frames=8))
    assert picture.shape == (2 * 240, COLUMNS * 320, 3)
    assert _has(picture, GREEN) and not _has(picture, ORANGE)
    assert (picture[241:, 2 * 320 + 1 :] == 255).all()  # two rows of six, eight frames


def test_hidden_faces_are_orange_and_absent_ones_are_not_drawn() -> None:
    usual = clip()
    hidden = clip_sheet(replace(usual, visible=0.2 * usual.visible))
    assert _has(hidden, ORANGE) and not _has(hidden, GREEN)
    absent = clip_sheet(replace(usual, landmarks=np.full_like(usual.landmarks, np.nan)))
    assert not _has(absent, ORANGE) and not _has(absent, GREEN)
