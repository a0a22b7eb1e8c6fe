"""The report's plots, as SVG: they print sharply and shrink to a phone.

A series is a candidate; a colour stays with it through a whole report.
"""

import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from service.entities import FloatArray
from training.evaluation.calibration import Claims
from training.evaluation.sections import Plot
from training.metrics import FAILURE_LIMITS

# Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_BANDS = {
    "|yaw|, degrees": np.arange(0, 100, 10),
    "face size, pixels": 2.0 ** np.arange(3, 9.5, 0.5),
}
_FEWEST = 8  # faces in a band, or it is not drawn
Series = Mapping[str, FloatArray]  # by the candidate's label


def cumulative_errors(title: str, errors: Series, end: float = 0.2) -> Plot:
    """Share of faces at or below an error. errors: `[N]`, nan left out, inf never reached."""
    figure, axes = new_figure(title, "error / sqrt(w * h)", "share of faces")
    for colour, (label, values) in zip(colours(errors), errors.items(), strict=True):
        values = np.sort(values[~np.isnan(values)])
        share = np.arange(1, len(values) + 1) / max(len(values), 1)
        values, share = values[values < end], share[values < end]
        last = share[-1] if len(share) else 0.0
        steps = np.array([0, *values, end]), np.array([0, *share, last])
        axes.step(*steps, where="post", label=label, color=colour)
    for limit in FAILURE_LIMITS:
        axes.axvline(limit, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, end), ylim=(0, 1))
    return as_plot(figure, axes, title)


def error_by(quantity: str, values: FloatArray, errors: Series) -> Plot:
    """Median and 90th percentile of the errors in bands of a quantity (a key of `_BANDS`)."""
    edges, title = _BANDS[quantity], f"Error by {quantity.split(',')[0]}"
    figure, axes = new_figure(title, quantity, "error / sqrt(w * h)")
    for colour, (label, of_face) in zip(colours(errors), errors.items(), strict=True):
        rows = []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            chosen = of_face[(values >= low) & (values < high) & ~np.isnan(of_face)]
            if len(chosen) >= _FEWEST:
                rows.append(((low + high) / 2, np.median(chosen), np.percentile(chosen, 90)))
        middle, median, p90 = np.array(rows).reshape(-1, 3).T
        axes.plot(middle, median, "o-", markersize=4, label=label, color=colour)
        axes.plot(middle, p90, "--", linewidth=1, color=colour)
    if quantity.startswith("face size"):
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_ylim(bottom=0)
    return as_plot(figure, axes, f"{title}: median (solid) and 90th percentile (dashed)")


def calibration(claims: Mapping[str, Claims]) -> Plot:
    """Mean error of points against the sigma they came with; on the line, sigma says what is."""
    title = "Does sigma say the error?"
    figure, axes = new_figure(title, "sigma / sqrt(w * h)", "error / sqrt(w * h)")
    all_ends = []
    for colour, (label, said) in zip(colours(claims), claims.items(), strict=True):
        bins = said.by_sigma()
        axes.plot(bins.said, bins.measured, "o-", markersize=4, label=label, color=colour)
        axes.plot(bins.said, bins.median, ":", linewidth=1, color=colour)
        all_ends += [*bins.said, *bins.measured, *bins.median]
    if all_ends:
        ends = (max(min(all_ends), 1e-4) / 1.2, max(all_ends) * 1.2)
        axes.plot(ends, ends, color="0.6", linewidth=0.8)
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:.3g}")
            axis.set_minor_formatter(NullFormatter())
    caption = (
        f"{title} Bins of equal count: mean error (dots), median (dotted), and where error and"
        " sigma are equal (grey)"
    )
    return as_plot(figure, axes, caption)


def score_and_error(claims: Mapping[str, Claims]) -> Plot:
    """Errors of points by their score."""
    title = "Does the score tell good points from bad?"
    figure, axes = new_figure(title, "score", "error / sqrt(w * h)")
    for colour, (label, said) in zip(colours(claims), claims.items(), strict=True):
        bins = said.by_score()
        axes.plot(bins.said, bins.median, "o-", markersize=4, label=label, color=colour)
        axes.plot(bins.said, bins.p90, "--", linewidth=1, color=colour)
    axes.set_ylim(bottom=0)
    caption = f"{title} Median (solid) and 90th percentile (dashed) of the error"
    return as_plot(figure, axes, caption)


def precision_recall(title: str, curves: Mapping[str, tuple[FloatArray, FloatArray]]) -> Plot:
    """curves: recall and precision `[D]` by candidate."""
    figure, axes = new_figure(title, "recall", "precision")
    for colour, (label, (recall, precision)) in zip(colours(curves), curves.items(), strict=True):
        axes.plot(recall, precision, label=label, color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    return as_plot(figure, axes, title)


def colours(series: Mapping[str, object]) -> Sequence[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(len(series))]


def new_figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    # Figures of their own, without pyplot: no global state, and no window system.
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def as_plot(figure: Figure, axes: Axes, caption: str) -> Plot:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", frameon=False)
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "report"}):  # the same plot, the same bytes
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
    return Plot(caption, file.getvalue())
