"""The log of a poll: one event a line, ``key=value``, secrets masked.

Each line is a record of the standard logging module; nflex's Logger puts its header in front of it. In
production (``context.module_id``) it goes to the CMP logs API, many lines in one call; elsewhere it is
printed. What libraries log during a poll takes the same way, so that nothing of it goes out unmasked.
A log that can't be written never fails a poll.
"""

import contextlib
import logging
import queue
import threading
from datetime import datetime, timezone
from typing import Any, Optional

from nflex_connector_utils import Logger

from shared.engine.masking import Masker, visible

# What one call to the logs API carries: far below the 1 MB that HTTP servers usually take.
LINES = 100
CHARACTERS = 200_000
LONGEST_LINE = 20_000
SEND_S = 10.0  # the runtime's client has no time-out of its own


class Log:
    """``info``, ``warn`` and ``error``, each with an event's name and its fields.

    ``with log:`` is the time of the poll: as long, what libraries log (from WARNING on) is in it as well,
    and at its end all is sent. Safe to share by threads; lines of one that outlives the poll are dropped.
    """

    def __init__(self, context: Any, event: Any, mask: Masker):
        event = event if isinstance(event, dict) else {}
        resource = event.get("resource")
        self.mask = mask
        self._sender = _Sender(context)
        logger = Logger(
            self._sender,
            customer_id=event.get("customer_id", ""),
            account_id=event.get("account_id", ""),
            resource_id=resource.get("id") if isinstance(resource, dict) else None,
        )
        self.handler = _Handler(logger, mask)
        self._records = logging.Logger("poll", logging.INFO)
        self._records.addHandler(self.handler)

    def __enter__(self) -> "Log":
        _libraries.begin(self)
        return self

    def __exit__(self, *_: Any) -> None:
        _libraries.end(self)
        self._sender.close()

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warn(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: "dict[str, Any]") -> None:
        try:
            words = [event, *(f"{name}={self._value(value)}" for name, value in fields.items())]
        except Exception as error:  # of a value's __str__
            words = [event, f"error={type(error).__name__}"]
        self._records.log(level, "%s", " ".join(words))

    def _value(self, value: Any) -> str:
        text = f"{value:.1f}" if isinstance(value, float) else str(value)
        text = _one_line(self.mask(text))  # masked first: a secret may have several lines
        return f'"{text}"' if " " in text or not text else text


def _one_line(text: str) -> str:
    return visible(text.replace("\r", " ").replace("\n", " "))


def _say(line: str) -> None:
    with contextlib.suppress(Exception):  # there is nobody left to tell
        print(line)


class _Handler(logging.Handler):
    """From a record of the standard logging module to a line of nflex's Logger, masked."""

    def __init__(self, logger: Logger, mask: Masker):
        super().__init__()
        self._logger = logger
        self._mask = mask

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the lock of logging's own: what sends the lines may log, too."""
        try:
            line = _one_line(self._mask(self.format(record)))  # format adds the traceback
            if len(line) > LONGEST_LINE:
                line = f"{line[:LONGEST_LINE]} ... ({len(line) - LONGEST_LINE} more characters)"
            getattr(self._logger, _severity(record.levelno))(line)
        except Exception as error:
            _say(f"warn\tthe log could not be written: {type(error).__name__}")
        return True


def _severity(level: int) -> str:
    if level >= logging.ERROR:
        return "error"
    return "warn" if level >= logging.WARNING else "info"


# --- what libraries log -----------------------------------------------------------------------------


class _Libraries(logging.Handler):
    """The root logger's only handler while polls run: gives them what libraries log.

    The runtime runs one poll at a time. Where several run in one process, nobody can tell whose a
    library's line is: it goes to the one that began last, without the secrets of any.
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
            self._logs = [each for each in self._logs if each is not log]
            if not self._logs:
                root.handlers[:], level = self._before
                root.setLevel(level)

    def handle(self, record: logging.LogRecord) -> bool:
        logs = self._logs
        if logs:
            try:
                text = f"{record.name}: {self.format(record)}"
            except Exception as error:  # its arguments do not fit: they may be anything
                text = f"{record.name}: {type(error).__name__} in {record.module}:{record.lineno}"
            for each in logs:
                text = each.mask(text)
            told = logging.LogRecord(record.name, record.levelno, "", 0, "%s", (text,), None)
            logs[-1].handler.handle(told)
        return True


_libraries = _Libraries()


# --- the CMP logs API -------------------------------------------------------------------------------


class _Sender:
    """The runtime's context as nflex's Logger sees it: its ``log`` collects, to send many lines at once.

    An entry is what flexer's own ``context.log`` posts, one a call, to ``/logs``, which takes a list.
    What can't be sent is printed, and so are all lines after it: the runtime answers what was printed.
    """

    def __init__(self, context: Any):
        self.module_id = getattr(context, "module_id", None)  # None or missing: Logger prints
        self._context = context
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
                full = self._taken()
        self._send(full)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            left = self._taken()
        self._send(left)

    def _taken(self) -> "list[dict[str, str]]":
        entries, self._entries, self._characters = self._entries, [], 0
        return entries

    def _send(self, entries: "list[dict[str, str]]") -> None:
        if not entries:
            return
        if self._works:
            wrong = self._within(entries)
            if wrong is None:
                return
            self._works = False
            _say(
                f"warn\tthe CMP logs API did not take the log ({wrong}); it is printed from here on"
            )
        for entry in entries:
            _say(f"{entry['severity'].lower()}\t{entry['message']}")

    def _within(self, entries: "list[dict[str, str]]") -> Optional[str]:
        """Post in a thread, so as to give up on an API that hangs; what went wrong, or None."""
        done: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()

        def work() -> None:
            try:
                done.put(self._post(entries))
            except BaseException as error:
                done.put(type(error).__name__)  # its text may hold the platform's own token

        threading.Thread(target=work, daemon=True).start()
        try:
            return done.get(timeout=SEND_S)
        except queue.Empty:
            return f"no answer in {SEND_S:g} s"

    def _post(self, entries: "list[dict[str, str]]") -> Optional[str]:
        api = getattr(self._context, "api", None)
        if api is None:  # not flexer's context
            worst = max(entries, key=lambda each: _WORSE.index(each["severity"]))["severity"]
            text = "\n".join(entry["message"] for entry in entries)
            self._context.log(text, worst.lower())
            return None
        status = api.post("/logs", entries).status_code
        return None if 200 <= status < 300 else f"HTTP {status}"


_WORSE = ("INFO", "WARN", "ERROR")
