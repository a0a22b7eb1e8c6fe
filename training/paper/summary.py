"""From errors of faces to figures of tables: subsets, means over seeds, and who is better.

Pure numpy and scipy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.entities import FloatArray
from training.evaluation.groups import WITHIN, Groups

COLUMNS: Final = ("tfake", "high", "mean", "low", "front", "side", "full")
MIDDLE: Final = 0.15  # share by which a face may be larger or smaller than the median and be Mean
PROTOCOL: Final = (
    "NME-IO: over the distance of the outer eye corners, the paper's on T-FAKE, ours over the Front"
    " faces. The other columns: over the diagonal of the labels' box, the paper's on CHARLOTTE,"
    " which it parts at a width of 200 pixels and by its 73 or 43 marked points. The synthetic"
    f" twins: Mean = face size on the sensor, sqrt(w * h), within {MIDDLE:.0%} of the set's median,"
    f" High above, Low below; Front = |yaw| < {WITHIN:.0f} degrees, Side the others, all 68 points"
)


def synthetic_subsets(sizes: FloatArray, yaw: FloatArray) -> Groups:
    """The paper's subsets. sizes `[N]`: of faces on the sensor, pixels; yaw `[N]`, degrees."""
    middle = float(np.median(sizes))
    high, low = sizes > middle * (1 + MIDDLE), sizes < middle / (1 + MIDDLE)
    front = np.abs(yaw) < WITHIN
    return {
        "high": high,
        "mean": ~high & ~low,
        "low": low,
        "front": front,
        "side": ~front,
        "full": np.ones(len(sizes), bool),
    }


@dataclass(frozen=True)
class Errors:
    """One network on the held-out views: its NME-IO and its NME by the diagonal, `[N]` each, nan
    where no point counts."""

    io: FloatArray
    diagonal: FloatArray

    def column(self, name: str, subsets: Groups) -> float:
        """The mean of one of `COLUMNS`; nan for a subset of nobody."""
        values = self.faces(name, subsets)
        return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")

    def faces(self, name: str, subsets: Groups) -> FloatArray:
        """The errors behind it, one a face of the column's subset."""
        if name == "tfake":
            return self.io[subsets["front"]]
        return self.diagonal[subsets[name]]


@dataclass(frozen=True)
class Spread:
    """Over n seeds. deviation: the sample's (n - 1), nan for one seed."""

    mean: float
    deviation: float
    n: int


def spread(values: Sequence[float]) -> Spread:
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return Spread(float(np.mean(values)), deviation, len(values))


@dataclass(frozen=True)
class Comparison:
    """How much larger the errors of the first are than the second's; below 0, the first is better.

    differences: a seed. wins: seeds in which the first is better. p: of the paired t test over
    seeds, two-sided, nan for one seed. view_error: standard error of the mean difference that comes
    from the choice of views, which all seeds share.
    """

    differences: tuple[float, ...]
    wins: int
    p: float
    view_error: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.differences))


def compare(first: Sequence[FloatArray], second: Sequence[FloatArray]) -> Comparison:
    """first, second: errors of the same faces `[N]`, a seed each, in the same order of seeds.

    Raises ValueError where the numbers of seeds differ, or no face is known to both.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} seeds against {len(second)}")
    by_face = np.stack(first) - np.stack(second)
    by_face = by_face[:, ~np.isnan(by_face).any(axis=0)]
    if not by_face.size:
        raise ValueError("no face that both were measured on")
    by_seed: NDArray[np.float64] = by_face.mean(axis=1, dtype=np.float64)
    faces = by_face.mean(axis=0, dtype=np.float64)
    view_error = float(faces.std(ddof=1) / np.sqrt(len(faces))) if len(faces) > 1 else float("nan")
    return Comparison(
        differences=tuple(float(value) for value in by_seed),
        wins=int((by_seed < 0).sum()),
        p=_paired_test(by_seed),
        view_error=view_error,
    )


def _paired_test(differences: NDArray[np.float64]) -> float:
    """p of a mean of 0; nan for one difference, or for differences that are all the same."""
    if len(differences) < 2 or np.allclose(differences, differences[0], rtol=1e-9, atol=0):
        return float("nan")
    return float(stats.ttest_1samp(differences, 0.0).pvalue)
