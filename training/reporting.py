"""What a run tells: TensorBoard scalars, and one line every few steps or a progress bar."""

import sys
import time
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch.utils.tensorboard import SummaryWriter

from training.schedule import Progress as RunProgress

SHOWN = ("learning_rate", "gradient_norm", "data_wait")  # shown beside the losses, in this order


class RunReporter:
    """Collects each step's scalars; every `log_every` steps writes their means.

    On a terminal a bar shows them; elsewhere a line is printed. Silent unless `active`, so that
    one process of several speaks.
    """

    def __init__(
        self, folder: Path, progress: RunProgress, log_every: int, *, active: bool = True
    ) -> None:
        self._writer = SummaryWriter(str(folder)) if active else None
        self._progress, self._log_every = progress, log_every
        self._sums: dict[str, float] = {}
        self._steps, self._since = 0, time.monotonic()
        self._bar: Progress | None = None
        if active and sys.stdout.isatty():
            columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            self._bar = Progress(*columns, console=Console())
            self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()
        if self._writer:
            self._writer.close()

    def step(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        if self._steps >= self._log_every:
            self._flush(step)

    def figures(self, step: int, figures: dict[str, float], prefix: str = "val") -> None:
        """Validation figures, at once."""
        if self._writer is None:
            return
        for name, value in figures.items():
            self._writer.add_scalar(f"{prefix}/{name}", value, step)
        self._writer.flush()
        text = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        self._say(f"step {step}  {prefix}: {text}")

    def _flush(self, step: int) -> None:
        now = time.monotonic()
        means = {name: value / self._steps for name, value in self._sums.items()}
        means["steps_per_second"] = self._steps / max(now - self._since, 1e-9)
        self._sums, self._steps, self._since = {}, 0, now
        if self._writer is None:
            return
        for name, value in means.items():
            self._writer.add_scalar(f"train/{name}", value, step)
        done = self._progress.at(step)
        losses = "  ".join(f"{k} {v:.4f}" for k, v in means.items() if k not in SHOWN)
        rest = "  ".join(f"{k} {means[k]:.2g}" for k in SHOWN if k in means)
        text = f"{done:6.1%}  step {step}  {losses}  {rest}"
        if self._bar:
            self._bar.update(self._task, completed=done, description=text)
        else:
            self._say(text)

    def _say(self, text: str) -> None:
        if self._bar:
            self._bar.console.print(text, highlight=False)
        else:
            print(text, flush=True)
