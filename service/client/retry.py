"""When to try again: exponential backoff with full jitter.

Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Without jitter,
all cameras of a service that comes back would return in the same moment.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from service.client.errors import ClientError

_APART_S: Final = 0.5  # cameras that a service has sent on, at most


@dataclass(frozen=True)
class Retry:
    """attempts: that may fail in a row, 1 or more; None: without end.

    first_s, longest_s: the longest wait after the first failure, which doubles with each further
    one, and its limit.
    """

    attempts: int | None = 8
    first_s: float = 0.2
    longest_s: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts is not None and self.attempts < 1:
            raise ValueError("attempts must be 1 or more, or None")
        if not 0 < self.first_s <= self.longest_s:
            raise ValueError("first_s must be above 0 and at most longest_s")


class Backoff:
    """Of one call or stream. `draw(low, high)`: a random number between them."""

    def __init__(
        self, retry: Retry, draw: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._retry = retry
        self._draw = draw
        self._failed = 0

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self._failed = 0

    def scatter(self) -> float:
        """Seconds until the next connection when the service has ended the last one in good order,
        as it does with all of its cameras in the same moment."""
        return self._draw(0.0, min(_APART_S, self._retry.longest_s))

    def wait(self, error: ClientError) -> float:
        """Seconds until the next attempt; raises `error` if there is none."""
        self._failed += 1
        attempts = self._retry.attempts
        if not error.passing or (attempts is not None and self._failed >= attempts):
            raise error
        doublings = min(self._failed - 1, 30)  # a float does not hold them all
        longest = min(self._retry.longest_s, self._retry.first_s * 2**doublings)
        # What the service asks for is the least; the jitter keeps those it asked apart.
        return error.retry_after_s + self._draw(0.0, longest)
