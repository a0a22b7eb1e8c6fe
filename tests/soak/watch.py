"""What the service holds: its process from outside, and its metrics."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from scipy.stats import linregress

WARM_UP: Final = 0.2  # of the time: pools and allocators are still growing
_BLOCKS: Final = 20


@dataclass(frozen=True)
class Sample:
    """at: seconds. rss: MiB. files: open file descriptors, sockets among them."""

    at: float
    rss: float
    threads: int
    files: int


@dataclass(frozen=True)
class Slope:
    """MiB an hour, and its standard error."""

    value: float
    error: float


def sample(pid: int) -> Sample:
    """The process now."""
    process = Path(f"/proc/{pid}")
    status = (process / "status").read_text()
    rss, threads = (re.search(rf"{key}:\s+(\d+)", status) for key in ("VmRSS", "Threads"))
    assert rss and threads
    files = sum(1 for _ in (process / "fd").iterdir())
    return Sample(time.monotonic(), int(rss[1]) / 1024, int(threads[1]), files)


async def watch(pid: int, every: float, samples: list[Sample]) -> None:
    """Into `samples`, until cancelled."""
    while True:
        samples.append(sample(pid))
        await asyncio.sleep(every)


def after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[int(WARM_UP * len(samples)) :]


def memory_slope(samples: Sequence[Sample]) -> Slope:
    """Least squares after the warm-up, over the means of `_BLOCKS` equal parts: neighbouring
    samples are alike, and would make the error look smaller than it is."""
    blocks = np.array_split([(s.at, s.rss) for s in after_warm_up(samples)], _BLOCKS)
    at, rss = np.array([block.mean(axis=0) for block in blocks]).T
    fit = linregress(at / 3600, rss)
    return Slope(float(fit.slope), float(fit.stderr))


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = text_string_to_metric_families(text)
        self._samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> int:
        """Sum of `thermal_stream_<name>` over the series with these labels. KeyError for none."""
        found = [
            sample.value
            for sample in self._samples
            if sample.name == f"thermal_stream_{name}" and labels.items() <= sample.labels.items()
        ]
        if not found:
            raise KeyError(name, labels)
        return int(sum(found))

    def by(self, label: str, name: str) -> dict[str, int]:
        """`thermal_stream_<name>` by the values of `label`, without zeros."""
        return {
            sample.labels[label]: int(sample.value)
            for sample in self._samples
            if sample.name == f"thermal_stream_{name}" and sample.value
        }
