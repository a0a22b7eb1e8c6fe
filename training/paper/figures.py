"""Figures 4 and 5 of the paper, with our lines beside the paper's, as SVG."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from service.entities import FloatArray
from training.evaluation.plots import as_plot, colours, new_figure
from training.evaluation.sections import Plot
from training.paper.published import figures, published
from training.paper.speed import Latency

# Columns of Table II, and what the paper calls the machines in Figure 4
DEVICES: Final = {
    "i7_11700": "i7-11700",
    "i9_14900kf": "i9-14900KF",
    "gtx1660ti": "GTX 1660 Ti",
    "rtx4090": "RTX 4090",
    "agx_orin": "AGX Orin",
}


def speed_by_size(measured: Sequence[Latency]) -> Plot:
    """Figure 4: frames a second, on a logarithmic scale, over millions of parameters."""
    figure, axes = new_figure("Speed by size", "parameters, millions", "frames a second")
    rows = published(2)
    sizes = [float(row["params_m"]) for row in rows]
    lines = {
        f"{name} (paper)": (sizes, [figures(row, (f"{device}_fps",))[0] for row in rows])
        for device, name in DEVICES.items()
    }
    own = sorted(measured, key=lambda latency: latency.parameters)
    lines["one core here"] = (
        [latency.parameters / 1e6 for latency in own],
        [1000 / latency.milliseconds for latency in own],
    )
    for colour, (label, (x, y)) in zip(colours(lines), lines.items(), strict=True):
        dashes = "o-" if label == "one core here" else "s--"
        axes.plot(x, y, dashes, markersize=4, linewidth=1.2, label=label, color=colour)
    slowest = min(min(y) for _, y in lines.values())
    axes.set(yscale="log", ylim=(slowest / 8, None))  # room for the names
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    caption = (
        "Figure 4: speed by parameters, logarithmic scale. The paper's machines (dashed, Table II)"
        " and one core of this machine with ONNX Runtime (solid); all with the detector"
    )
    return as_plot(figure, axes, caption)


def gradient_norms(norms: Mapping[str, FloatArray], seed: int) -> Plot:
    """Figure 5. norms: by arm, of each early step `[T]`, of one seed."""
    figure, axes = new_figure("Gradient norms, early steps", "step", "gradient norm")
    for colour, (label, values) in zip(colours(norms), norms.items(), strict=True):
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, linewidth=0.9, alpha=0.85, label=label, color=colour)
    axes.set_ylim(bottom=0)
    caption = f"Figure 5: gradient norms (L2, before clipping) of the early steps, seed {seed}"
    return as_plot(figure, axes, caption)
