"""What a soak does, and when."""

from dataclasses import dataclass
from typing import Final

STALLED: Final = "soak-stalled"  # the request's id of the stream that nobody reads


@dataclass(frozen=True)
class Plan:
    """seconds: of streaming. fps: frames a second of each camera.

    freeze_every, freeze_for: frames; in each such time a picture stands still once, and one frame
    is cut short. kill_every: seconds. deadline: seconds a frame may take.
    """

    seconds: float = 1800.0
    streams: int = 8
    fps: float = 3.0
    freeze_every: int = 60
    freeze_for: int = 6
    kill_every: float = 15.0
    answers_before_kill: int = 5
    deadline: float = 10.0

    @property
    def frames(self) -> int:
        """Of each camera."""
        return max(1, round(self.seconds * self.fps))
