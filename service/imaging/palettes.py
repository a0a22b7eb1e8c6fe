"""Colour maps of thermal cameras, and the way back from colour to the grey they were made of."""

import functools
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.entities import ByteArray, FloatArray

# Cameras' own maps, cold to hot, as colours (red, green, blue) at equal steps. Makers' tables
# differ in small ways between models; the way back needs the curve's course only.
_STOPS: Final[dict[str, tuple[str, ...]]] = {
    "ironbow": (
        "00000a", "20006e", "560096", "91009c", "b5108a", "cf2f5c", "e64616", "f27405",
        "fa9500", "feb400", "ffd52e", "ffee88", "fffff6",
    ),
    "lava": ("000000", "0b2a4a", "1c4f63", "5a1f55", "a01030", "d83a10", "f58a18", "ffd860",
             "ffffff"),
    "rainbow": ("00004a", "0010b0", "0070ff", "00c8d0", "10c040", "90d818", "f0e000", "ff8c00",
                "f02020", "ff9090", "ffffff"),
    "rainbow-hc": ("000000", "e000e6", "0018a0", "00d8d0", "1e6000", "dcd000", "880008", "dc3c3c",
                   "ffffff"),
    "arctic": ("0a0a60", "0018ff", "00a8ff", "a8dce6", "788c96", "b47828", "f0961e", "ffd23c"),
}  # fmt: skip
_OPENCV: Final[dict[str, int]] = {
    "jet": cv2.COLORMAP_JET,
    "inferno": cv2.COLORMAP_INFERNO,
    "hot": cv2.COLORMAP_HOT,
    "magma": cv2.COLORMAP_MAGMA,
    "plasma": cv2.COLORMAP_PLASMA,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "parula": cv2.COLORMAP_PARULA,
    "bone": cv2.COLORMAP_BONE,
    "hsv-rainbow": cv2.COLORMAP_RAINBOW,  # red is cold, violet hot
}

_CELL_BITS: Final = 5  # a lookup cell's bits a channel: 2**18 cells
_REACH: Final = 4.0  # steps that the refinement within a cell may go
_FAR: Final = 60.0  # distances beyond this are all alike: overlays must not decide
_BAD_FIT: Final = 26.0  # mean distance in 8-bit colour above which no palette is believed
_SAMPLES: Final = 800


@dataclass(frozen=True)
class Fit:
    """The palette that explains a picture best.

    distance: mean over the picture's pixels of the distance to the palette's nearest colour, in
        8-bit units, each counted as 60 at most.
    """

    name: str
    distance: float

    @property
    def believable(self) -> bool:
        return self.distance <= _BAD_FIT


@functools.cache
def palette_tables() -> dict[str, FloatArray]:
    """Name to float32 `[256, 3]`: blue, green, red from cold to hot."""
    tables: dict[str, FloatArray] = {}
    steps: NDArray[np.float64] = np.linspace(0.0, 1.0, 256)
    for name, stops in _STOPS.items():
        rgb = np.array([list(bytes.fromhex(stop)) for stop in stops], np.float64)
        at = np.linspace(0.0, 1.0, len(stops))
        columns = [np.interp(steps, at, rgb[:, channel]) for channel in (2, 1, 0)]
        tables[name] = np.stack(columns, axis=1).astype(np.float32)
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    for name, code in _OPENCV.items():
        tables[name] = cv2.applyColorMap(ramp, code)[:, 0].astype(np.float32)
    # The "rainbow" of plotting tools: violet over green to red, by three waves.
    waves = np.cos(steps * np.pi / 2), np.sin(steps * np.pi), np.abs(2 * steps - 0.5)
    tables["wave-rainbow"] = (255 * np.clip(np.stack(waves, axis=1), 0, 1)).astype(np.float32)
    return tables


def best_palette(picture: ByteArray) -> Fit:
    """Which palette a colour picture `[H, W, 3]` uint8 (blue, green, red) was made with."""
    flat = picture.reshape(-1, 3)
    sample = flat[:: max(1, len(flat) // _SAMPLES) | 1].astype(np.float32)
    names = list(palette_tables())
    # Every other colour of every palette: distances within a palette are what is compared.
    colours = np.concatenate([table[::2] for table in palette_tables().values()])
    squares = sample @ (-2.0 * colours.T)
    squares += (colours * colours).sum(axis=1)
    nearest = squares.reshape(len(sample), len(names), -1).min(axis=2)
    nearest += (sample * sample).sum(axis=1, keepdims=True)
    distances = np.sqrt(np.clip(nearest, 0.0, _FAR**2)).mean(axis=0)
    best = int(distances.argmin())
    return Fit(names[best], float(distances[best]))


def invert_palette(picture: ByteArray, name: str) -> FloatArray:
    """A picture `[H, W, 3]` uint8 (blue, green, red) to the grey it was made of.

    Returns float32 `[H, W]`, 0 (cold end) to 255 (hot end), in fractions of a step: the place of
    the nearest point on the palette's curve.
    """
    table, slopes = palette_tables()[name], _slopes(name)
    shift = 8 - _CELL_BITS
    cells = (picture >> shift).astype(np.int32)
    code = (cells[:, :, 0] << 2 * _CELL_BITS) | (cells[:, :, 1] << _CELL_BITS) | cells[:, :, 2]
    index = _lookup_table(name)[code]
    # A cell is some steps wide: go on along the curve from the cell's own answer.
    step = np.zeros(index.shape, np.float32)
    for channel in range(3):
        difference = picture[:, :, channel] - table[:, channel][index]
        step += difference * slopes[:, channel][index]
    grey: FloatArray = np.clip(index + np.clip(step, -_REACH, _REACH), 0.0, 255.0)
    return grey


@functools.cache
def _lookup_table(name: str) -> ByteArray:
    """Index of the nearest colour for the middle of each cell of quantised blue, green, red."""
    side = 2**_CELL_BITS
    middles = (np.arange(side, dtype=np.float32) + 0.5) * (256 / side) - 0.5
    colours = palette_tables()[name]
    out = np.empty((side, side * side), np.uint8)
    green, red = (axis.reshape(-1) for axis in np.meshgrid(middles, middles, indexing="ij"))
    for i, blue in enumerate(middles):  # by slices: all at once would take 256 MB
        cells = np.stack([np.full_like(green, blue), green, red], axis=1)
        squares = cells @ (-2.0 * colours.T)
        squares += (colours * colours).sum(axis=1)
        out[i] = squares.argmin(axis=1)
    return out.reshape(-1)


@functools.cache
def _slopes(name: str) -> FloatArray:
    """`[256, 3]`: how far along the palette, in steps, one unit of each channel leads."""
    tangent = np.gradient(palette_tables()[name], axis=0)
    slopes = tangent / np.maximum((tangent * tangent).sum(axis=1, keepdims=True), 1e-3)
    as_float: FloatArray = slopes.astype(np.float32)
    return as_float
