"""How many bytes of callers' images may be in memory at once, all doors together."""

from types import TracebackType
from typing import Self

from service.errors import Overloaded
from service.telemetry import Telemetry


class Memory:
    """At most `limit` bytes, claimed as they arrive."""

    def __init__(self, limit: int, telemetry: Telemetry) -> None:
        self._limit = limit
        self._telemetry = telemetry
        self.claimed = 0

    def claim(self) -> "Claim":
        """A claim of nothing yet, to be used as a context."""
        return Claim(self)

    def change(self, count: int) -> None:
        """Claim `count` bytes more, or fewer. Overloaded, and no change, if they are not free."""
        if count > 0 and self.claimed + count > self._limit:
            self._telemetry.rejected.labels("memory").inc()
            raise Overloaded("too many bytes are waiting to be worked on")
        self.claimed += count


class Claim:
    """What one caller holds; given back when the context ends."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.bytes = 0

    def add(self, count: int) -> None:
        """Hold `count` bytes more: Overloaded if they are not free."""
        self._memory.change(count)
        self.bytes += count

    def release(self, count: int) -> None:
        """Hold `count` bytes less."""
        self._memory.change(-count)
        self.bytes -= count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release(self.bytes)
