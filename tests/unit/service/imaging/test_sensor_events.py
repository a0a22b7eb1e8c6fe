"""Events are told from the frames alone, and scenes are none."""

import numpy as np
import pytest

from service.entities import FloatArray, SensorEvent, ThermalFrame, Unit
from service.imaging.sensor_events import FROZEN_AFTER, SMALL, Finding, SensorWatch, measure

BLANK, FLIPPED = SensorEvent.BLANK, SensorEvent.POLARITY_FLIPPED
FROZEN, SATURATED = SensorEvent.FROZEN, SensorEvent.SATURATED
STEP = 0.04  # seconds from frame to frame
NOISE = np.random.default_rng(0)


def frame(values: FloatArray, unit: Unit = Unit.CELSIUS) -> ThermalFrame:
    return ThermalFrame(np.asarray(values, np.float32), unit, "test")


def scene(seed: int = 0, height: int = 120, width: int = 160, noise: float = 0.05) -> FloatArray:
    """Degrees: a room with warm things in it, the same ones for a seed; the noise is anew."""
    places = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    values = 20 + 4 * y / height
    for _ in range(6):
        cx, cy = places.uniform(0, width), places.uniform(0, height)
        radius = places.uniform(6, 24)
        values[(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = places.uniform(16, 36)
    return np.asarray(values + NOISE.normal(0, noise, values.shape))


def grey(values: FloatArray) -> FloatArray:
    return np.asarray(np.clip((values - 14) * 10, 0, 255).round())


def looks(*frames: ThermalFrame, step: float = STEP) -> list[Finding]:
    watch = SensorWatch()
    return [watch.look(measure(one), number * step) for number, one in enumerate(frames)]


def events(*frames: ThermalFrame, step: float = STEP) -> list[set[SensorEvent]]:
    return [set(finding.events) for finding in looks(*frames, step=step)]


def test_a_scene_is_no_event() -> None:
    assert events(*(frame(scene()) for _ in range(5))) == [set()] * 5


def test_what_repeats_is_frozen_once_it_lasts() -> None:
    still = frame(scene())
    found = looks(*[still] * 12, frame(scene()))
    assert [finding.repeats for finding in found] == [False, *[True] * 11, False]
    lasting = [number * STEP >= FROZEN_AFTER for number in range(12)]
    assert [FROZEN in finding.events for finding in found] == [*lasting, False]
    assert any(lasting) and not lasting[1]


def test_slow_cameras_repeat_without_an_event() -> None:
    pictures = [frame(scene()) for _ in range(9)]
    found = looks(*(picture for picture in pictures for _ in range(3)), step=0.037)
    assert not any(finding.events for finding in found)
    assert sum(finding.repeats for finding in found) == 18


def test_one_bit_is_a_difference() -> None:
    values = np.asarray(scene(), np.float32)
    other = values.copy()
    other[5, 7] = np.nextafter(other[5, 7], np.float32(100))
    assert not looks(frame(values), frame(other))[1].repeats
    assert not looks(frame(values), frame(values, Unit.COUNTS))[1].repeats
    assert not looks(frame(values), frame(values.reshape(160, 120)))[1].repeats


@pytest.mark.parametrize(
    ("unit", "span"), [(Unit.CELSIUS, 0.5), (Unit.COUNTS, 16), (Unit.GREY8, 4)]
)
def test_blank(unit: Unit, span: float) -> None:
    """A shutter is flat but for its noise and a little of its own warmth; a far face is not."""
    rng = np.random.default_rng(0)
    shutter = 100 + 0.15 * span * rng.normal(0, 1, (120, 160))
    shutter += np.linspace(0, 0.4 * span, 160)
    if unit is Unit.GREY8:
        shutter = shutter.round()
    assert events(frame(shutter, unit)) == [{BLANK}]
    shutter[40:50, 60:70] += 4 * span
    assert events(frame(shutter, unit)) == [set()]


def test_a_far_face_in_a_large_frame_is_seen() -> None:
    values = np.full((512, 640), 22.0)
    values[300:316, 401:417] = 32
    assert events(frame(values)) == [set()]


@pytest.mark.parametrize("end", [0, 255])
def test_saturated_in_8_bits(end: int) -> None:
    values = grey(scene())
    values[:30] = end  # a quarter, as of a picture with bars beside it
    assert events(frame(values, Unit.GREY8)) == [set()]
    values[:40] = end
    assert events(frame(values, Unit.GREY8)) == [{SATURATED}]
    assert events(frame(np.full((20, 20), end), Unit.GREY8)) == [{BLANK, SATURATED}]


def test_saturated_in_16_bits() -> None:
    values = scene()
    assert events(frame(np.minimum(values, np.quantile(values, 0.8)))) == [set()]
    assert events(frame(np.minimum(values, np.quantile(values, 0.7)))) == [{SATURATED}]
    counts = 100 * np.maximum(values - np.quantile(values, 0.3), 0)
    assert events(frame(counts, Unit.COUNTS)) == [{SATURATED}]
    assert events(frame(counts + 1, Unit.COUNTS)) == [set()]
    assert events(frame(np.full((20, 20), 300.0))) == [{BLANK}]  # the end of nothing


@pytest.mark.parametrize("seed", range(4))
def test_a_flip_is_told_once(seed: int) -> None:
    pictures = [grey(scene(seed)) for _ in range(6)]
    flipped = [p if number < 3 else 255 - p for number, p in enumerate(pictures)]
    found = events(*(frame(picture, Unit.GREY8) for picture in flipped))
    assert [FLIPPED in one for one in found] == [False] * 3 + [True] + [False] * 2


def test_a_flip_is_told_after_a_blank_and_with_movement() -> None:
    still, moved = grey(scene(1)), np.roll(grey(scene(1)), 2, axis=1)
    shutter = np.full(still.shape, 90.0)
    pictures = (frame(one, Unit.GREY8) for one in (still, shutter, 255 - moved))
    assert events(*pictures) == [set(), {BLANK}, {FLIPPED}]


def test_other_scenes_are_no_flips() -> None:
    found = events(*(frame(grey(scene(seed)), Unit.GREY8) for seed in range(60)))
    assert not any(FLIPPED in one for one in found)


def test_a_scene_that_is_bright_where_the_last_was_dark_is_no_flip() -> None:
    """Warm floor, then warm ceiling: the gradients are each other's negatives, the things not."""
    slope = np.linspace(-15, 15, 120)[:, None]
    pictures = [frame(scene(2) + slope), frame(scene(3) - slope)]
    assert events(*pictures) == [set(), set()]


def test_sizes_may_change() -> None:
    values = scene()
    assert events(frame(values), frame(-values[:, :100]), frame(-values.T)) == [set()] * 3


def test_what_is_kept_is_small() -> None:
    measured = measure(frame(scene(0, 480, 640)))
    assert max(measured.small.shape) == SMALL and measured.small.base is None
    assert measure(frame(scene(0, 8, 8000))).small.shape == (1, SMALL)
