"""What it costs to know: the polls of each account's family, and how often they saw a change."""

import dataclasses
import datetime
import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from sqlalchemy import Connection, Row, select

from inventory import intervals, retention
from inventory.entries import Filter, Reader
from inventory.model import COMPLETE, microseconds, moment
from inventory.schema import account, change, run, source

SECOND = 1_000_000  # microseconds
DAY_S = intervals.DAY_S


@dataclasses.dataclass(frozen=True)
class Cost:
    """The polls of resources of an account's family. What is None is not known.

    ``incomplete`` polls failed or were partial. ``calls`` and ``retries`` are those of a poll, on average, of the polls that have counted them; ``every_s``: what
    most polls came after one another by (the median); ``oldest_at``: the last complete poll of the scope whose facts
    are the oldest; ``rate``: how often complete polls saw a change.
    """

    account: str
    provider: str
    family: str
    polls: int
    incomplete: int
    every_s: Optional[float]
    polls_a_day: Optional[float]
    calls: Optional[float]
    retries: Optional[float]
    oldest_at: Optional[datetime.datetime]
    rate: intervals.Rate

    @property
    def calls_a_day(self) -> Optional[float]:
        if self.calls is None or self.polls_a_day is None:
            return None
        return self.calls * self.polls_a_day


@dataclasses.dataclass(frozen=True)
class Costs:
    """``since``: from when on polls were looked at: as was asked for, or since retention keeps all of them."""

    since: datetime.datetime
    sources: tuple[Cost, ...]


def costs(
    connection: Connection, since: datetime.datetime, wanted: Filter, fast: bool = False
) -> Costs:
    """``fast``: changes of states and counters alone count as changes too."""
    start = microseconds(since)
    kept = retention.every_poll_since(connection)
    start = start if kept is None else max(start, kept)
    oldest: dict[tuple[str, str], Optional[datetime.datetime]] = {}
    for each in Reader(connection, None).coverage(wanted).scopes:
        key = (each.account, each.family)
        before = oldest.get(key, each.complete_at)
        none = before is None or each.complete_at is None
        oldest[key] = None if none else min(before, each.complete_at)  # type: ignore[type-var]
    found = [
        _cost(names, rows, oldest.get((names[0], names[2])))
        for names, rows in _runs(connection, start, wanted, fast)
    ]
    return Costs(moment(start), tuple(found))


def _runs(
    connection: Connection, start: int, wanted: Filter, fast: bool
) -> Iterator[tuple[tuple[str, str, str], list[Row[Any]]]]:
    """The runs of each source, in the order of their times."""
    seen = run.c.added + run.c.changed + run.c.gone > 0
    if fast:
        seen = seen | select(change.c.id).where(change.c.run_id == run.c.id).exists()
    statement = (
        select(
            account.c.name,
            account.c.provider,
            source.c.family,
            run.c.started_at,
            run.c.outcome,
            run.c.calls,
            run.c.retries,
            seen.label("seen"),
        )
        .select_from(run)
        .join(source, source.c.id == run.c.source_id)
        .join(account, account.c.id == source.c.account_id)
        .where(run.c.ended_at >= start, *wanted.sources())
        .order_by(account.c.name, source.c.family, run.c.ended_at)
    )
    rows = connection.execute(statement)
    for names, runs in itertools.groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        yield names, list(runs)


def _cost(
    names: tuple[str, str, str], runs: Sequence[Row[Any]], oldest_at: Optional[datetime.datetime]
) -> Cost:
    gaps = [
        (later.started_at - earlier.started_at) / SECOND for earlier, later in zip(runs, runs[1:])
    ]
    counted = [each for each in runs if each.calls is not None]
    return Cost(
        *names,
        polls=len(runs),
        incomplete=sum(each.outcome != COMPLETE for each in runs),
        every_s=statistics.median(gaps) if gaps else None,
        polls_a_day=DAY_S * len(gaps) / sum(gaps) if gaps else None,
        calls=_mean([each.calls for each in counted]),
        retries=_mean([each.retries or 0 for each in counted]),
        oldest_at=oldest_at,
        rate=intervals.rate(_looks(runs)),
    )


def _mean(values: list[int]) -> Optional[float]:
    return sum(values) / len(values) if values else None


def _looks(runs: Sequence[Row[Any]]) -> Iterator[tuple[float, bool]]:
    """From one complete poll to the next: seconds, and whether one of the polls up to that saw a change."""
    before: Optional[int] = None
    seen = False
    for each in runs:
        seen = seen or bool(each.seen)
        if each.outcome != COMPLETE:
            continue
        if before is not None:
            yield (each.started_at - before) / SECOND, seen
        before, seen = each.started_at, False
