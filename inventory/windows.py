"""Change windows: what was before a change, and what must be the same after it, or explained.

A window closes when everything that differs is as it was before, as designed, or explained; the explanations stay. An
explanation is of one difference as it was then: what changes once more is to be explained once more.
"""

import dataclasses
import datetime
import json
from collections.abc import Collection, Mapping
from typing import Any, Optional

from sqlalchemy import Connection, delete, select, update

from inventory.changes import same
from inventory.comparison import Name, compare
from inventory.entries import Filter
from inventory.errors import InvalidQuestion, UnknownSnapshot
from inventory.fields import encode_text
from inventory.model import (
    OF_WINDOW,
    Deviation,
    Missing,
    ScopeStatus,
    Snapshot,
    When,
    Window,
    WindowView,
    microseconds,
    moment,
)
from inventory.rows import text_of, value_of
from inventory.schema import change_window, explanation
from inventory.snapshots import baseline as pinned
from inventory.snapshots import by_key, by_label, take

CONCERNS = ("account", "provider", "family", "scope", "type")  # filters that a window may have
SCOPE = ""  # the type of an explanation that is of a scope
Explained = dict[tuple[str, str, str, str], tuple[Optional[str], str]]  # value and text


def open_window(
    connection: Connection,
    name: str,
    now: datetime.datetime,
    design: Optional[str],
    concerns: Mapping[str, Any],
) -> Window:
    """Takes the snapshot before. ``design``: the baseline's label, instead of the one that was pinned last."""
    if _find(connection, name) is not None:
        raise InvalidQuestion(f"there is a change window {name!r} already", "choose another name")
    designed = by_label(connection, design) if design is not None else pinned(connection)
    before = take(connection, f"{name}: before", now, now, OF_WINDOW)
    connection.execute(
        change_window.insert().values(
            name=name,
            opened_at=microseconds(now),
            before_id=before.key,
            baseline_id=designed and designed.key,
            concerns=encode_text({key: value for key, value in concerns.items() if value}),
        )
    )
    return by_name(connection, name)


def windows(connection: Connection) -> list[Window]:
    rows = connection.execute(select(change_window).order_by(change_window.c.id)).all()
    return [_window(connection, row) for row in rows]


def any_open(connection: Connection) -> bool:
    statement = select(change_window.c.id).where(change_window.c.closed_at.is_(None)).limit(1)
    return connection.execute(statement).first() is not None


def by_name(connection: Connection, name: str) -> Window:
    """Raises UnknownSnapshot."""
    found = _find(connection, name)
    if found is None:
        raise UnknownSnapshot(f"there is no change window {name!r}", "list them")
    return found


def _find(connection: Connection, name: str) -> Optional[Window]:
    row = connection.execute(select(change_window).where(change_window.c.name == name)).first()
    return None if row is None else _window(connection, row)


def _window(connection: Connection, row: Any) -> Window:
    return Window(
        row.id,
        row.name,
        moment(row.opened_at),
        None if row.closed_at is None else moment(row.closed_at),
        by_key(connection, row.before_id),
        None if row.after_id is None else by_key(connection, row.after_id),
        None if row.baseline_id is None else by_key(connection, row.baseline_id),
        json.loads(row.concerns),
    )


def view(
    connection: Connection, window: Window, now: When, only: Optional[Collection[Name]] = None
) -> WindowView:
    """Before, now and the design; of a closed window, after instead of now."""
    wanted = Filter(**{key: window.concerns.get(key) for key in CONCERNS})
    after = window.after or now
    comparison = compare(connection, window.before, after, window.baseline, wanted, only=only)
    explained = _explained(connection, window)
    deviations = tuple(
        dataclasses.replace(each, explanation=_text(explained, each))
        for each in comparison.deviations
    )
    missing = tuple(
        Missing(each, explained.get(_scope_key(each), (None, None))[1])
        for each in comparison.after.coverage.failed
    )
    return WindowView(window, dataclasses.replace(comparison, deviations=deviations), missing)


def _explained(connection: Connection, window: Window) -> Explained:
    statement = select(explanation).where(explanation.c.window_id == window.key)
    return {
        (row.account, row.type, row.external_id, row.path): (row.value, row.text)
        for row in connection.execute(statement)
    }


def _text(explained: Explained, each: Deviation) -> Optional[str]:
    """None also if it was something else when it was explained."""
    value, text = explained.get(_key(each), (None, None))
    return text if text is not None and same(value_of(value), each.after) else None


def _key(each: Deviation) -> tuple[str, str, str, str]:
    return each.entry.account, each.entry.type, each.entry.id, each.path


def _scope_key(each: ScopeStatus) -> tuple[str, str, str, str]:
    return each.account, SCOPE, each.scope, each.family


def explain(
    connection: Connection,
    window: Window,
    deviations: Collection[Deviation],
    scopes: Collection[ScopeStatus],
    text: str,
    now: datetime.datetime,
) -> int:
    """Keeps the text for each of them, instead of an earlier one. Raises InvalidQuestion."""
    if window.closed_at is not None:
        raise InvalidQuestion(
            f"the change window {window.name!r} is closed", "what it was closed with stays"
        )
    if not text.strip():
        raise InvalidQuestion("the explanation is empty", "say why it differs")
    rows = [(_key(each), text_of(each.after)) for each in deviations]
    rows += [(_scope_key(each), None) for each in scopes]
    for (account, type_, id_, path), value in rows:
        connection.execute(
            delete(explanation).where(
                explanation.c.window_id == window.key,
                explanation.c.account == account,
                explanation.c.type == type_,
                explanation.c.external_id == id_,
                explanation.c.path == path,
            )
        )
        connection.execute(
            explanation.insert().values(
                window_id=window.key,
                account=account,
                type=type_,
                external_id=id_,
                path=path,
                value=value,
                text=text.replace("\0", ""),
                at=microseconds(now),
            )
        )
    return len(rows)


def after_snapshot(connection: Connection, window: Window, now: datetime.datetime) -> Snapshot:
    """The snapshot after. Raises InvalidQuestion if the window is closed."""
    if window.closed_at is not None:
        raise InvalidQuestion(f"the change window {window.name!r} is closed already", "look at it")
    return take(connection, f"{window.name}: after", now, now, OF_WINDOW)


def close(
    connection: Connection, window: Window, after: Snapshot, now: datetime.datetime
) -> Window:
    connection.execute(
        update(change_window)
        .where(change_window.c.id == window.key)
        .values(after_id=after.key, closed_at=microseconds(now))
    )
    return by_name(connection, window.name)
