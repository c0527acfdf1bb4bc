"""Output on the terminal: a command's result goes to stdout; log, progress and errors go to stderr.

A provider's text may contain characters that control the terminal or hide others: they are shown escaped, in JSON
with JSON's own escapes.
"""

import io
import json
import os
import re
import sys
import threading
from typing import Any

from shared.engine.masking import visible

# The engine logs an error before it raises it; the command line shows the raised error, so not the log line too.
_SHOWN_AS_ERROR = re.compile(r"error\tTarget\([^()]*\): failed error=")

_lock = threading.Lock()
_progress_is_open = False  # the progress line has no newline yet


def prepare() -> None:
    """Escape characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print a line on stderr, below the progress."""
    global _progress_is_open
    with _lock:
        before = "\n" if _progress_is_open else ""
        _progress_is_open = False
        print(before + line_of(line), file=sys.stderr, flush=True)


def line_of(text: str) -> str:
    """The text as one printable line; tabs stay."""
    return "\t".join(map(visible, text.split("\t")))


def progress(family: str, percentage: int) -> None:
    """Show the percentage in place of the last one."""
    global _progress_is_open
    with _lock:
        done = percentage >= 100
        end = "\n" if done else ""
        print(f"\r{family}: {percentage:3d} %", end=end, file=sys.stderr, flush=True)
        _progress_is_open = not done


def as_json(value: Any) -> str:
    """JSON on one line; characters are only escaped if stdout can't show them."""
    text = visible(
        json.dumps(value, ensure_ascii=False), lambda character: json.dumps(character)[1:-1]
    )
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


class Output(io.TextIOBase):
    """Replaces stdout while a handler runs: what it prints goes to stderr, line by line."""

    def __init__(self) -> None:
        self._begun: dict[int, str] = {}  # thread -> text without a newline yet

    def write(self, text: str) -> int:
        thread = threading.get_ident()
        *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
        if rest:
            self._begun[thread] = rest
        for line in lines:
            if not _SHOWN_AS_ERROR.match(line):
                say(line)
        return len(text)


def closed() -> None:
    """The reader (head, less) is gone: write nothing more, not even when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
