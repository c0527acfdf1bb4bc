"""``flexlocal poll``: polls accounts and stores what they have in the inventory, once or again and again."""

import contextlib
import fnmatch
import queue
import sys
import time
from types import SimpleNamespace
from typing import Any, Optional

from flexlocal import (
    accounts,
    cassettes,
    inventories,
    options,
    poll_snapshots,
    poll_workers,
    results,
    terminal,
)
from flexlocal.families import families
from flexlocal.options import BadUsage
from flexlocal.poll_credentials import Credentials
from flexlocal.poll_report import KEYS, Report, columns_of
from flexlocal.poll_task import (
    HANDLERS,
    POINTS,
    Result,
    Store,
    Task,
    poll,
)
from shared.engine import poll as engine

FAILED_STATUS = 1
INTERRUPTED = 130


def poll_accounts(args: SimpleNamespace) -> int:
    snapshots = _snapshots(args)
    tasks = tasks_of(args, snapshots[1])
    grace = options.seconds(args.grace, "--grace", least=0)
    view = results.view(args)
    if args.every is not None and view.format not in (None, "table", "ndjson"):
        raise BadUsage(f"--every writes lines: choose --format ndjson instead of {view.format}")
    view.check(columns_of(tasks, view), KEYS)
    resolve = Credentials((task.account for task in tasks), (task.every_s for task in tasks))
    resolve.ask()
    replays = any(task.account.demo for task in tasks)
    events: Any = queue.SimpleQueue()
    report = Report(tasks, sys.stdout, args.every is not None, view.format == "ndjson")
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


def tasks_of(args: SimpleNamespace, window_s: Optional[int] = None) -> list[Task]:
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
    chosen = chosen_accounts(args)
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


def chosen_accounts(args: SimpleNamespace) -> list[accounts.Account]:
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
