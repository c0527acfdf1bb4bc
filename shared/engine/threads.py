"""Threads of a poll."""

import contextvars
import threading
from typing import Any, Callable


def thread(work: Callable[[], Any]) -> threading.Thread:
    """A daemon thread, to be started, that belongs to the same poll as its creator (shared/engine/log.py)."""
    return threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
