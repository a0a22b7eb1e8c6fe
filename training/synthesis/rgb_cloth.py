"""Colours and patterns of what people wear. Linear R, G, B."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.entities import FloatArray
from training.synthesis import dressing
from training.synthesis.fields import image_noise
from training.synthesis.rasterizer import Canvas

PATTERNS = ("stripes", "checks", "blotches")
# Usual masks: white, light blue, black, and any cloth.
_MASKS = ((0.75, 0.75, 0.75), (0.35, 0.58, 0.70), (0.03, 0.03, 0.03), None)


def cloth_colour(rng: np.random.Generator) -> FloatArray:
    """Linear R, G, B [3]: half of all clothes are nearly grey, some are vivid."""
    brightness = rng.uniform(*((0.01, 0.08), (0.08, 0.35), (0.4, 0.8))[rng.integers(3)])
    vivid = rng.uniform(*((0.0, 0.15), (0.3, 0.9))[rng.integers(2)])
    hue = rng.uniform(0, 1, 3)
    hue /= hue.max()
    return np.asarray(brightness * (1 + vivid * (hue - 1)), np.float32)


def paint_clothes(albedo: FloatArray, canvas: Canvas, rng: np.random.Generator) -> None:
    """Colour what belongs to cloth, in place; albedo [H, W, 3]."""
    height, width = canvas.owner.shape
    uneven = 0.06 * image_noise(height, width, rng.uniform(60, 140), rng)  # weave, then folds
    uneven += 0.10 * image_noise(height, width, rng.uniform(5, 14), rng)
    blotches = image_noise(height, width, rng.uniform(8, 40), rng)
    shirt = Fabric.sample(rng)
    fabrics = {
        dressing.TOP: shirt,
        dressing.SLEEVE: shirt,
        dressing.LEGS: Fabric.sample(rng),
        dressing.MASK: replace(Fabric.sample(rng, plain=0.75), colour=_mask_colour(rng)),
        dressing.HEADWEAR: Fabric.sample(rng),
    }
    for part, fabric in fabrics.items():
        rows, columns = np.nonzero(canvas.owner == part)
        places = rows, columns
        if len(rows):
            shade = np.exp(uneven[places])[:, None]
            albedo[places] = np.clip(fabric.at(places, blotches[places]) * shade, 0, 1)


def _mask_colour(rng: np.random.Generator) -> FloatArray:
    usual = _MASKS[rng.integers(len(_MASKS))]
    return cloth_colour(rng) if usual is None else np.array(usual, np.float32)


@dataclass(frozen=True)
class Fabric:
    """A cloth's colour and pattern; step: pixels of its stripes, turn: their slope."""

    colour: FloatArray
    second: FloatArray
    kind: str
    step: float
    turn: float
    share: float  # of the second colour

    @classmethod
    def sample(cls, rng: np.random.Generator, plain: float = 0.5) -> "Fabric":
        kind = "plain" if rng.random() < plain else str(rng.choice(PATTERNS))
        return cls(
            cloth_colour(rng), cloth_colour(rng), kind, rng.uniform(6, 30), rng.normal(0, 0.3),
            rng.uniform(-0.5, 0.7),
        )  # fmt: skip

    def at(
        self, places: tuple[NDArray[np.intp], NDArray[np.intp]], noise: FloatArray
    ) -> FloatArray:
        """Linear R, G, B [P, 3] at rows and columns `places`; noise [P] makes blotches."""
        y, x = (axis.astype(np.float32) for axis in places)
        pattern = np.zeros(len(x), np.float32)
        turns = 2 * np.pi / self.step
        if self.kind in ("stripes", "checks"):
            pattern += np.sin((y + self.turn * x) * turns) > self.share
        if self.kind == "checks":
            pattern += np.sin((x - self.turn * y) * turns) > self.share
        if self.kind == "blotches":
            pattern += noise > self.share
        return np.asarray(self.colour + (0.5 * pattern)[:, None] * (self.second - self.colour))
