"""What a person sees: stdout has what a command gives, stderr the log, the progress and errors.

What comes from a provider may hold characters that a terminal acts upon, or that hide others: they are
shown escaped, in JSON by JSON's own escapes.
"""

import io
import json
import os
import re
import sys
import threading
from typing import Any

from shared.engine.masking import visible

# The engine logs an error that it raises, and the command line shows what was raised.
_SHOWN_AS_ERROR = re.compile(r"error\tTarget\([^()]*\): failed error=")

_lock = threading.Lock()
_progress_is_open = False  # the line of the progress has no end yet


def prepare() -> None:
    """Let no character that the terminal's encoding lacks end a command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """A line on stderr, below the progress."""
    global _progress_is_open
    with _lock:
        before = "\n" if _progress_is_open else ""
        _progress_is_open = False
        print(before + line_of(line), file=sys.stderr, flush=True)


def line_of(text: str) -> str:
    """The text as one line that can be shown; tabs stay."""
    return "\t".join(map(visible, text.split("\t")))


def progress(family: str, percentage: int) -> None:
    """The percentage, in the place of the last one."""
    global _progress_is_open
    with _lock:
        done = percentage >= 100
        end = "\n" if done else ""
        print(f"\r{family}: {percentage:3d} %", end=end, file=sys.stderr, flush=True)
        _progress_is_open = not done


def as_json(value: Any) -> str:
    """JSON in one line, in the characters' own script where stdout has it."""
    text = visible(json.dumps(value, ensure_ascii=False), lambda each: json.dumps(each)[1:-1])
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


class Said(io.TextIOBase):
    """In stdout's place while a handler runs: what it prints goes to stderr, line by line."""

    def __init__(self) -> None:
        self._begun: dict[int, str] = {}  # thread -> what has no line end yet

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
    """The reader (head, less) has seen enough: nothing more is written, also not at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
