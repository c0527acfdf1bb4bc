"""The log of a poll: one message per line, with fields as ``key=value`` and secrets masked.

Each line is a record of the standard logging module; nflex's Logger puts its header in front of it. In
production it goes to the CMP logs API, many lines in one call; elsewhere it is printed. What libraries log
during a poll goes the same way, so that it is masked too. A log that can't be written never fails a poll.
"""

import contextlib
import contextvars
import logging
import threading
from datetime import datetime, timezone
from typing import Any, Optional

from nflex_connector_utils import Logger

from shared.engine.event import Origin
from shared.engine.masking import Masker, visible
from shared.engine.runtime import Runtime

# What one call to the logs API carries at most: far below the 1 MB that HTTP servers usually accept.
LINES = 100
CHARACTERS = 200_000
LONGEST_LINE = 20_000


class Log:
    """``info``, ``warn`` and ``error``, each with a message and its fields.

    ``with log:`` surrounds the poll: inside it, the log also takes what libraries log (from WARNING on), and at
    its end everything is sent. Thread-safe; lines of a thread that outlives the poll are dropped.
    """

    def __init__(self, runtime: Runtime, origin: Origin, mask: Masker):
        self.mask = mask
        self._sender = _Sender(runtime)
        logger = Logger(
            self._sender,
            customer_id=_header(origin.customer_id, mask),
            account_id=_header(origin.account_id, mask),
            resource_id=_header(origin.resource_id, mask),
        )
        self.handler = _Handler(logger, mask)
        self._records = logging.Logger("poll", logging.INFO)
        self._records.addHandler(self.handler)

    def __enter__(self) -> "Log":
        _libraries.begin(self)
        self._before = _of_thread.set(self)
        return self

    def __exit__(self, *_: Any) -> None:
        _of_thread.reset(self._before)
        _libraries.end(self)
        self._sender.close()

    def info(self, text: str, /, **fields: Any) -> None:
        self._write(logging.INFO, text, fields)

    def warn(self, text: str, /, **fields: Any) -> None:
        self._write(logging.WARNING, text, fields)

    def error(self, text: str, /, **fields: Any) -> None:
        self._write(logging.ERROR, text, fields)

    def _write(self, level: int, text: str, fields: "dict[str, Any]") -> None:
        try:
            words = [text, *(f"{name}={self._value(value)}" for name, value in fields.items())]
        except Exception as error:  # raised by a value's __str__
            words = [text, f"error={type(error).__name__}"]
        self._records.log(level, "%s", " ".join(words))

    def _value(self, value: Any) -> str:
        text = f"{value:.1f}" if isinstance(value, float) else str(value)
        text = _one_line(self.mask(text))  # masked first: a secret may have several lines
        return f'"{text}"' if " " in text or not text else text


def _one_line(text: str) -> str:
    return visible(text.replace("\r", " ").replace("\n", " "))


def _header(value: Any, mask: Masker) -> Any:
    """A value of the header on one line, masked: events are not checked before they are logged."""
    try:
        return value and _one_line(mask(str(value)))
    except Exception as error:  # too many levels or digits to be shown
        return type(error).__name__


def _print(line: str) -> None:
    with contextlib.suppress(Exception):  # there is nowhere left to report it
        print(line)


class _Handler(logging.Handler):
    """Passes records of the standard logging module on to nflex's Logger, one masked line each."""

    def __init__(self, logger: Logger, mask: Masker):
        super().__init__()
        self._logger = logger
        self._mask = mask

    def handle(self, record: logging.LogRecord) -> bool:
        """Does not take logging's own lock: sending the lines may log, too."""
        try:
            line = _one_line(self._mask(self.format(record)))  # format adds the traceback
            if len(line) > LONGEST_LINE:
                line = f"{line[:LONGEST_LINE]} ... ({len(line) - LONGEST_LINE} more characters)"
            getattr(self._logger, _severity(record.levelno))(line)
        except Exception as error:
            _print(f"warn\tthe log could not be written: {type(error).__name__}")
        return True


def _severity(level: int) -> str:
    if level >= logging.ERROR:
        return "error"
    return "warn" if level >= logging.WARNING else "info"


# --- what libraries log -----------------------------------------------------------------------------


class _Libraries(logging.Handler):
    """The root logger's only handler while polls run: passes on to their logs what libraries log.

    The runtime runs one poll at a time. If several run in one process, a line belongs to the poll whose thread logs
    it, with the secrets of all of them masked. Where that is unknown, the line is dropped: another customer must not
    see it.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._changing = threading.Lock()
        self._logs: list[Log] = []
        self._before: tuple[list[logging.Handler], int] = ([], logging.WARNING)

    def begin(self, log: Log) -> None:
        root = logging.getLogger()
        with self._changing:
            if not self._logs:
                self._before = list(root.handlers), root.level
                root.handlers[:] = [self]
                root.setLevel(logging.WARNING)
            self._logs = [*self._logs, log]

    def end(self, log: Log) -> None:
        root = logging.getLogger()
        with self._changing:
            self._logs = [other for other in self._logs if other is not log]
            if not self._logs:
                root.handlers[:], level = self._before
                root.setLevel(level)

    def handle(self, record: logging.LogRecord) -> bool:
        logs = self._logs
        log = _of_thread.get() or (logs[0] if len(logs) == 1 else None)
        if log is not None and log in logs:  # not from a thread that outlives its poll
            try:
                text = f"{record.name}: {self.format(record)}"
            except Exception as error:  # the arguments do not match the format
                text = f"{record.name}: {type(error).__name__} in {record.module}:{record.lineno}"
            for other in logs:
                text = other.mask(text)
            masked = logging.LogRecord(record.name, record.levelno, "", 0, "%s", (text,), None)
            log.handler.handle(masked)
        return True


_libraries = _Libraries()
# The log of the poll that a thread works for. Threads of a poll are started in a copy of the context of their starter.
_of_thread: contextvars.ContextVar[Optional[Log]] = contextvars.ContextVar("log", default=None)


# --- the CMP logs API -------------------------------------------------------------------------------


class _Sender:
    """The context that nflex's Logger gets: its ``log`` collects lines, to send many at once.

    flexer's own ``context.log`` posts one entry per call to ``/logs``, which accepts a list of them. What can't
    be sent is printed, and so is every later line: the runtime's answer contains what was printed.
    """

    def __init__(self, runtime: Runtime):
        self.module_id = runtime.module_id  # None: Logger prints
        self._runtime = runtime
        self._lock = threading.Lock()
        self._entries: list[dict[str, str]] = []
        self._characters = 0
        self._works = True
        self._closed = False

    def log(self, message: str, severity: str) -> None:
        entry = {
            "message": message,
            "severity": severity.upper(),
            "service": "nflex.flexer",
            "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "resource_id": f"nflex-module-{self.module_id}",
        }
        full: list[dict[str, str]] = []
        with self._lock:
            if self._closed:
                return
            self._entries.append(entry)
            self._characters += len(message)
            if len(self._entries) >= LINES or self._characters >= CHARACTERS:
                full = self._take()
        self._send(full)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = self._take()
        self._send(left)

    def _take(self) -> "list[dict[str, str]]":
        entries, self._entries, self._characters = self._entries, [], 0
        return entries

    def _send(self, entries: "list[dict[str, str]]") -> None:
        if not entries:
            return
        if self._works:
            problem = self._runtime.send_log(entries)
            if problem is None:
                return
            self._works = False
            _print(
                f"warn\tthe CMP logs API did not take the log ({problem}); it is printed from here on"
            )
        for entry in entries:
            _print(f"{entry['severity'].lower()}\t{entry['message']}")
