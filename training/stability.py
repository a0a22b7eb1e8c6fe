"""How steady a training starts: figures of its sequence of gradient norms. Pure numpy.

Source: MLCM-KD, section III.B, "Training Stability Analysis", and its Table V.
"""

from dataclasses import asdict, dataclass

import numpy as np

from service.entities import FloatArray

FEWEST = 3  # norms; a line fits any two


@dataclass(frozen=True)
class GradientStability:
    """std_dev: population standard deviation. cv_percent: 100 times that over the mean, nan if the
    mean is 0. mean_step_change: mean of |g[t + 1] - g[t]|. r2: of the least-squares line over the
    step, 0 to 1, nan if all norms are equal."""

    std_dev: float
    cv_percent: float
    mean_step_change: float
    r2: float

    def figures(self) -> dict[str, float]:
        return asdict(self)


def gradient_stability(norms: FloatArray) -> GradientStability:
    """norms: L2 norm of the gradient at each step `[T]`, in order.

    Raises ValueError for fewer than `FEWEST`, and for one that is negative or not finite.
    """
    g = np.asarray(norms, np.float64)
    if g.ndim != 1 or len(g) < FEWEST:
        raise ValueError(f"a sequence of at least {FEWEST} gradient norms, not shape {g.shape}")
    if not (np.isfinite(g) & (g >= 0)).all():
        raise ValueError("gradient norms must be finite and not negative")
    constant = bool(
        (g == g[0]).all()
    )  # told apart from rounding, which would have a line of its own
    std, mean = (0.0 if constant else float(g.std())), float(g.mean())
    return GradientStability(
        std_dev=std,
        cv_percent=100 * std / mean if mean > 0 else float("nan"),
        mean_step_change=float(np.abs(np.diff(g)).mean()),
        r2=float("nan") if constant else float(np.corrcoef(np.arange(len(g)), g)[0, 1] ** 2),
    )
