"""Status points, metric points and log events, each once; and what a source's next poll needs to go on."""

import datetime
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

from sqlalchemy import Connection, delete, select
from sqlalchemy.schema import Table
from sqlalchemy.sql.elements import ColumnElement

from inventory.entries import Accounts, of_accounts
from inventory.errors import InvalidPoint, InvalidQuestion
from inventory.fields import encode_text
from inventory.model import microseconds, moment, written
from inventory.rows import (
    Numbers,
    add_account,
    add_missing,
    add_resources,
    add_source,
    chunks,
    put_row,
)
from inventory.schema import (
    account,
    kept_state,
    kind,
    last_update,
    log_event,
    metric_point,
    resource,
    series,
    source,
    status_point,
)

Row = dict[str, Any]
Point = Mapping[str, Any]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_COMMON = ("resource_id", "resource_type", "time")
LONGEST = 2000  # characters of an event's id, and of a status message: they are part of the key


def store_points(
    connection: Connection,
    account_name: str,
    provider: str,
    family: str,
    handler: str,
    points: Sequence[Point],
    newest: Optional[str],
    state: Optional[Mapping[str, Any]],
) -> int:
    """How many points were new. ``newest``: the answer's last_update; ``state``: all of context.state."""
    if handler not in HANDLERS:
        raise InvalidPoint(
            f"nothing is stored of {handler!r}", f"pass one of {', '.join(HANDLERS)}"
        )
    table, row_of = HANDLERS[handler]
    checked = [_checked(number, point, row_of) for number, point in enumerate(points)]
    account_id = add_account(connection, account_name, provider)
    source_id = add_source(connection, account_id, family)
    kinds = Numbers(connection, kind, "name")
    kinds.of({row["resource_type"] for row in checked})
    keys = add_resources(
        connection,
        account_id,
        list({(kinds.one(row["resource_type"]), row["resource_id"]) for row in checked}),
    )
    for row in checked:
        row["resource_id"] = keys[kinds.one(row.pop("resource_type")), row["resource_id"]]
    if handler == "get_metrics":
        _number_series(connection, checked)
    stored = sum(add_missing(connection, table, some) for some in chunks(checked, 5000))
    if newest is not None:
        put_row(
            connection,
            last_update,
            {"source_id": source_id, "handler": handler, "value": newest},
        )
    if state is not None:
        keep_state(connection, source_id, state)
    return stored


def keep_state(connection: Connection, source_id: int, state: Mapping[str, Any]) -> None:
    """Instead of what was kept before."""
    connection.execute(delete(kept_state).where(kept_state.c.source_id == source_id))
    for name, value in state.items():
        try:
            text = encode_text(value)
        except (TypeError, ValueError):
            raise InvalidPoint(
                f"the state {name!r} has a value that JSON does not have", "keep text or numbers"
            ) from None
        put_row(connection, kept_state, {"source_id": source_id, "name": name, "value": text})


def kept(connection: Connection, account_name: str, family: str) -> dict[str, Any]:
    statement = (
        select(kept_state.c.name, kept_state.c.value)
        .join(source, source.c.id == kept_state.c.source_id)
        .join(account, account.c.id == source.c.account_id)
        .where(account.c.name == account_name, source.c.family == family)
        .order_by(kept_state.c.name)
    )
    return {name: json.loads(value) for name, value in connection.execute(statement)}


def newest(connection: Connection, account_name: str, family: str, handler: str) -> Optional[str]:
    statement = (
        select(last_update.c.value)
        .join(source, source.c.id == last_update.c.source_id)
        .join(account, account.c.id == source.c.account_id)
        .where(account.c.name == account_name, source.c.family == family)
        .where(last_update.c.handler == handler)
    )
    value: Optional[str] = connection.execute(statement).scalar()
    return value


# --- one point ---


def _checked(number: int, point: Point, row_of: Callable[[Point], Row]) -> Row:
    try:
        row = row_of(point)
        row["time"] = _microseconds(point["time"])
        for name in ("resource_id", "resource_type"):
            row[name] = _text(point[name])
        return row
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InvalidPoint(
            f"point {number + 1} can't be stored ({what})",
            "this is a bug of the connector: report it with its name",
        ) from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value or len(value) > LONGEST:
        raise ValueError("a value is not usable text")
    value.encode()
    return value


def _microseconds(value: Any) -> int:
    found = _TIME.fullmatch(value)
    if not found:
        raise ValueError("the time is not RFC 3339")
    seconds, fraction, zone = found.groups()
    digits = (fraction or "").ljust(6, "0")[:6]
    zone = "+00:00" if zone == "Z" else zone
    return microseconds(datetime.datetime.fromisoformat(f"{seconds}.{digits}{zone}"))


def _status(point: Point) -> Row:
    return {"level": _text(point["level"]), "message": _text(point["message"][:LONGEST])}


def _metric(point: Point) -> Row:
    value = point["value"]
    if isinstance(value, bool) or not (value is None or isinstance(value, (int, float))):
        raise ValueError("the value is no number")
    if value is not None and not math.isfinite(value):
        raise ValueError("the value is no number")
    more = {
        key: each for key, each in point.items() if key not in (*_COMMON, "metric", "unit", "value")
    }
    name = (_text(point["metric"]), _text(point["unit"]), encode_text(more))
    return {"series_id": name, "value": value}


def _log(point: Point) -> Row:
    more = {
        key: each
        for key, each in point.items()
        if key not in (*_COMMON, "id", "severity", "message")
    }
    return {
        "event_id": _text(point["id"]),
        "severity": _text(point["severity"]),
        "message": str(point["message"]).replace("\0", ""),
        "more": encode_text(more),
    }


HANDLERS: dict[str, tuple[Table, Callable[[Point], Row]]] = {
    "get_status": (status_point, _status),
    "get_metrics": (metric_point, _metric),
    "get_logs": (log_event, _log),
}


def _number_series(connection: Connection, rows: list[Row]) -> None:
    names = {row["series_id"] for row in rows}
    add_missing(connection, series, [dict(zip(("metric", "unit", "more"), name)) for name in names])
    numbers = {}
    statement = select(series.c.metric, series.c.unit, series.c.more, series.c.id)
    for some in chunks({name[0] for name in names}):
        for *name, number in connection.execute(statement.where(series.c.metric.in_(some))):
            numbers[tuple(name)] = number
    for row in rows:
        row["series_id"] = numbers[row["series_id"]]


# --- reading ---


def points(
    connection: Connection,
    handler: str,
    external_id: str,
    account_name: Accounts,
    type_name: Optional[str],
    since: Optional[datetime.datetime],
    until: Optional[datetime.datetime],
) -> Iterator[dict[str, Any]]:
    """A resource's points as they were stored, in the order of their times."""
    if handler not in HANDLERS:
        raise InvalidQuestion(
            f"nothing is stored of {handler!r}", f"ask for one of {', '.join(HANDLERS)}"
        )
    table = HANDLERS[handler][0]
    conditions: list[ColumnElement[bool]] = [resource.c.external_id == external_id]
    conditions += of_accounts(account_name)
    if type_name is not None:
        conditions.append(kind.c.name == type_name)
    try:
        if since is not None:
            conditions.append(table.c.time >= microseconds(since))
        if until is not None:
            conditions.append(table.c.time <= microseconds(until))
    except (AttributeError, TypeError, ValueError):
        raise InvalidQuestion(
            "a time can't be understood", "pass a datetime with a time zone"
        ) from None
    columns = [column for column in table.c if column.name != "resource_id"]
    extra = [series.c.metric, series.c.unit, series.c.more] if handler == "get_metrics" else []
    statement = (
        select(kind.c.name.label("resource_type"), *columns, *extra)
        .join(resource, resource.c.id == table.c.resource_id)
        .join(account, account.c.id == resource.c.account_id)
        .join(kind, kind.c.id == resource.c.kind_id)
        .where(*conditions)
        .order_by(*[column for column in (table.c.time, *table.primary_key) if column is not None])
    )
    if handler == "get_metrics":
        statement = statement.join(series, series.c.id == table.c.series_id)
    for row in connection.execute(statement).mappings():
        found = {**row, "resource_id": external_id, "time": written(moment(row["time"]))}
        found.update(json.loads(found.pop("more", "{}")))
        found.pop("series_id", None)
        if handler == "get_logs":
            found["id"] = found.pop("event_id")
        yield found
