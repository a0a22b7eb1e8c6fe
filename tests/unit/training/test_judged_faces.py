"""Choosing the limits of the verdict, on faces whose errors are known."""

import numpy as np
import pytest

from service.entities import Box, FloatArray
from service.vision.crop import SimilarityMap
from training.judged_faces import Seen, choose_limits, reasons, see_fakes, verdict_figures

SIZE = 50.0
SQUARE = np.stack(np.meshgrid(np.linspace(0, 1, 17), [0.0, 0.3, 0.6, 1.0]), axis=-1).reshape(-1, 2)


def seen(expected: float, error: float, size: float = SIZE, *, face: bool = True) -> Seen:
    """A face of `size` pixels in a large frame; both errors are shares of its size."""
    truth = (100 + SQUARE * size).astype(np.float32)
    rest = np.full((68, 2), [0.5, expected * size])
    keypoints = np.concatenate([truth + [error * size, 0], rest], axis=1).astype(np.float32)
    box = Box(100, 100, 100 + size, 100 + size)
    return Seen(keypoints, SimilarityMap(1.0, 0.0, 0.0), box, 640, 480, truth if face else None)


FAKES = [seen(0.2, 0, face=False)] * 20


def test_limits_keep_the_precision() -> None:
    good = [seen(expected, 0.05) for expected in np.linspace(0.03, 0.06, 95)]
    bad = [seen(expected, 0.2) for expected in np.linspace(0.061, 0.09, 40)]
    limits = choose_limits(good + bad, FAKES)
    assert limits is not None
    assert 0.06 <= limits.max_error < 0.066  # five of a hundred may be bad
    figures = verdict_figures(good + bad, FAKES, limits)
    assert figures["precision"] >= 0.95
    assert figures["coverage_of_good"] == 1
    assert figures["fakes_called_reliable"] == 0
    assert figures["good"] == pytest.approx(95 / 135, abs=1e-3)


def test_fakes_hold_the_limit_down() -> None:
    faces = [seen(expected, 0.05) for expected in np.linspace(0.03, 0.3, 50)]
    limits = choose_limits(faces, FAKES)
    assert limits is not None
    assert 0.19 < limits.max_error <= 0.2  # the last face below
    assert limits.fine_error == pytest.approx(0.2, abs=1e-3)


def test_the_precision_holds_below_the_fakes_too() -> None:
    bad = [seen(expected, 0.2) for expected in np.linspace(0.03, 0.04, 5)]
    good = [seen(expected, 0.05) for expected in np.linspace(0.21, 0.3, 95)]
    # All hundred are precise enough, but below the fakes there are only the bad ones.
    assert choose_limits(bad + good, FAKES) is None


def test_small_is_where_fewer_than_half_are_reliable() -> None:
    sizes = np.linspace(5, 104, 100)
    faces = [seen(0.1 if size < 35 else 0.04, 0.2 if size < 35 else 0.04, size) for size in sizes]
    limits = choose_limits(faces, FAKES)
    assert limits is not None
    assert limits.small_size == pytest.approx(34)  # the upper end of the third tenth of the faces
    told = reasons(faces, limits)
    assert told["too_small"] == 29 and told["reliable"] == 70


def test_no_limits_for_a_network_that_finds_nothing() -> None:
    assert choose_limits([seen(0.05, 0.3) for _ in range(30)], FAKES) is None


def test_points_outside_the_frame_have_no_error() -> None:
    face = seen(0.05, 0.1)
    assert face.error() == pytest.approx(0.1, rel=1e-4)
    cut = Seen(face.keypoints, face.to_network, face.box, 640, 120, face.truth)
    assert np.isnan(cut.distances()).sum() == 34
    assert cut.error() == pytest.approx(0.1, rel=1e-4)
    assert np.isnan(Seen(face.keypoints, face.to_network, face.box, 9, 9, face.truth).error())


def test_fakes_of_every_kind() -> None:
    given: list[FloatArray] = []

    def network(images: np.ndarray) -> FloatArray:
        given.append(images)
        return np.zeros((len(images), 68, 4), np.float32)

    made = see_fakes(24, 0, network)
    assert given[0].shape == (24, 256, 256)
    assert np.ptp(given[0], axis=(1, 2)).min() > 50  # none is empty
    assert all(fake.truth is None for fake in made)
    assert all(0 <= f.box.x1 and f.box.y2 <= f.height for f in made)
