"""Output on the terminal: a command's result goes to stdout; log, progress and errors go to stderr.

A provider's text may contain characters that control the terminal or hide others: they are shown escaped, in JSON
with JSON's own escapes.
"""

import io
import json
import os
import re
import shutil
import sys
import textwrap
import threading
import time
import traceback
from typing import Any, TextIO

# The engine logs an error before it raises it; the command line shows the raised error, so not the log line too.
_SHOWN_AS_ERROR = re.compile(r"error\tTarget\([^()]*\): failed error=")
_BUG = re.compile(r"error\tTarget\([^()]*\): bug trace=")

verbose = False  # -v: show the log to a person too, and tracebacks
_lock = threading.Lock()
_progress_is_open = False  # the progress line has no newline yet


def _forked() -> None:
    """Another thread may have had the lock when the process was forked."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)


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
        print(before + folded(line_of(line), sys.stderr), file=sys.stderr, flush=True)


def say_trace(of: str) -> None:
    """Below the error that is handled now, a bug: with -v where it comes from, else that -v shows it."""
    if verbose:
        for line in traceback.format_exc().splitlines():
            say(line)
    else:
        say(f"This is an error of {of} itself: -v shows where, for a report.")


def folded(line: str, out: TextIO, indent: str = "") -> str:
    """The line, folded between words where a terminal would fold it within them. The indent goes before each line."""
    width = shutil.get_terminal_size().columns
    if len(indent + line) <= width or not out.isatty():
        return indent + line
    return "\n".join(
        textwrap.wrap(
            line,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            expand_tabs=False,
            replace_whitespace=False,
        )
    )


def line_of(text: str) -> str:
    """The text as one printable line; tabs stay."""
    return "\t".join(map(_visible, text.split("\t")))


def _visible(text: str) -> str:
    from shared.engine.masking import visible  # takes a while, which --version can do without

    return visible(text)


def interrupted(what: str = "") -> None:
    """Say that a person ended the command, and what that means."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)  # the ^C that the terminal shows
    say(f"flexlocal: {what or 'interrupted'}")


class Progress:
    """The state of a poll on one line, which replaces itself; what a person should know of has a line of its own.

    Its methods are called from all threads of a poll.
    """

    EVERY_S = 0.1  # a person reads no faster

    def __init__(self, family: str):
        self._family = family
        self._scopes = 0
        self._calls = 0
        self._pages: dict[str, int] = {}
        self._records: dict[str, int] = {}
        self._done: set[str] = set()
        self._shown_at = 0.0

    def percentage(self, number: int) -> None:
        """What the engine reports to the platform; scopes say the same in more detail."""

    def watch(self, kind: str, scope: str, **facts: Any) -> None:
        """See shared/engine/traffic.py."""
        scope = _visible(scope)
        if kind == "retry":
            erase_progress()
            where = f"{scope}: " if scope else ""
            say(
                f"{where}{facts['why']}, retry {facts['number']} of {facts['of']} "
                f"in {facts['seconds']:.2g} s"
            )
        elif kind == "scopes":
            self._scopes = facts["count"]
        elif kind == "calls":
            self._calls = facts["calls"]
        elif kind == "page":
            self._pages[scope], self._records[scope] = facts["pages"], facts["records"]
        elif kind == "done":
            self._done.add(scope)
        now = time.monotonic()
        if now - self._shown_at >= self.EVERY_S or kind == "done":
            self._shown_at = now
            _replace(self._line(scope))

    def _line(self, scope: str) -> str:
        if not self._scopes:
            return f"{self._family}: log in, {self._calls} calls"
        pages, records = (sum(list(each.values())) for each in (self._pages, self._records))
        line = f"{self._family}: {len(self._done)} of {self._scopes} scopes, {pages} pages, "
        line += f"{records} records, {self._calls} calls"
        return line if len(self._done) >= self._scopes or not scope else f"{line} ({scope})"


def _replace(line: str) -> None:
    """Show the line in place of the last one, cut at the width of the terminal."""
    global _progress_is_open
    width = shutil.get_terminal_size().columns
    with _lock:
        print(f"\r{line[: width - 1]}\x1b[K", end="", file=sys.stderr, flush=True)
        _progress_is_open = True


def erase_progress() -> None:
    """What follows takes the place of the progress."""
    global _progress_is_open
    with _lock:
        if _progress_is_open:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        _progress_is_open = False


def end_progress() -> None:
    """What follows begins on a line of its own."""
    global _progress_is_open
    with _lock:
        if _progress_is_open:
            print(file=sys.stderr, flush=True)
        _progress_is_open = False


def as_json(value: Any) -> str:
    """JSON on one line; characters are only escaped if stdout can't show them."""
    from shared.engine.masking import visible

    text = visible(
        json.dumps(value, ensure_ascii=False), lambda character: json.dumps(character)[1:-1]
    )
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _hidden(line: str) -> bool:
    """Whether a log line is not for who reads stderr: errors come at the end, and a person has the progress."""
    quiet = sys.stderr.isatty() and line.startswith("info\t")
    return quiet or bool(_SHOWN_AS_ERROR.match(line) or _BUG.match(line))


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
            if verbose or not _hidden(line):
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
