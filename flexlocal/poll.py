"""``flexlocal poll``: polls accounts and stores what they have in the inventory, once or again and again."""

import contextlib
import dataclasses
import datetime
import fnmatch
import math
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Optional, TextIO, Union

from flexlocal import (
    accounts,
    cassettes,
    inventories,
    options,
    poll_snapshots,
    poll_workers,
    results,
    show,
    terminal,
)
from flexlocal.account import AccountsError
from flexlocal.families import families
from flexlocal.options import BadUsage
from flexlocal.poll_task import (
    COMPLETE,
    FAILED,
    GIVEN_UP,
    HANDLERS,
    PARTIAL,
    POINTS,
    Result,
    Store,
    Task,
    poll,
)
from shared.engine import poll as engine

if TYPE_CHECKING:
    from inventory.model import Snapshot

FAILED_STATUS = 1
INTERRUPTED = 130
KEPT_S = 300.0  # for which credentials are used, at most, before they are read anew
# what the summary has of each poll
_KEYS = (
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


def poll_accounts(args: SimpleNamespace) -> int:
    snapshots = _snapshots(args)
    tasks = _tasks(args, snapshots[1])
    grace = options.seconds(args.grace, "--grace", least=0)
    view = results.view(args)
    if args.every is not None and view.format not in (None, "table", "ndjson"):
        raise BadUsage(f"--every writes lines: choose --format ndjson instead of {view.format}")
    view.check(_columns(tasks, view), _KEYS)
    resolve = _Credentials(tasks)
    resolve.ask()
    replays = any(task.account.demo for task in tasks)
    events: Any = queue.SimpleQueue()
    report = _Report(tasks, sys.stdout, args.every is not None, view.format == "ndjson")
    with inventories.opened(args.inventory, create=True) as inventory:
        store = Store(inventory)
        # a replay takes the place of all connections of the process: nothing may run beside it
        count = 1 if replays else min(args.workers, len({task.source for task in tasks}))
        with (
            contextlib.redirect_stdout(terminal.Output()),
            poll_workers.stopped_by_signals(events),
        ):
            workers = poll_workers.Workers(
                lambda task: poll(task, store, report.watch(task), resolve), count, events
            )
            try:
                if args.every is None:
                    ended = poll_workers.once(tasks, workers, events, report.add)
                else:
                    schedule = poll_snapshots.Schedule(store, tasks, *snapshots, report.taken)

                    def ends(result: Result) -> None:
                        report.add(result)
                        schedule.ended(result, workers.at_rest)

                    poll_workers.again_and_again(
                        tasks, workers, events, ends, report.late, changing=schedule.changing
                    )
                    ended = False
                if not ended:
                    report.stopping(workers.running, grace)
                    report.give_up(
                        poll_workers.finish(
                            workers, store, events, report.add, grace, time.monotonic
                        )
                    )
            finally:
                terminal.erase_progress()
        report.summary(inventory.address, view)
    if args.every is None and not ended:
        return INTERRUPTED
    if args.every is not None:
        return FAILED_STATUS if report.gave_up else 0
    return 0 if report.all_complete else FAILED_STATUS


# --- what is polled -------------------------------------------------------------------------------


def _snapshots(args: SimpleNamespace) -> tuple[Optional[int], Optional[int]]:
    """How often a snapshot is taken, and how often while a change window is open."""
    found: list[Optional[int]] = []
    for option in ("--snapshot-every", "--window-every"):
        text = getattr(args, option[2:].replace("-", "_"))
        if text is not None and args.every is None:
            raise BadUsage(f"{option} needs --every; once, it is flexlocal snapshot take")
        if text is not None and args.handlers and "get" not in args.handlers:
            raise BadUsage(f"{option} needs polls of resources: add --handler get")
        found.append(None if text is None else options.seconds(text, option))
    return found[0], found[1]


def _tasks(args: SimpleNamespace, window_s: Optional[int] = None) -> list[Task]:
    """In the order of accounts, families and handlers. Raises BadUsage if there are none."""
    if args.workers < 1:
        raise BadUsage(f"--workers {args.workers} should be 1 or more")
    if args.once and args.every is not None:
        raise BadUsage("--once and --every exclude each other")
    intervals = _intervals(args)
    known = families()
    for name in args.families:
        if name not in known:
            raise options.unknown("family", name, known)
    given = dict(options.pair(text, "--option") for text in args.options)
    given = {key: options.json_or_text(text) for key, text in given.items()}
    chosen = _accounts(args)
    if args.later and not any(each.demo and cassettes.has_later(each.provider) for each in chosen):
        raise options.no_later(", ".join(each.name for each in chosen))
    providers = sorted({provider for cells in known.values() for provider in cells})
    for account in chosen:
        if account.provider not in providers:
            raise options.unknown("cell of provider", account.provider, providers)
    tasks = [
        Task(
            account,
            family,
            handler,
            given,
            tuple(args.scopes),
            every,
            args.later,
            window_s if handler == "get" and window_s and every and window_s < every else None,
        )
        for account in chosen
        for family, cells in known.items()
        if account.provider in cells and (not args.families or family in args.families)
        for handler, every in intervals.items()
        if _has(cells[account.provider], handler)
    ]
    if not tasks:
        raise BadUsage(
            f"no account has {' or '.join(intervals)} of {' or '.join(args.families) or 'a family'}; "
            "see flexlocal families, and docs/reference/cells.md"
        )
    return tasks


def _has(cell: str, handler: str) -> bool:
    """Whether there is anything to poll: not every cell has status, metrics or logs."""
    return handler == "get" or getattr(engine.load_cell(cell), POINTS[handler]) is not None


def _accounts(args: SimpleNamespace) -> list[accounts.Account]:
    known = accounts.load(args.accounts)
    if not args.account:
        own = [account for account in known.values() if not account.demo]
        if not own:
            raise BadUsage(
                "there is no account of your own yet (see docs/operate/accounts.md); "
                "--account 'demo-*' polls the demo accounts"
            )
        return own
    chosen: set[str] = set()
    for pattern in args.account:
        matching = [pattern] if pattern in known else fnmatch.filter(known, pattern)
        if not matching:
            raise options.unknown("account", pattern, sorted(known))
        chosen.update(matching)
    return [account for name, account in known.items() if name in chosen]


def _intervals(args: SimpleNamespace) -> dict[str, Optional[int]]:
    """The handlers that are polled, and how often; None: once."""
    for name in args.handlers:
        if name not in HANDLERS:
            raise options.unknown("handler", name, HANDLERS)
    every = None if args.every is None else options.seconds(args.every, "--every")
    chosen: dict[str, Optional[int]] = dict.fromkeys(args.handlers or ["get"], every)
    for handler, what in POINTS.items():
        text = getattr(args, f"{what}_every")
        if text is not None:
            if every is None:
                raise BadUsage(f"--{what}-every needs --every; once, it is --handler {handler}")
            chosen[handler] = options.seconds(text, f"--{what}-every")
    return {handler: chosen[handler] for handler in HANDLERS if handler in chosen}


class _Credentials:
    """Gives an account its credentials. They are read once for the polls of the account that run one after another.

    A ``secret_command`` may take half a minute and log in to a store of secrets: so what it printed, or that it failed, is
    used for five minutes, or half of the shortest interval if that is less. It is kept in memory only, until it is
    read anew. What a person typed is kept as long as the process runs.
    """

    def __init__(self, tasks: Sequence[Task], clock: Callable[[], float] = time.monotonic):
        self._accounts = {task.account.name: task.account for task in tasks}
        self._clock = clock
        self._kept_s = min([KEPT_S, *(task.every_s / 2 for task in tasks if task.every_s)])
        self._typed: dict[str, accounts.Account] = {}
        # of polls of one account that begin together, one reads and the others wait for it
        self._locks = {name: threading.Lock() for name in self._accounts}
        self._read: dict[str, tuple[float, Union[accounts.Account, AccountsError]]] = {}

    def ask(self) -> None:
        """Ask for what a person has to type."""
        for name, account in self._accounts.items():
            if accounts.asks(account):
                self._typed[name] = accounts.resolved(account)

    def __call__(self, account: accounts.Account) -> accounts.Account:
        """Raises AccountsError."""
        if account.name in self._typed:
            return self._typed[account.name]
        with self._locks[account.name]:
            until, found = self._read.get(account.name, (-math.inf, account))
            if self._clock() >= until:
                try:
                    found = accounts.resolved(account)
                except AccountsError as error:
                    found = error
                self._read[account.name] = (self._clock() + self._kept_s, found)
        if isinstance(found, AccountsError):
            raise found
        return found


# --- what is shown --------------------------------------------------------------------------------


class _Report:
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
            line = f"{_time(result.ended_at)} {result.task.label}: {_in_words(result)}"
            self._out.write(f"{terminal.as_json(_row(result)) if self._as_json else line}\n")
            self._out.flush()

    def taken(self, snapshot: "Snapshot") -> None:
        terminal.erase_progress()
        row = {"snapshot": snapshot.label, "resources": snapshot.resources}
        line = (
            f"{_time(snapshot.taken_at)} snapshot {snapshot.label}: {snapshot.resources} resources"
        )
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
        rows = [_row(self._last[task]) for task in self._tasks if task in self._last]
        outcomes = Counter(row["outcome"] for row in rows)
        words = [f"{outcomes[each]} {each}" for each in _OUTCOMES if outcomes[each]]
        if not_begun := len(self._tasks) - len(rows):
            words.append(f"{not_begun} not begun")
        count = len(self._tasks)
        footer = f"{count} poll{'s' * (count != 1)}: {', '.join(words)}; stored in {address}"
        view.show_rows(rows, _columns(self._tasks, view), self._out, footer)


def _columns(tasks: Sequence[Task], view: results.View) -> list[show.Column]:
    columns = show.columns_of([dict.fromkeys(_KEYS)])
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


def _row(result: Result) -> dict[str, Any]:
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
        _time(result.ended_at),
        result.error,
    )
    return dict(zip(_KEYS, values))


def _time(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _in_words(result: Result) -> str:
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
