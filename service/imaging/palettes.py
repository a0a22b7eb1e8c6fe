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
        "00001e", "20007a", "5a009e", "8e00a4", "b4088a", "d02262", "e84438", "f2660e",
        "fc900a", "ffb600", "ffd61e", "fff072", "fffff8",
    ),
    "iron": ("00000a", "91009c", "e64616", "feb400", "fffff6"),
    "lava": ("000000", "0b2a4a", "1c4f63", "5a1f55", "a01030", "d83a10", "f58a18", "ffd860",
             "ffffff"),
    "rainbow": (
        "01034a", "002472", "0042a1", "0061d3", "0485ca", "2ba158", "80c10e", "cfd602",
        "f6c60b", "ff6e24", "fa1b41", "f9576a", "ffe9d0",
    ),
    "spectrum": ("0000ff", "00ffff", "00ff00", "ffff00", "ff0000"),
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
    "hsv-rainbow": cv2.COLORMAP_RAINBOW,  # red is cold, violet hot
}

_FAR: Final = 60.0  # distances beyond this are all alike: overlays must not decide
# Mean distances above which no palette is believed. Versions of one palette differ by 20 to 30
# before bending; photographs are farther from every palette, or spread about any curve.
_FAR_FROM_PALETTE: Final = 32.0
_FAR_FROM_CURVE: Final = 20.0
_GOOD_FIT: Final = 2.0  # mean distance below which a palette needs no bending
_SMOOTHNESS: Final = (60, 60, 40, 40, 28, 28, 20, 20, 14, 14, 10)  # of its passes, in steps
_SAMPLES: Final = 600
_CELL_BITS: Final = 5  # a lookup cell's bits a channel
_REACH: Final = 4.0  # steps that the refinement within a cell may go


@dataclass(frozen=True)
class Fit:
    """The palette that explains a picture best.

    curve: float32 `[256, 3]`, its colours (blue, green, red) from cold to hot, bent to the picture.
    before, after: mean distance of the picture's colours to the palette before it was bent, and
        to the curve, in 8-bit units, each distance counted as 60 at most.
    """

    name: str
    curve: FloatArray
    before: float
    after: float

    @property
    def believable(self) -> bool:
        """Whether the picture's colours lie near a palette, and along one line at all."""
        return self.before <= _FAR_FROM_PALETTE and self.after <= _FAR_FROM_CURVE


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
    # An odd step does not fall on the same few columns of every row.
    sample = flat[:: max(1, len(flat) // _SAMPLES) | 1].astype(np.float32)
    names = list(palette_tables())
    # Every other colour of every palette: distances within a palette are what is compared.
    colours = np.concatenate([table[::2] for table in palette_tables().values()])
    nearest = _squares(sample, colours).reshape(len(sample), len(names), -1).min(axis=2)
    distances = np.sqrt(np.minimum(nearest, _FAR**2)).mean(axis=0)
    name = names[int(distances.argmin())]
    curve = _bend(palette_tables()[name], sample)
    left = np.sqrt(np.minimum(_squares(sample, curve).min(axis=1), _FAR**2))
    return Fit(name, curve, float(distances.min()), float(left.mean()))


def invert_palette(picture: ByteArray, curve: FloatArray) -> FloatArray:
    """A picture `[H, W, 3]` uint8 (blue, green, red) to the grey it was made of.

    curve: of a `Fit`. Returns float32 `[H, W]`, 0 (cold end) to 255 (hot end), in fractions of a
    step: the place of the nearest point on the curve.
    """
    shift = 8 - _CELL_BITS
    cells = (picture >> shift).astype(np.int32)
    code = (cells[:, :, 0] << 2 * _CELL_BITS) | (cells[:, :, 1] << _CELL_BITS) | cells[:, :, 2]
    index = _lookup_table(curve, code)[code]
    # A cell is some steps wide: go on along the curve from the cell's own answer.
    tangent = np.gradient(curve, axis=0)
    slopes = tangent / np.maximum((tangent * tangent).sum(axis=1, keepdims=True), 1e-3)
    step = np.zeros(index.shape, np.float32)
    for channel in range(3):
        difference = picture[:, :, channel] - curve[:, channel][index]
        step += difference * slopes[:, channel][index]
    grey: FloatArray = np.clip(index + np.clip(step, -_REACH, _REACH), 0.0, 255.0)
    return grey


def _squares(colours: FloatArray, table: FloatArray) -> FloatArray:
    """Squared distance of each of the colours `[N, 3]` to each of the table's `[M, 3]`."""
    # Not by matrix product: for three columns its worker threads cost more than they save.
    squares: FloatArray = np.zeros((len(colours), len(table)), np.float32)
    for channel in range(3):
        difference = np.subtract.outer(colours[:, channel], table[:, channel])
        difference *= difference
        squares += difference
    return squares


def _bend(table: FloatArray, sample: FloatArray) -> FloatArray:
    """The palette `[256, 3]` moved towards the colours that are there.

    Makers' versions of a palette differ by tens of steps of colour. Where a picture's colours run
    beside the curve, nearest points jump between its arms; so the curve goes to them instead, as a
    whole at first and then in finer parts, as a principal curve does.
    """
    for smoothness in _SMOOTHNESS:
        squares = _squares(sample, table)
        index = squares.argmin(axis=1)
        smallest = squares[np.arange(len(sample)), index]
        near = smallest < _FAR**2
        if np.sqrt(smallest[near]).sum() <= _GOOD_FIT * near.sum():
            break
        index, offsets = index[near], (sample - table[index])[near]
        # Four columns: the sums of the offsets' channels, and how many there are.
        sums = np.zeros((256, 4), np.float32)
        np.add.at(sums, index, np.append(offsets, np.ones((len(index), 1), np.float32), axis=1))
        sums = np.asarray(cv2.GaussianBlur(sums, (1, 0), 0, sigmaY=float(smoothness)), np.float32)
        table = table + sums[:, :3] / (sums[:, 3:] + 0.1)
    return table


def _lookup_table(table: FloatArray, codes: NDArray[np.int32]) -> NDArray[np.intp]:
    """Index of the nearest colour for the middle of each cell of colours among the codes."""
    side = 2**_CELL_BITS
    present = np.flatnonzero(np.bincount(codes.reshape(-1), minlength=side**3))
    channels = [present >> 2 * _CELL_BITS, (present >> _CELL_BITS) % side, present % side]
    middles = (np.stack(channels, axis=1).astype(np.float32) + 0.5) * (256 / side) - 0.5
    out = np.zeros(side**3, np.intp)
    out[present] = _squares(middles, table).argmin(axis=1)
    return out
