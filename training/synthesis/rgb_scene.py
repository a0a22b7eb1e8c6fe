"""The colour picture of a scene, composed beside the thermal one and in step with it.

It has its own backdrop and finer pixels; person and occluders lie where the thermal ones do. All
its draws come from a generator of its own.
"""

from dataclasses import replace

import cv2
import numpy as np

from service.entities import ByteArray, FloatArray
from training.synthesis.compose import paste
from training.synthesis.config.knobs import log_uniform, pick
from training.synthesis.config.rgb import RgbConfig
from training.synthesis.fields import image_noise
from training.synthesis.pool import Layer
from training.synthesis.rgb import decode_colour
from training.synthesis.rgb_backdrop import backdrop
from training.synthesis.rgb_camera import expose_colour
from training.synthesis.rgb_cloth import cloth_colour
from training.synthesis.rgb_skin import HAIRS, linear, sample_skin
from training.synthesis.tiles import Tile, put

UNEVEN = (0.0, 0.02)  # linear, of bodies below their layer


class ColourScene:
    """planes: float32 [3, h, w] linear R, G, B; zoom: pixels of it for one of the thermal scene.

    Points (x, y) of the thermal scene are at `(x + 0.5) * zoom - 0.5` here.
    """

    def __init__(self, side: int, zoom: float, rng: np.random.Generator, config: RgbConfig) -> None:
        """side: of the square thermal scene; zoom: wanted, the nearest that gives whole pixels."""
        pixels = max(1, round(side * zoom))
        self.zoom, self.rng, self.config = pixels / side, rng, config
        light = log_uniform(config.backdrop_light, rng)
        self.planes = backdrop(pixels, pixels, rng, config) * np.float32(light)
        self._colours = {"skin": sample_skin(rng)}

    def paste(self, layer: Layer, scale: float, origin: FloatArray) -> None:
        """Draw the person where `compose.paste(scene, layer, scale, origin)` draws the warm one."""
        if layer.rgb is None:
            raise ValueError("this layer has no colours")
        start = np.asarray(origin) - (1 - 1 / self.zoom) / 2 / scale
        seed = int(self.rng.integers(2**32))
        for plane, values in zip(self.planes, cv2.split(decode_colour(layer.rgb)), strict=True):
            coloured = replace(layer, temperature=np.asarray(values, np.float32))
            alike = np.random.default_rng(seed)
            paste(plane, coloured, scale * self.zoom, start, alike, UNEVEN)

    def colour(self, material: str) -> FloatArray:
        """Linear R, G, B [3] of `skin` (one person's), `hair`, `cloth` or `thing`."""
        if material == "hair":
            return linear(HAIRS[pick({name: 1.0 for name in HAIRS}, self.rng)])
        if material == "skin":
            return self._colours["skin"]
        return cloth_colour(self.rng)

    def put(self, tile: Tile, centre: tuple[float, float], size: float, angle: float) -> None:
        """Paste a coloured tile where `tiles.put(scene, tile, centre, size, angle)` does."""
        shaded = tile.colour * _roundness(tile)[..., None]
        x, y = ((c + 0.5) * self.zoom - 0.5 for c in centre)
        for channel, plane in enumerate(self.planes):
            put(plane, tile.showing(shaded[..., channel]), (x, y), size * self.zoom, angle)

    def bar(
        self, start: tuple[int, int], end: tuple[int, int], thick: int, colour: FloatArray
    ) -> None:
        """A straight bar between two pixels of the thermal scene, `thick` of them wide."""
        height, width = self.planes.shape[1:]
        cover = np.zeros((height, width), np.uint8)
        ends = [tuple(round((c + 0.5) * self.zoom - 0.5) for c in p) for p in (start, end)]
        cv2.line(cover, ends[0], ends[1], 1, max(1, round(thick * self.zoom)))
        shade = 1 + 0.15 * image_noise(height, width, 9, self.rng)
        for plane, value in zip(self.planes, colour, strict=True):
            plane[cover > 0] = (value * shade)[cover > 0]

    def expose(self, rows: slice, columns: slice) -> tuple[ByteArray, FloatArray]:
        """The colour camera's picture uint8 [h, w, 3] of those pixels of the thermal scene, and
        which of the colour pixels (x, y) is its first."""
        parts = [
            slice(int(part.start * self.zoom), int(np.ceil(part.stop * self.zoom)))
            for part in (rows, columns)
        ]
        picture = expose_colour(self.planes[:, parts[0], parts[1]], self.rng, self.config)
        return picture, np.array([parts[1].start, parts[0].start], np.float32)


def _roundness(tile: Tile) -> FloatArray:
    """Shading [H, W] of a thing that is round at its outline, its relief as its warmth has it."""
    cover = tile.cover
    depth = cv2.distanceTransform(np.pad(cover, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    rim = np.clip(depth / (0.12 * max(cover.shape)), 0, 1)
    warm = np.where(cover > 0, tile.temperature, 0)
    near = cv2.GaussianBlur(warm, (0, 0), max(0.03 * max(cover.shape), 0.6))
    share = cv2.GaussianBlur(cover, (0, 0), max(0.03 * max(cover.shape), 0.6))
    relief = (warm - near / np.maximum(share, 1e-3)) * cover
    spread = float(relief.std()) + 1e-3
    shade = (0.55 + 0.45 * np.sqrt(rim)) * (1 + 0.2 * np.clip(relief / spread, -1.5, 1.5))
    return np.asarray(0.7 * shade, np.float32)
