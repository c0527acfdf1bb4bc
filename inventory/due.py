"""What is due, and who polls it: the tables that workers on many machines share.

A worker claims a poll for some seconds, a lease, and prolongs it while the poll runs. Each claim raises the row's
``attempt``. The transaction that stores a poll begins by ending its claim, where attempt, worker and lease are still its
own; if they are not, it raises NotMine and stores nothing. So whatever happens to a worker, each attempt is stored once at
most, and what it held is due again when its lease runs out.

All times are those of the database's clock, those of workers don't matter. Claims follow one another (in PostgreSQL by a
lock that lasts as long as their transaction), since one must see what the one before took: never two polls of one account
and family, which share state, and no more of an account or provider than its limit.
"""

import dataclasses
import datetime
import functools
import random
from collections.abc import Collection
from typing import Any, Callable, Optional

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from inventory.errors import NotMine
from inventory.model import FAILED, moment
from inventory.schema import due, due_account

SECOND = 1_000_000  # in microseconds, as all times of the tables
CLAIMS = 0x636C61696D73  # the number of a lock in PostgreSQL: "claims"
PAUSED_MS = (
    5000  # a worker that is paused while it claims keeps all others from it no longer than this
)
JITTER = 0.1  # of the interval
LONGEST_JITTER_S = 60.0
ELSEWHERE_S = 10  # for which an account rests that another process polls without a claim

Key = tuple[str, str, str]
KEY = (due.c.account, due.c.family, due.c.handler)


@dataclasses.dataclass(frozen=True)
class Claim:
    """A poll that a worker may make and store until its lease ends. ``due_at`` and ``claimed_at``: the database's clock.
    ``rest_s``: for how long no poll of the account is claimed once this one is stored; it was throttled."""

    account: str
    provider: str
    family: str
    handler: str
    every_s: int
    attempt: int
    worker: str
    lease_s: float
    due_at: datetime.datetime
    claimed_at: datetime.datetime
    rest_s: float = 0

    @property
    def key(self) -> Key:
        return self.account, self.family, self.handler


@dataclasses.dataclass(frozen=True)
class Due:
    """A poll of the plan. ``late_s``: for how long it has been due; 0 if it is not, or is being polled.
    ``worker``: who polls it now, until ``lease_until`` at least."""

    account: str
    provider: str
    family: str
    handler: str
    every_s: int
    priority: int
    next_at: datetime.datetime
    late_s: float
    attempt: int
    worker: Optional[str]
    lease_until: Optional[datetime.datetime]
    claimed_at: Optional[datetime.datetime]
    ended_at: Optional[datetime.datetime]
    outcome: Optional[str]
    failures: int


def clock(dialect: str) -> ColumnElement[int]:
    """The database's time, in microseconds since 1970; one for each statement, as of its beginning."""
    if dialect == "postgresql":
        text = "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)"
    else:
        text = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
    return literal_column(text, BigInteger)


def key_is(key: Key) -> list[ColumnElement[bool]]:
    return [column == value for column, value in zip(KEY, key)]


def claim(
    connection: Connection,
    worker: str,
    lease_s: float,
    accounts: Optional[Collection[str]],
    families: Optional[Collection[str]],
    late_s: float,
    is_free: Callable[[Connection, str, str], bool],
) -> Optional[Claim]:
    """The poll that comes next: by priority, then of the account that was served longest ago. None if nothing is due.

    ``is_free``: whether no process polls that account and family without a claim.
    """
    if connection.dialect.name == "postgresql":
        limit = func.set_config("idle_in_transaction_session_timeout", str(PAUSED_MS), True)
        connection.execute(select(limit, func.pg_advisory_xact_lock(CLAIMS)))
    statement = _next(connection.dialect.name, accounts is not None, families is not None)
    given: dict[str, Any] = {"late": int(late_s * SECOND)}
    if accounts is not None:
        given["accounts"] = [*accounts]
    if families is not None:
        given["families"] = [*families]
    while row := connection.execute(statement, given).first():
        if is_free(connection, row.account, row.family):
            break
        _rest(connection, row.account, row.now + ELSEWHERE_S * SECOND)
    else:
        return None
    connection.execute(
        update(due)
        .where(*key_is((row.account, row.family, row.handler)))
        .values(
            attempt=row.attempt + 1,
            worker=worker,
            lease_until=row.now + int(lease_s * SECOND),
            claimed_at=row.now,
        )
    )
    connection.execute(_served(), {"of": row.account, "at": row.now})
    return Claim(
        *(row.account, row.provider, row.family, row.handler, row.every_s),
        *(row.attempt + 1, worker, lease_s, moment(row.next_at), moment(row.now)),
    )


@functools.cache
def _next(dialect: str, by_account: bool, by_family: bool) -> Select[Any]:
    now = clock(dialect)
    provider = select(due_account.c.provider).where(due_account.c.account == due.c.account)
    columns = (*KEY, due.c.every_s, due.c.attempt, due.c.next_at, now.label("now"))
    statement = _claimable(
        dialect, by_account, by_family, *columns, provider.scalar_subquery().label("provider")
    )
    statement = statement.where(due.c.next_at <= now - bindparam("late", type_=BigInteger))
    # by the index due_by_turn: what comes first is found without a look at all others
    statement = statement.order_by(due.c.priority, due.c.served_at, due.c.next_at)
    return statement.limit(1).with_for_update(of=due, skip_locked=True)


@functools.cache
def _served() -> Update:
    """All rows of the account; those whose poll is being stored now can't wait for it."""
    free = select(*KEY).where(due.c.account == bindparam("of"))
    free = free.with_for_update(skip_locked=True)
    return update(due).where(tuple_(*KEY).in_(free)).values(served_at=bindparam("at"))


def _claimable(
    dialect: str, by_account: bool, by_family: bool, *columns: ColumnElement[Any]
) -> Select[Any]:
    """What nobody polls, of accounts and providers that are below their limits."""
    now = clock(dialect)
    running = due.alias("running")
    held = running.c.lease_until > now
    full = (
        select(running.c.account)
        .join(due_account, due_account.c.account == running.c.account)
        .where(held)
        .group_by(running.c.account, due_account.c.at_once)
        .having(func.count() >= due_account.c.at_once)
    )
    full_providers = (
        select(due_account.c.provider)
        .join(running, running.c.account == due_account.c.account)
        .where(held, due_account.c.provider_at_once.is_not(None))
        .group_by(due_account.c.provider)
        .having(func.count() >= func.min(due_account.c.provider_at_once))
    )
    resting = select(due_account.c.account).where(
        or_(due_account.c.not_before > now, due_account.c.provider.in_(full_providers))
    )
    statement = select(*columns).where(
        due.c.next_at <= now,
        due.c.account.not_in(full),
        due.c.account.not_in(resting),
        tuple_(due.c.account, due.c.family).not_in(
            select(running.c.account, running.c.family).where(held)
        ),
    )
    if by_account:
        statement = statement.where(due.c.account.in_(bindparam("accounts", expanding=True)))
    if by_family:
        statement = statement.where(due.c.family.in_(bindparam("families", expanding=True)))
    return statement


def claimable(
    connection: Connection,
    accounts: Optional[Collection[str]],
    families: Optional[Collection[str]],
) -> int:
    """How many accounts have a poll that could be claimed now."""
    counted = func.count(due.c.account.distinct())
    statement = _claimable(
        connection.dialect.name, accounts is not None, families is not None, counted
    )
    given = {"accounts": [*(accounts or ())], "families": [*(families or ())]}
    return int(connection.execute(statement, given).scalar_one())


def prolong(connection: Connection, mine: Claim) -> bool:
    """From now on for as long as it was claimed. False: it is not this worker's any more, or is being stored now."""
    now = clock(connection.dialect.name)
    held = select(due.c.attempt).where(*_mine(mine, now)).with_for_update(skip_locked=True)
    if connection.execute(held).first() is None:  # never waits for a poll that is being stored
        return False
    until = now + int(mine.lease_s * SECOND)
    return (
        connection.execute(update(due).where(*_mine(mine, now)).values(lease_until=until)).rowcount
        == 1
    )


def _mine(claim: Claim, now: ColumnElement[int]) -> list[ColumnElement[bool]]:
    return [
        *key_is(claim.key),
        due.c.attempt == claim.attempt,
        due.c.worker == claim.worker,
        due.c.lease_until > now,
    ]


def end(connection: Connection, mine: Claim, outcome: str) -> None:
    """The poll has ended, and is due again at the next multiple of its interval, and a random part. Raises NotMine."""
    now = clock(connection.dialect.name)
    every = cast(due.c.every_s, BigInteger) * SECOND
    slot = due.c.slot_at + every * ((now - due.c.slot_at) // every + 1)
    jitter = random.random() * min(mine.every_s * JITTER, LONGEST_JITTER_S)  # noqa: S311 - no secret
    values = {
        "slot_at": slot,
        "next_at": slot + int(jitter * SECOND),
        "worker": None,
        "lease_until": None,
        "ended_at": now,
        "outcome": outcome,
        "failures": due.c.failures + 1 if outcome == FAILED else 0,
    }
    if connection.execute(update(due).where(*_mine(mine, now)).values(values)).rowcount != 1:
        raise NotMine(
            f"the claim of {mine.account} {mine.family} {mine.handler} (attempt {mine.attempt}) has run out",
            "nothing was stored; another worker polls it, or will",
        )
    if mine.rest_s:
        _rest(connection, mine.account, now + int(mine.rest_s * SECOND))


def release(connection: Connection, mine: Claim, after_s: float) -> bool:
    """Let another worker have it, after so many seconds. False: it was not this worker's any more."""
    now = clock(connection.dialect.name)
    later = now + int(after_s * SECOND)
    values: dict[str, Any] = {"worker": None, "lease_until": None}
    if after_s:
        values["next_at"] = case((due.c.next_at < later, later), else_=due.c.next_at)
    return connection.execute(update(due).where(*_mine(mine, now)).values(values)).rowcount == 1


def _rest(connection: Connection, account: str, until: Any) -> None:
    of_account = update(due_account).where(
        due_account.c.account == account, due_account.c.not_before < until
    )
    connection.execute(of_account.values(not_before=until))


def is_claimed(connection: Connection, account: str, family: str) -> bool:
    """Whether a worker polls them now."""
    statement = select(due.c.account).where(
        due.c.account == account,
        due.c.family == family,
        due.c.lease_until > clock(connection.dialect.name),
    )
    return connection.execute(statement.limit(1)).first() is not None


def listed(connection: Connection) -> list[Due]:
    """The whole plan, what is due longest first."""
    now = clock(connection.dialect.name)
    leased = and_(due.c.lease_until.is_not(None), due.c.lease_until > now)
    statement = (
        select(*due.c, due_account.c.provider, now.label("now"), leased.label("leased"))
        .join(due_account, due_account.c.account == due.c.account)
        .order_by(due.c.next_at, *KEY)
    )
    return [
        Due(
            *(row.account, row.provider, row.family, row.handler, row.every_s, row.priority),
            next_at=moment(row.next_at),
            late_s=0.0 if row.leased else max(0.0, (row.now - row.next_at) / SECOND),
            attempt=row.attempt,
            worker=row.worker if row.leased else None,
            lease_until=moment(row.lease_until) if row.leased else None,
            claimed_at=None if row.claimed_at is None else moment(row.claimed_at),
            ended_at=None if row.ended_at is None else moment(row.ended_at),
            outcome=row.outcome,
            failures=row.failures,
        )
        for row in connection.execute(statement)
    ]
