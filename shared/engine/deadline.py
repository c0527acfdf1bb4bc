"""The time that a poll has, and what is left of it."""

import time
from typing import Callable, Optional

from shared.engine.errors import OutOfTime


class Deadline:
    """A moment, ``seconds`` from now, after which the poll is of no use to anybody."""

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
        """Raise OutOfTime if there is no time left for what is about to be done."""
        if not self.remaining():
            raise OutOfTime(f"no time left for {doing} (deadline {self.seconds:g} s)")

    def timeout(self, longest: float) -> float:
        """The time-out of one call: ``longest``, or what is left where that is less.

        Never zero, which sockets take for "do not block".
        """
        return max(0.001, min(longest, self.remaining()))
