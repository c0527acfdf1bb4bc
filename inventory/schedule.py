"""The schedule: what workers poll, how often, and how much of it side by side. inventory/due.py says who polls it."""

import dataclasses
import hashlib
from collections.abc import Collection, Iterable
from typing import Any, Callable, Optional

from sqlalchemy import Connection, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from inventory.due import KEY, SECOND, Key, clock, key_is
from inventory.errors import InvalidQuestion
from inventory.rows import add_missing
from inventory.schema import due, due_account

PRIORITY = 5


@dataclasses.dataclass(frozen=True)
class Planned:
    """A poll that is due again and again. Of those that are due, smaller priorities come first."""

    account: str
    provider: str
    family: str
    handler: str
    every_s: int
    priority: int = PRIORITY

    @property
    def key(self) -> Key:
        return self.account, self.family, self.handler


@dataclasses.dataclass(frozen=True)
class Limits:
    """How many polls of one account, and of all accounts of one provider (None: any number), run side by side."""

    per_account: int = 1
    per_provider: Optional[int] = None


@dataclasses.dataclass(frozen=True)
class Replanned:
    """What a new plan changed: how many polls."""

    added: int
    changed: int
    removed: int


def check(planned: Collection[Planned], limits: Limits) -> None:
    """Raises InvalidQuestion."""
    for each in planned:
        if each.every_s < 1:
            raise InvalidQuestion(
                f"{each.account} {each.family} is planned every {each.every_s} s", "pass 1 or more"
            )
    if limits.per_account < 1 or (limits.per_provider is not None and limits.per_provider < 1):
        raise InvalidQuestion("a limit is below 1", "pass 1 or more")


def plan(
    connection: Connection,
    planned: Collection[Planned],
    limits: Limits,
    covers: Callable[[str, str], bool],
) -> Replanned:
    """Make this the plan of all accounts and families that it covers: what it lacks of them is removed."""
    wanted = {each.key: each for each in planned}
    known = {
        tuple(row[:3]): row
        for row in connection.execute(select(*KEY, due.c.every_s, due.c.priority))
    }
    gone = [key for key in known if key not in wanted and covers(key[0], key[1])]
    for key in sorted(gone):
        connection.execute(delete(due).where(*key_is(key)))
    _put_accounts(connection, planned, limits)
    now = connection.execute(select(clock(connection.dialect.name))).scalar_one()
    new = [each for key, each in wanted.items() if key not in known]
    added = add_missing(connection, due, [_row(each, now) for each in new])
    changed = [
        each
        for key, each in sorted(wanted.items())
        if key in known and tuple(known[key][3:]) != (each.every_s, each.priority)
    ]
    for each in changed:
        values: dict[str, Any] = {"priority": each.priority}
        if each.every_s != known[each.key].every_s:
            first = now + _phase(each)
            sooner = case((due.c.next_at < first, due.c.next_at), else_=first)
            values.update(every_s=each.every_s, slot_at=sooner, next_at=sooner)
        connection.execute(update(due).where(*key_is(each.key)).values(values))
    used = select(due.c.account).where(due.c.account == due_account.c.account)
    connection.execute(delete(due_account).where(~used.exists()))
    return Replanned(added, len(changed), len(gone))


def _put_accounts(connection: Connection, planned: Iterable[Planned], limits: Limits) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = {
        each.account: {
            "account": each.account,
            "provider": each.provider,
            "at_once": limits.per_account,
            "provider_at_once": limits.per_provider,
            "not_before": 0,
        }
        for each in planned
    }
    if not rows:
        return
    statement = dialect.insert(due_account)
    new = {name: statement.excluded[name] for name in ("provider", "at_once", "provider_at_once")}
    statement = statement.on_conflict_do_update(
        index_elements=["account"],
        set_=new,
        where=or_(*(due_account.c[name].is_distinct_from(value) for name, value in new.items())),
    )
    connection.execute(statement, [rows[name] for name in sorted(rows)])


def _row(each: Planned, now: int) -> dict[str, Any]:
    """Due at once, and then at its own place in the interval, so that not all are due together for good."""
    return {
        "account": each.account,
        "family": each.family,
        "handler": each.handler,
        "every_s": each.every_s,
        "priority": each.priority,
        "slot_at": now - _phase(each),
        "next_at": now,
        "served_at": 0,
        "attempt": 0,
        "failures": 0,
    }


def _phase(each: Planned) -> int:
    """A part of the interval, always the same one."""
    digest = hashlib.blake2b(repr(each.key).encode(errors="backslashreplace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") % (each.every_s * SECOND)
