"""How far the networks' own word on their errors can be trusted: sigma and score."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from service.entities import FloatArray

_BINS: Final = 10
_LEAST: Final = 1e-9  # of a face; a sigma of nothing at all is divided by, too
_IN_A_BIN: Final = 12  # values at least, or there are fewer bins


@dataclass(frozen=True)
class Binned:
    """Points in bins of equal count, by what the network says of them. said, measured: means `[B]`
    of that and of the errors; median, p90: of the errors `[B]`.

    Means and not root mean squares: sigma is the expected distance (`training.calibrate`).
    """

    said: FloatArray
    measured: FloatArray
    median: FloatArray
    p90: FloatArray


@dataclass(frozen=True)
class Claims:
    """Points of one set: measured errors and what the network says, `[P]`, none of them nan.

    errors, sigma: distances and expected ones, over sqrt(w * h) of the face. score: 0 to 1.
    """

    errors: FloatArray
    sigma: FloatArray
    score: FloatArray

    def by_sigma(self) -> Binned:
        return _binned(self.sigma, self.errors)

    def by_score(self) -> Binned:
        return _binned(self.score, self.errors)

    def figures(self) -> dict[str, float]:
        """ratio: mean error / mean sigma, 1 = of the right length at large. ence: mean over bins
        of |error - sigma| / sigma, 0 = right everywhere (after Levi et al., arXiv 1905.11659, who
        compare deviations; here both are means).
        rank_...: Spearman's correlation with the error, 1 for sigma and -1 for score at best.
        A rank is nan where all are equal, and all are with fewer than two bins' worth of points."""
        if len(self.errors) < 2 * _IN_A_BIN:
            names = ("ratio", "ence", "rank_sigma", "rank_score")
            return {"points": len(self.errors), **dict.fromkeys(names, float("nan"))}
        bins = self.by_sigma()
        return {
            "points": len(self.errors),
            "ratio": float(self.errors.mean() / (self.sigma.mean() + _LEAST)),
            "ence": float(np.mean(np.abs(bins.measured - bins.said) / (bins.said + _LEAST))),
            "rank_sigma": _rank_correlation(self.sigma, self.errors),
            "rank_score": _rank_correlation(self.score, self.errors),
        }


def claims(errors: FloatArray, sigma: FloatArray, score: FloatArray) -> Claims:
    """From arrays of any one shape; points whose error is nan are left out."""
    counted = ~np.isnan(errors)
    return Claims(errors[counted], sigma[counted], score[counted])


def _rank_correlation(said: FloatArray, errors: FloatArray) -> float:
    if np.ptp(said) == 0 or np.ptp(errors) == 0:
        return float("nan")
    return float(stats.spearmanr(said, errors).statistic)


def _binned(said: FloatArray, errors: FloatArray) -> Binned:
    order = np.argsort(said, kind="stable")
    count = max(1, min(_BINS, len(order) // _IN_A_BIN))
    parts = np.array_split(order, count) if len(order) else []
    return Binned(
        said=np.array([said[part].mean() for part in parts]),
        measured=np.array([errors[part].mean() for part in parts]),
        median=np.array([np.median(errors[part]) for part in parts]),
        p90=np.array([np.percentile(errors[part], 90) for part in parts]),
    )
