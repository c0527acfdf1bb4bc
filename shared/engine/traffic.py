"""How many requests a poll sends, and what it does meanwhile for whoever watches it."""

import contextvars
import threading
from typing import Any, Callable, Optional

# Called by any of the poll's threads with the kind of news ("scopes", "page", "calls", "retry", "done"), the name of
# the scope ("" before there are any) and facts. It must return at once. Last comes "answers", from the thread that
# called the handler: the outcome of every scope (shared/engine/gather.py: Answer), also where the handler then fails.
Watch = Callable[..., None]

# The name of the scope that a thread works for; threads are started in a copy of the context of their starter.
scope_name: contextvars.ContextVar[str] = contextvars.ContextVar("scope_name", default="")


class Traffic:
    """How many requests were sent, and how many of them were retries. Thread-safe."""

    def __init__(self, watch: Optional[Watch] = None) -> None:
        self._lock = threading.Lock()
        self._watch = watch
        self.calls = 0
        self.retries = 0

    def count(self, *, retry: bool = False) -> None:
        with self._lock:
            self.calls += 1
            self.retries += retry
        if self._watch:
            self._watch("calls", scope_name.get(), calls=self.calls, retry=retry)

    def news(self, kind: str, **facts: Any) -> None:
        """Tell who watches."""
        if self._watch:
            self._watch(kind, scope_name.get(), **facts)
