"""Things are drawn on small tiles in unit coordinates and pasted into a scene at any size."""

import copy
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike

from service.entities import FloatArray
from training.synthesis.fields import image_noise

SHIFT = 4  # fractional bits of OpenCV's polygon coordinates
MARGIN = 1.08  # a tile shows a little more than -1 to 1, so that outlines end inside it
NOTHING = -500.0  # degrees Celsius: nothing was drawn here
_ANGLES = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


@dataclass(frozen=True)
class Patch:
    """The part of a scene that something was pasted into, and its cover [h, w], 0 to 1."""

    rows: slice
    columns: slice
    cover: FloatArray


NO_PATCH = Patch(slice(0, 0), slice(0, 0), np.zeros((0, 0), np.float32))


class Tile:
    """A thing in unit coordinates: x right, y down, -1 to 1 over the longer side.

    temperature: float32 [H, W] Celsius, far below `NOTHING` where nothing was drawn.
    """

    def __init__(self, side: int, aspect: float = 1.0, coloured: bool = False) -> None:
        """side: pixels of the longer side; aspect: width / height; coloured: what is drawn also
        takes the colour `brush` (linear R, G, B) on `colour` [H, W, 3]."""
        self.half = np.array([min(1.0, aspect), min(1.0, 1 / aspect)])
        width, height = (max(2, round(side * half)) for half in self.half)
        self.temperature = np.full((height, width), 2 * NOTHING, np.float32)
        self.scale = side / 2 / MARGIN  # pixels of one unit
        self.coloured, self.brush = coloured, np.zeros(3, np.float32)
        self.colour = np.zeros((height, width, 3) if coloured else (0, 0, 3), np.float32)

    @property
    def cover(self) -> FloatArray:
        """float32 [H, W]: 1 where something was drawn, else 0."""
        return (self.temperature > NOTHING).astype(np.float32)

    def polygon(self, points: ArrayLike, value: float) -> None:
        """points: [P, 2]."""
        height, width = self.temperature.shape
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        corners = (np.asarray(points) * self.scale + middle) * 2**SHIFT + 0.5
        cv2.fillPoly(self.temperature, [corners.astype(np.int32)], float(value), shift=SHIFT)
        if self.coloured:
            cv2.fillPoly(self.colour, [corners.astype(np.int32)], self.brush.tolist(), shift=SHIFT)

    def box(self, x1: float, y1: float, x2: float, y2: float, value: float) -> None:
        self.polygon([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], value)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, value: float, angle: float = 0.0
    ) -> None:
        """angle in radians."""
        c, s = np.cos(angle), np.sin(angle)
        self.polygon(_CIRCLE @ np.array([[rx * c, rx * s], [-ry * s, ry * c]]) + (x, y), value)

    def limb(
        self, start: tuple[float, float], end: tuple[float, float], r0: float, r1: float,
        value: float, end_value: float | None = None,
    ) -> None:  # fmt: skip
        """A round bar from `start` to `end`, `r0` to `r1` thick (half), cooling along its way."""
        a, b = np.asarray(start), np.asarray(end)
        steps = 1 if end_value is None else 3
        cooling = 0.0 if end_value is None else end_value - value
        for i in range(steps):
            f, g = i / steps, (i + 1) / steps
            near, far = a + (b - a) * f, a + (b - a) * g
            radii = r0 + (r1 - r0) * f, r0 + (r1 - r0) * g
            self._bar(near, far, *radii, value + cooling * (f + g) / 2)

    def _bar(self, a: FloatArray, b: FloatArray, r0: float, r1: float, value: float) -> None:
        turn = np.arctan2(b[1] - a[1], b[0] - a[0])
        c, s = np.cos(turn), np.sin(turn)
        around = _CIRCLE[::2] @ np.array([[c, s], [-s, c]])
        forward = _CIRCLE[::2, 0] > 0
        self.polygon(np.where(forward[:, None], b + r1 * around, a + r0 * around), value)

    def grid(self) -> tuple[FloatArray, FloatArray]:
        """Unit coordinates x [1, W] and y [H, 1] of the pixels."""
        height, width = self.temperature.shape
        x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / self.scale
        y = (np.arange(height, dtype=np.float32) - (height - 1) / 2) / self.scale
        return x[None].astype(np.float32), y[:, None].astype(np.float32)

    def add(self, field: FloatArray) -> None:
        """Add a field of kelvin [H, W] (or one that broadcasts to it)."""
        self.temperature = np.asarray(self.temperature + field, np.float32)

    def mottle(self, kelvin: float, cells: float, rng: np.random.Generator) -> None:
        height, width = self.temperature.shape
        self.add(np.float32(kelvin) * image_noise(height, width, cells, rng))

    def soften(self, sigma: float) -> None:
        """Blur the temperatures inside (sigma in units); the outline stays sharp."""
        pixels, cover = max(sigma * self.scale, 0.3), self.cover
        total = cv2.GaussianBlur(self.temperature * cover, (0, 0), pixels)
        share = cv2.GaussianBlur(cover, (0, 0), pixels)
        soft = np.where(cover > 0, total / np.maximum(share, 1e-3), 2 * NOTHING)
        self.temperature = soft.astype(np.float32)

    def mirror(self) -> None:
        self.temperature = np.ascontiguousarray(self.temperature[:, ::-1])
        self.colour = np.ascontiguousarray(self.colour[:, ::-1])

    def showing(self, field: FloatArray) -> "Tile":
        """A tile of the same outline with other values [H, W]."""
        twin = copy.copy(self)
        twin.temperature = np.where(self.cover > 0, field, 2 * NOTHING).astype(np.float32)
        return twin


def put(
    scene: FloatArray, tile: Tile, centre: tuple[float, float], size: float, angle: float = 0.0
) -> Patch:
    """Paste into `scene` [H, W], in place. size: pixels of two units (the longer side)."""
    height, width = scene.shape
    zoom, tile_cover = size / 2 / tile.scale, tile.cover
    rows, columns = tile_cover.shape
    c, s = np.cos(angle), np.sin(angle)
    reach = np.array(
        [columns * abs(c) + rows * abs(s), columns * abs(s) + rows * abs(c)]
    ) * zoom / 2 + 1  # fmt: skip
    x1, y1 = (max(0, int(centre[i] - reach[i])) for i in (0, 1))
    x2 = min(width, int(centre[0] + reach[0]) + 1)
    y2 = min(height, int(centre[1] + reach[1]) + 1)
    if x2 <= x1 or y2 <= y1:
        return NO_PATCH
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0]]) * zoom
    matrix[:, 2] = np.array(centre) - [x1, y1] - matrix[:, :2] @ middle
    flags = cv2.INTER_LINEAR
    warm, cover = (cv2.warpAffine(i, matrix, (x2 - x1, y2 - y1), flags=flags)
                   for i in (tile.temperature * tile_cover, tile_cover))  # fmt: skip
    place = scene[y1:y2, x1:x2]
    place[:] = warm + (1 - cover) * place
    return Patch(slice(y1, y2), slice(x1, x2), np.asarray(cover, np.float32))
