"""How many requests a poll sends."""

import threading


class Traffic:
    """How many requests were sent, and how many of them were retries. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = 0
        self.retries = 0

    def count(self, *, retry: bool = False) -> None:
        with self._lock:
            self.calls += 1
            self.retries += retry
