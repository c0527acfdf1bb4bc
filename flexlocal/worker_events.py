"""What a worker does, as one JSON object a line: for a log store, with the id of the poll that it is about.

``{"at", "level", "event", "worker", "poll", ...}``. The poll's id is ``ACCOUNT/FAMILY/HANDLER/ATTEMPT``, those of its row in
the table of what is due: so it is known from the claim over all that the handler logs to what is stored. No text has
secrets: errors come masked (flexlocal/poll_task.py), and so does the handlers' log (shared/engine/log.py).
"""

import contextlib
import contextvars
import datetime
import io
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional, TextIO

from shared.engine.masking import visible

Count = Callable[[Mapping[str, Any]], None]

# Of the poll that a thread works for; threads of a poll are started in a copy of the context of their starter.
_poll: contextvars.ContextVar[Optional[str]] = contextvars.ContextVar("poll", default=None)
_TARGET = re.compile(r"(\w+)\t(?:Target\([^()]*\): )?")  # what nflex's Logger puts before a line
_LEVELS = {"warn": "warning", "exception": "error"}


@contextlib.contextmanager
def about(poll: str) -> Iterator[None]:
    """Within it, events of this thread, and of those that it starts for the poll, have the poll's id."""
    before = _poll.set(poll)
    try:
        yield
    finally:
        _poll.reset(before)


def poll_id(account: str, family: str, handler: str, attempt: int) -> str:
    return f"{account}/{family}/{handler}/{attempt}"


class Events:
    """Writes events to ``out``, if there is one, and passes each to ``count``. Thread-safe; a log that can't be written
    fails no poll."""

    def __init__(
        self,
        worker: str,
        out: Optional[TextIO],
        count: Count = lambda event: None,
        now: Callable[[], datetime.datetime] = lambda: datetime.datetime.now(datetime.timezone.utc),
    ):
        self._worker, self._out, self._count, self._now = worker, out, count, now
        self._lock = threading.Lock()

    def __call__(self, event: str, level: str = "info", **facts: Any) -> None:
        """Facts that are None are left out."""
        at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        row = {
            "at": at,
            "level": level,
            "event": event,
            "worker": self._worker,
            "poll": _poll.get(),
        }
        row = {key: each for key, each in {**row, **facts}.items() if each is not None}
        if self._out is not None:
            line = json.dumps(row, default=str, ensure_ascii=False)
            line = visible(line, lambda character: json.dumps(character)[1:-1])
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._out.write(line + "\n")
                self._out.flush()
        self._count(row)


class Lines(io.TextIOBase):
    """In the place of stdout: what a handler prints, which is its log, becomes events."""

    def __init__(self, events: Events):
        self._events = events
        self._begun: dict[int, str] = {}  # thread -> text without a newline yet

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
        if rest:
            self._begun[thread] = rest
        for line in filter(None, lines):
            found = _TARGET.match(line)
            level = found[1] if found else "info"
            message = line[found.end() :] if found else line
            self._events("log", _LEVELS.get(level, level), message=message)
        return len(text)


class Records(logging.Handler):
    """For the root logger: what libraries log outside of polls becomes events."""

    def __init__(self, events: Events):
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # the arguments do not match the format
            message = f"{type(error).__name__} in {record.module}:{record.lineno}"
        self._events("log", record.levelname.lower(), message=f"{record.name}: {message}")
