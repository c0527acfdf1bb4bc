"""Calls to one server slow down together when it throttles one of them."""

import threading
import time

from shared.engine.network import Network

FIRST_GAP_S = 0.05  # between two calls, after the first that was throttled
LONGEST_GAP_S = 2.0
RECOVERY = 0.95  # of the gap is left after each call
NO_GAP_S = 0.001
PATIENCE_S = 20.0  # without a served call, until one that is refused at all its attempts stands for all others


class Throttle:
    """Shared by all threads of a poll that call a server (at AWS: a service in a region).

    While a throttled call waits for its retry, no other call is sent. Afterwards the calls keep a gap between them,
    so that those that waited are not sent together: it doubles each time that calls are throttled, and shrinks with
    each call that is sent.

    A server that is down may refuse calls in the same words. If they all waited for one another through all of their
    attempts, the poll would last until its deadline before it fails; so the first to give up does so for all.
    """

    def __init__(self, network: Network):
        self._network = network
        self._lock = threading.Lock()
        self._next = 0.0  # when a call may be sent
        self._held_until = 0.0
        self._gap = 0.0
        self._served_at = time.monotonic()
        self.hopeless = False  # whether no refused call should be sent again

    def served(self) -> None:
        """A call was not throttled."""
        self._served_at = time.monotonic()
        self.hopeless = False

    def give_up(self) -> None:
        """A call was throttled, and won't be sent again."""
        self.hopeless = time.monotonic() - self._served_at > PATIENCE_S

    def hold(self, seconds: float) -> None:
        """A call was throttled, and may be sent again after this time."""
        with self._lock:
            now = time.monotonic()
            if now >= self._held_until:  # else it was under way when another was throttled
                first = min(FIRST_GAP_S, seconds / 10)
                self._gap = min(max(first, 2 * self._gap), LONGEST_GAP_S)
            self._held_until = max(self._held_until, now + seconds)
            self._next = max(self._next, self._held_until)

    def wait(self) -> None:
        """Until a call may be sent. Raises OutOfTime if the poll ends before."""
        now = time.monotonic()
        while True:
            with self._lock:
                now = max(now, time.monotonic())
                left = self._next - now
                if left <= 0:
                    self._next = now + self._gap
                    self._gap = self._gap * RECOVERY if self._gap > NO_GAP_S else 0.0
                    return
            self._network.pause(left)
            now += left
