"""How old the facts are, by provider and family: for metrics, whose labels must stay few."""

import dataclasses
import datetime
from typing import Optional

from sqlalchemy import Connection, case, func, select

from inventory.model import moment
from inventory.schema import account, run, scope, scope_run, source


@dataclasses.dataclass(frozen=True)
class Ages:
    """The scopes of a provider and family. ``failed``: those whose last poll was not complete; ``never``: those of
    which none ever was. ``oldest`` and ``mean``: of the ends of the others' last complete polls."""

    provider: str
    family: str
    scopes: int
    failed: int
    never: int
    oldest: Optional[datetime.datetime]
    mean: Optional[datetime.datetime]


def ages(connection: Connection) -> list[Ages]:
    """In the order of providers and families."""
    of_scope = scope_run.c.scope_id == scope.c.id
    newest = select(func.max(scope_run.c.run_id)).where(of_scope)
    complete = newest.where(scope_run.c.error.is_(None)).scalar_subquery()
    each = (
        select(
            scope.c.source_id,
            newest.scalar_subquery().label("newest"),
            complete.label("complete"),
        )
        .where(scope.c.retired_run.is_(None))
        .subquery("each")
    )
    fails = case((each.c.complete.is_(None), 1), (each.c.complete < each.c.newest, 1), else_=0)
    statement = (
        select(
            account.c.provider,
            source.c.family,
            func.count(),
            func.sum(fails),
            func.sum(case((each.c.complete.is_(None), 1), else_=0)),
            func.min(run.c.ended_at),
            func.avg(run.c.ended_at),
        )
        .select_from(each)
        .join(source, source.c.id == each.c.source_id)
        .join(account, account.c.id == source.c.account_id)
        .outerjoin(run, run.c.id == each.c.complete)
        .group_by(account.c.provider, source.c.family)
        .order_by(account.c.provider, source.c.family)
    )
    return [
        Ages(*(provider, family, count), int(failed), int(never), _time(oldest), _time(mean))
        for provider, family, count, failed, never, oldest, mean in connection.execute(statement)
    ]


def _time(since_1970: Optional[float]) -> Optional[datetime.datetime]:
    return None if since_1970 is None else moment(int(since_1970))
