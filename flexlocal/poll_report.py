"""What ``flexlocal poll`` and ``flexlocal worker`` say of each poll: lines, progress, and a summary."""

import dataclasses
import datetime
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, TextIO

from flexlocal import results, show, terminal
from flexlocal.poll_task import COMPLETE, FAILED, GIVEN_UP, PARTIAL, Result, Task

if TYPE_CHECKING:
    from inventory.model import Snapshot

# what the summary has of each poll
KEYS = (
    "account",
    "family",
    "handler",
    "outcome",
    "count",
    "added",
    "changed",
    "gone",
    "seconds",
    "ended_at",
    "error",
)
_OUTCOMES = (COMPLETE, PARTIAL, FAILED, GIVEN_UP)
_BUG = "This is an error of the connector itself: -v shows where, for a report."


class Report:
    """Progress, errors, and the summary. All but ``watch`` is called by the main thread."""

    def __init__(self, tasks: Sequence[Task], out: TextIO, one_line_each: bool, as_json: bool):
        self._tasks, self._out = tasks, out
        self._one_line_each, self._as_json = one_line_each, as_json
        self._last: dict[Task, Result] = {}
        self._ended = 0
        self.gave_up = False

    @property
    def all_complete(self) -> bool:
        return all(
            task in self._last and self._last[task].outcome == COMPLETE for task in self._tasks
        )

    def watch(self, task: Task) -> Optional[Callable[..., None]]:
        if not sys.stderr.isatty():
            return None
        return _Progress(task.label, lambda: f"{self._ended} of {len(self._tasks)} polls").watch

    def add(self, result: Result) -> None:
        self._last[result.task] = result
        self._ended = len(self._last)
        if result.error:
            terminal.erase_progress()
            terminal.say(f"{result.task.label}: {result.error}")
        if result.trace:
            for line in result.trace.splitlines() if terminal.verbose else (_BUG,):
                terminal.say(line)
        if self._one_line_each:
            terminal.erase_progress()
            line = f"{time_text(result.ended_at)} {result.task.label}: {in_words(result)}"
            self._out.write(f"{terminal.as_json(row_of(result)) if self._as_json else line}\n")
            self._out.flush()

    def taken(self, snapshot: "Snapshot") -> None:
        terminal.erase_progress()
        row = {"snapshot": snapshot.label, "resources": snapshot.resources}
        line = f"{time_text(snapshot.taken_at)} snapshot {snapshot.label}: {snapshot.resources} resources"
        self._out.write(f"{terminal.as_json(row) if self._as_json else line}\n")
        self._out.flush()

    def late(self, task: Task) -> None:
        terminal.say(f"{task.label}: the last poll has not ended yet; this one is left out")

    def stopping(self, running: Sequence[Task], grace: int) -> None:
        if sys.stderr.isatty():
            terminal.erase_progress()
            print(file=sys.stderr)  # the terminal shows ^C where the cursor was
        if running:
            names = ", ".join(task.label for task in running)
            terminal.say(
                f"stopping: {names} may end within {grace} s; a second signal stops at once"
            )

    def give_up(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            terminal.say(f"{task.label}: given up; nothing of this poll is stored")
            now = datetime.datetime.now(datetime.timezone.utc)
            self._last[task] = Result(task, GIVEN_UP, now, 0.0)
            self.gave_up = True

    def summary(self, address: str, view: results.View) -> None:
        """The last poll of each task."""
        if self._one_line_each and self._as_json:
            return
        rows = [row_of(self._last[task]) for task in self._tasks if task in self._last]
        outcomes = Counter(row["outcome"] for row in rows)
        words = [f"{outcomes[each]} {each}" for each in _OUTCOMES if outcomes[each]]
        if not_begun := len(self._tasks) - len(rows):
            words.append(f"{not_begun} not begun")
        count = len(self._tasks)
        footer = f"{count} poll{'s' * (count != 1)}: {', '.join(words)}; stored in {address}"
        view.show_rows(rows, columns_of(self._tasks, view), self._out, footer)


def columns_of(tasks: Sequence[Task], view: results.View) -> list[show.Column]:
    columns = show.columns_of([dict.fromkeys(KEYS)])
    if view.format not in (None, "table"):
        return columns
    of_resources = {task.handler for task in tasks} == {"get"}
    hidden = {"ENDED_AT", "ERROR", *(["HANDLER"] if of_resources else [])}
    return [
        dataclasses.replace(each, title="RESOURCES")
        if of_resources and each.title == "COUNT"
        else each
        for each in columns
        if each.title not in hidden
    ]


def row_of(result: Result) -> dict[str, Any]:
    values = (
        result.task.account.name,
        result.task.family,
        result.task.handler,
        result.outcome,
        result.count,
        result.added,
        result.changed,
        result.gone,
        round(result.seconds, 1),
        time_text(result.ended_at),
        result.error,
    )
    return dict(zip(KEYS, values))


def time_text(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def in_words(result: Result) -> str:
    words = [result.outcome]
    if result.count is not None:
        what = "resources" if result.task.handler == "get" else "points"
        words.append(f"{result.count} {what}")
    for name in ("added", "changed", "gone"):
        if getattr(result, name):
            words.append(f"{getattr(result, name)} {name}")
    return ", ".join([*words, f"{result.seconds:.1f} s"])


class _Progress(terminal.Progress):
    """One of several polls: the line says which, and how many have ended."""

    def __init__(self, label: str, ended: Callable[[], str]):
        super().__init__(label)
        self._label, self._ended_polls = label, ended

    def watch(self, kind: str, scope: str, **facts: Any) -> None:
        if kind == "retry":
            scope = f"{self._label} {scope}".strip()
        super().watch(kind, scope, **facts)

    def _line(self, scope: str) -> str:
        return f"{self._ended_polls()}; {super()._line(scope)}"
