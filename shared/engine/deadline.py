"""How long a poll may take, and how much of that is left."""

import time
from typing import Callable, Optional

from shared.engine.errors import OutOfTime


class Deadline:
    """The moment, ``seconds`` from now, at which the poll has to end."""

    def __init__(self, seconds: float, clock: Optional[Callable[[], float]] = None):
        self.seconds = seconds
        self._clock = clock or time.monotonic
        self._start = self._clock()

    def elapsed(self) -> float:
        """Seconds since the poll began."""
        return self._clock() - self._start

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.seconds - self.elapsed())

    def check(self, doing: str) -> None:
        """Raise OutOfTime if no time is left for the next step; ``doing`` names it in the message."""
        if not self.remaining():
            raise OutOfTime(f"no time left for {doing} (deadline {self.seconds:g} s)")

    def timeout(self, longest: float) -> float:
        """The time-out of one call: ``longest``, or the time left if that is less.

        Never zero, which would put a socket into non-blocking mode.
        """
        return max(0.001, min(longest, self.remaining()))
