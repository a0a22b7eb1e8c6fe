"""Who stands where in a detector frame: one, a few, crowds, audiences, people far away."""

from dataclasses import dataclass

import numpy as np

from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.scene import FrameConfig

MOST = 12  # faces of a frame, as many as a batch carries
INPUT = 320  # pixels; the configuration's face sizes are of this input


@dataclass(frozen=True)
class Place:
    """Middle of a face in the scene's pixels, and its size, sqrt(w * h)."""

    x: float
    y: float
    size: float


def lay_out(
    width: int, height: int, input_size: int, frame: FrameConfig, rng: np.random.Generator
) -> list[Place]:
    """The faces of one scene of `width` x `height` pixels."""
    layout = pick(frame.layouts, rng)
    unit = max(width, height) / INPUT
    # A larger input resolves smaller faces.
    smallest = INPUT / input_size
    if layout == "empty":
        return []
    if layout == "audience":
        return _audience(width, height, unit, smallest, frame, rng)
    ends, count = {
        "one": (frame.one_px, 1),
        "few": (frame.few_px, int(rng.integers(2, 7))),
        "crowd": (frame.crowd_px, int(rng.integers(6, MOST + 1))),
        "far": (frame.far_px, int(rng.integers(1, 6))),
    }[layout]
    sizes = [unit * log_uniform((ends[0] * smallest, ends[1]), rng) for _ in range(count)]
    if layout in ("one", "few"):
        small = frame.small_px[0] * smallest, frame.small_px[1]
        sizes = [
            unit * log_uniform(small, rng) if rng.random() < frame.small_chance else s
            for s in sizes
        ]
    if layout in ("crowd", "far"):  # on one ground: the nearer, the lower
        eye_line = height * rng.uniform(0.15, 0.6)
        rise = rng.uniform(0.0, 2.5)
        places = []
        for size in sizes:
            y = eye_line + rise * (size - min(sizes)) + rng.normal(0, 0.4) * size
            place = Place(rng.uniform(0.03, 0.97) * width, y, size)
            places.append(_at_edge(place, width, height, frame, rng))
        return places
    return [_anywhere(s, width, height, frame, rng) for s in sizes]


def _anywhere(
    size: float, width: int, height: int, frame: FrameConfig, rng: np.random.Generator
) -> Place:
    # Bodies reach down: faces tend to be in the upper part.
    low, high = (0.08, 0.55) if rng.random() < 0.7 else (0.08, 0.85)
    place = Place(rng.uniform(0.04, 0.96) * width, rng.uniform(low, high) * height, size)
    return _at_edge(place, width, height, frame, rng)


def _at_edge(
    place: Place, width: int, height: int, frame: FrameConfig, rng: np.random.Generator
) -> Place:
    """Sometimes moved so that the frame cuts the face."""
    if rng.random() > frame.edge_chance:
        return place
    inward = place.size * rng.uniform(-0.15, 0.5)  # of the face's middle
    edge = rng.integers(4)
    x = inward if edge == 0 else width - inward if edge == 1 else place.x
    y = inward if edge == 2 else height - inward if edge == 3 else place.y
    return Place(float(x), float(y), place.size)


def _audience(
    width: int, height: int, unit: float, smallest: float, frame: FrameConfig,
    rng: np.random.Generator,
) -> list[Place]:  # fmt: skip
    """Rows of seated people, smaller towards the back."""
    rows = int(rng.integers(1, 4))
    ends = frame.crowd_px[0] * smallest, frame.crowd_px[1]
    size = unit * log_uniform(ends, rng)
    count = int(rng.integers(max(6, 3 * rows), MOST + 1))
    places = []
    y = height * rng.uniform(0.35, 0.75)
    for row in range(rows):
        here = count // rows + (1 if row < count % rows else 0)
        step = max(size * rng.uniform(1.5, 2.6), 0.6 * width / max(here, 1) * rng.uniform(0.4, 1.4))
        start = width / 2 - step * (here - 1) / 2 + rng.normal(0, 0.1) * width
        for seat in range(here):
            x = start + step * seat + rng.normal(0, 0.15) * size
            places.append(Place(x, y + rng.normal(0, 0.15) * size, size * rng.uniform(0.9, 1.1)))
        y -= size * rng.uniform(1.3, 2.2)
        size *= rng.uniform(0.75, 0.95)
    return places
