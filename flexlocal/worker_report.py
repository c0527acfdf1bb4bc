"""What a worker says: a line for each poll in words, or everything as events (flexlocal/worker_events.py)."""

import threading
from typing import Any, Optional, TextIO

from flexlocal import terminal
from flexlocal.poll_report import in_words, row_of, time_text
from flexlocal.poll_task import COMPLETE, FAILED, GIVEN_UP, Result, Task
from flexlocal.worker_events import Events, about, poll_id
from inventory.errors import InventoryError


def id_of(task: Task) -> str:
    claim = task.claim
    assert claim is not None  # noqa: S101 - a worker polls nothing that it has not claimed
    return poll_id(*claim.key, claim.attempt)


class Report:
    """``words``: where lines in words go; None: everything is an event. Thread-safe."""

    def __init__(self, events: Events, words: Optional[TextIO]):
        self._events, self._words = events, words
        self._lock = threading.Lock()
        self._trouble = False

    def claimed(self, task: Task) -> None:
        claim = task.claim
        assert claim is not None  # noqa: S101 - it was claimed
        late_s = (claim.claimed_at - claim.due_at).total_seconds()
        self._about(task, "claimed", due_at=time_text(claim.due_at), late_s=round(late_s, 1))

    def ended(self, result: Result) -> None:
        with self._lock:
            if self._words:
                if result.error:
                    terminal.say(f"{result.task.label}: {result.error}")
                if result.trace and terminal.verbose:
                    for line in result.trace.splitlines():
                        terminal.say(line)
                line = f"{time_text(result.ended_at)} {result.task.label}: {in_words(result)}"
                self._words.write(f"{line}\n")
                self._words.flush()
        level = {COMPLETE: "info", FAILED: "error"}.get(result.outcome, "warning")
        facts = {
            **row_of(result),
            "seconds": round(result.seconds, 3),
            "run": result.run,
            "trace": result.trace,
        }
        self._about(
            result.task, "ended", level, calls=result.calls, retries=result.retries, **facts
        )

    def gave_up(self, task: Task, seconds: float) -> None:
        text = "given up; nothing of this poll is stored"
        if self._words:
            terminal.say(f"{task.label}: {text}")
        facts = {"outcome": GIVEN_UP, "seconds": round(seconds, 3), "error": text}
        self._about(task, "ended", "warning", **facts)

    def note(self, event: str, text: str, level: str = "info") -> None:
        """Something that a person should know, about no poll."""
        if self._words:
            terminal.say(text)
        self._events(event, level, message=text)

    def trouble(self, error: Optional[InventoryError]) -> None:
        """That nothing can be claimed, and that it can again: once each."""
        if error is not None and not self._trouble:
            self.note("trouble", f"nothing can be claimed now: {error}", "error")
        if error is None and self._trouble:
            self.note("well", "the inventory can be reached again")
        self._trouble = error is not None

    def _about(self, task: Task, event: str, level: str = "info", **facts: Any) -> None:
        claim = task.claim
        assert claim is not None  # noqa: S101 - it was claimed
        names = ("account", "provider", "family", "handler", "attempt")
        with about(id_of(task)):
            self._events(event, level, **{**{key: getattr(claim, key) for key in names}, **facts})
