"""Calls to a service in a region pause together when the service throttles one of them."""

import time

from shared.engine.network import Network


class Throttle:
    """Shared by the calls to a service in a region: while a throttled call waits for its retry, no other is sent."""

    def __init__(self, network: Network):
        self._network = network
        self._until = 0.0

    def hold(self, seconds: float) -> None:
        self._until = max(self._until, time.monotonic() + seconds)

    def wait(self) -> None:
        left = self._until - time.monotonic()
        if left > 0:
            self._network.pause(left)
