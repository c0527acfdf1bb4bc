"""The polls themselves: which there were, how they ended, and how old what they brought in is."""

import datetime
import statistics
from typing import Any, Optional

from sqlalchemy import Connection, Select, func, select

from inventory.entries import Accounts, Filter, Reader, of_accounts
from inventory.model import Run, ScopeRun, microseconds, moment
from inventory.rows import chunks
from inventory.schema import account, due, resource, run, scope_run, source

LOOKED_AT = 6  # complete polls of a scope, for how long it is from one to the next
LEAST = 3  # of them


def _statement() -> Select[Any]:
    return (
        select(
            run.c.id,
            account.c.name,
            account.c.provider,
            source.c.family,
            run.c.started_at,
            run.c.ended_at,
            run.c.outcome,
            run.c.error,
            run.c.resources,
            run.c.added,
            run.c.changed,
            run.c.gone,
        )
        .join(source, source.c.id == run.c.source_id)
        .join(account, account.c.id == source.c.account_id)
    )


def _run(row: Any) -> Run:
    number, name, provider, family, started, ended, *rest = row
    return Run(number, name, provider, family, moment(started), moment(ended), *rest)


def runs(
    connection: Connection,
    wanted: Accounts,
    family: Optional[str],
    outcome: Optional[str],
    before: Optional[int],
    limit: int,
) -> list[Run]:
    statement = _statement().where(*of_accounts(wanted)).order_by(run.c.id.desc()).limit(limit)
    if family is not None:
        statement = statement.where(source.c.family == family)
    if outcome is not None:
        statement = statement.where(run.c.outcome == outcome)
    if before is not None:
        statement = statement.where(run.c.id < before)
    return [_run(row) for row in connection.execute(statement)]


def after(connection: Connection, number: int, wanted: Accounts, limit: int) -> list[Run]:
    statement = _statement().where(run.c.id > number, *of_accounts(wanted))
    return [_run(row) for row in connection.execute(statement.order_by(run.c.id).limit(limit))]


def last(
    connection: Connection, wanted: Accounts, until: Optional[datetime.datetime] = None
) -> int:
    statement = select(func.max(run.c.id))
    if until is not None:
        statement = statement.where(run.c.ended_at <= microseconds(until))
    if wanted is not None:
        statement = statement.join(source, source.c.id == run.c.source_id)
        statement = statement.join(account, account.c.id == source.c.account_id)
        statement = statement.where(*of_accounts(wanted))
    return connection.execute(statement).scalar() or 0


def of_scopes(connection: Connection, wanted: Accounts) -> list[ScopeRun]:
    reader = Reader(connection)
    providers = {name: provider for name, (provider, _) in accounts(connection, wanted).items()}
    scheduled = {
        (row.account, row.family): datetime.timedelta(seconds=row.every_s)
        for row in connection.execute(
            select(due.c.account, due.c.family, due.c.every_s).where(due.c.handler == "get")
        )
    }
    return [
        _of_scope(
            connection, each, providers[each.account], scheduled.get((each.account, each.family))
        )
        for each in reader.scopes(Filter(account=wanted))
    ]


def _of_scope(
    connection: Connection, each: Any, provider: str, scheduled: Optional[datetime.timedelta]
) -> ScopeRun:
    statement = (
        select(run.c.ended_at, scope_run.c.error)
        .join(run, run.c.id == scope_run.c.run_id)
        .where(scope_run.c.scope_id == each.scope_id)
        .order_by(scope_run.c.run_id.desc())
    )
    ended, error = connection.execute(statement.limit(1)).one()
    complete = [
        row[0]
        for row in connection.execute(statement.where(scope_run.c.error.is_(None)).limit(LOOKED_AT))
    ]
    interval = scheduled
    if interval is None and len(complete) >= LEAST:
        gaps = [later - earlier for later, earlier in zip(complete, complete[1:])]
        interval = datetime.timedelta(microseconds=statistics.median(gaps))
    return ScopeRun(
        each.account,
        provider,
        each.family,
        each.name,
        moment(complete[0]) if complete else None,
        moment(ended),
        error,
        interval,
    )


def accounts(connection: Connection, wanted: Accounts) -> dict[str, tuple[str, dict[str, int]]]:
    statement = (
        select(account.c.name, account.c.provider, source.c.family, source.c.id)
        .join(source, source.c.account_id == account.c.id)
        .where(*of_accounts(wanted))
        .order_by(account.c.name, source.c.family)
    )
    rows = connection.execute(statement).all()
    counts: dict[int, int] = {}
    for some in chunks(row[3] for row in rows):
        counted = (
            select(resource.c.source_id, func.count())
            .where(resource.c.source_id.in_(some), resource.c.present)
            .group_by(resource.c.source_id)
        )
        counts.update((key, number) for key, number in connection.execute(counted))
    found: dict[str, tuple[str, dict[str, int]]] = {}
    for name, provider, family, source_id in rows:
        found.setdefault(name, (provider, {}))[1][family] = counts.get(source_id, 0)
    return found
