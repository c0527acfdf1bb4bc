"""``flexlocal schedule`` and ``flexlocal due``: what workers poll, and how far they are."""

import fnmatch
import sys
from types import SimpleNamespace
from typing import Any

from flexlocal import inventories, poll, results
from flexlocal.options import BadUsage
from flexlocal.show import Column


def schedule(args: SimpleNamespace) -> int:
    """Writes what is polled how often. Nothing is polled."""
    from inventory.schedule import Limits, Planned

    if args.every is None and not args.remove:
        raise BadUsage("--every is missing: how often resources are polled, such as --every 15m")
    for option in ("per_account", "per_provider"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise BadUsage(f"--{option.replace('_', '-')} {value} should be 1 or more")
    planned: list[Planned] = []
    if not args.remove:
        more = {"once": False, "workers": 1, "options": (), "scopes": (), "later": False}
        planned = [
            Planned(
                *(task.account.name, task.account.provider, task.family, task.handler),
                *(task.every_s or 0, args.priority),
            )
            for task in poll.tasks_of(SimpleNamespace(**vars(args), **more))
        ]

    def covers(account: str, family: str) -> bool:
        named = not args.account or any(fnmatch.fnmatchcase(account, each) for each in args.account)
        return named and (not args.families or family in args.families)

    with inventories.opened(args.inventory, create=True) as inventory:
        limits = Limits(args.per_account, args.per_provider)
        done = inventory.plan(planned, limits, covers)
        count = len(inventory.due())
        print(
            f"{count} poll{'s' * (count != 1)} in the schedule of {inventory.address}: "
            f"{done.added} added, {done.changed} changed, {done.removed} removed"
        )
    return 0


def due(args: SimpleNamespace) -> int:
    """Lists the schedule, what is due longest first."""
    view = results.view(args)
    view.check(COLUMNS, KEYS)
    with inventories.opened(args.inventory) as inventory:
        rows = [_row(each) for each in inventory.due()]
    late = sum(row["late_s"] > 0 for row in rows)
    running = sum(row["worker"] is not None for row in rows)
    footer = f"{len(rows)} scheduled, {late} due, {running} being polled; times are UTC"
    view.show_rows(rows, COLUMNS, sys.stdout, footer)
    return 0


KEYS = (
    *("account", "provider", "family", "handler", "every_s", "priority", "next_at", "late_s"),
    *("worker", "lease_until", "claimed_at", "attempt", "ended_at", "outcome", "failures"),
)


def _row(each: Any) -> dict[str, Any]:
    row = {name: getattr(each, name) for name in KEYS}
    for name in ("next_at", "lease_until", "claimed_at", "ended_at"):
        row[name] = (
            None
            if row[name] is None
            else row[name].isoformat(timespec="seconds").replace("+00:00", "Z")
        )
    return {**row, "late_s": round(each.late_s)}


def _time(text: str) -> str:
    return f"{text[5:10]} {text[11:19]}"


COLUMNS = [
    Column("ACCOUNT", lambda row: row["account"]),
    Column("FAMILY", lambda row: row["family"]),
    Column("HANDLER", lambda row: row["handler"]),
    Column("EVERY", lambda row: row["every_s"], lambda value: f"{value}s"),
    Column("NEXT", lambda row: row["next_at"], _time),
    Column("LATE", lambda row: row["late_s"], lambda value: f"{value}s" if value else ""),
    Column("WORKER", lambda row: row["worker"]),
    Column("OUTCOME", lambda row: row["outcome"]),
    Column("FAILURES", lambda row: row["failures"]),
]
