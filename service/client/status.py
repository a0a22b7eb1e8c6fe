"""The status line: what the last second brought."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from service.client.answers import Answer

_KEPT: Final = 100_000  # latencies, for the last line's percentiles: of half an hour at least


@dataclass
class Tally:
    """Counts over some time. latencies: seconds, of answered frames."""

    latencies: list[float] = field(default_factory=list)
    answered: int = 0
    dropped: int = 0
    failed: int = 0
    faces: int = 0
    events: set[str] = field(default_factory=set)

    def add(self, answer: Answer) -> None:
        if len(self.latencies) >= _KEPT:
            del self.latencies[: _KEPT // 2]
        self.latencies.append(answer.latency_s)
        self.answered += 1
        self.dropped += answer.dropped
        self.failed += answer.error is not None
        self.faces += len(answer.faces)
        self.events |= answer.events

    def line(self, seconds: float) -> str:
        """For humans. seconds: how long it was counted."""
        parts = [f"{self.answered / max(seconds, 1e-9):.1f} frames/s"]
        if self.latencies:
            median, high = 1000 * np.percentile(self.latencies, (50, 95))
            parts.append(f"latency {median:.0f} ms (p95 {high:.0f})")
            parts.append(f"faces {self.faces / self.answered:.1f} a frame")
        parts.append(f"dropped {self.dropped}")
        if self.failed:
            parts.append(f"errors {self.failed}")
        return ", ".join([*parts, *sorted(self.events)])
