"""Answers as rows for JSON: what the command line's ``--format json`` and the REST service both give.

Times are RFC 3339 in UTC. What happened between two polls is ``{"after", "before"}``, null and a time where nobody looked
before.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

from inventory.changes import ABSENT, Change
from inventory.model import (
    Bounds,
    Deviation,
    Difference,
    Entry,
    Event,
    Hit,
    Missing,
    Resource,
    ScopeStatus,
    Snapshot,
    Window,
    written,
)

Row = dict[str, Any]
PLACES = ("account", "provider", "family", "scope")


def written_or_none(time: Optional[datetime.datetime]) -> Optional[str]:
    return None if time is None else written(time)


def bounds_row(bounds: Optional[Bounds]) -> Optional[Row]:
    """``after`` is null if nobody looked before."""
    if bounds is None:
        return None
    return {"after": written_or_none(bounds.after), "before": written_or_none(bounds.before)}


def entry_row(entry: Entry) -> Row:
    return {
        "account": entry.account,
        "provider": entry.provider,
        "family": entry.family,
        "scope": entry.scope,
        "type": entry.type,
        "id": entry.id,
        "name": entry.name,
        "state": entry.state,
        "present": entry.present,
        "first_seen": bounds_row(entry.first_seen),
        "last_seen": written_or_none(entry.last_seen),
        "gone": bounds_row(entry.gone),
    }


def resource_row(resource: Resource) -> Row:
    """With its document."""
    return {
        **entry_row(resource.entry),
        "exact": resource.exact,
        "document": resource.document,
    }


def hit_rows(hits: Iterable[Hit]) -> list[Row]:
    """One row for a resource and what it was found by; ``where`` are the fields that hold it."""
    found: dict[Any, Row] = {}
    for hit in hits:
        row = {
            **entry_row(hit.entry),
            "by": hit.by,
            "value": hit.value,
            "where": [],
            "since": bounds_row(hit.since),
        }
        row = found.setdefault((hit.entry.key, hit.by, hit.value, hit.since), row)
        if hit.where is not None:
            row["where"] = sorted([*row["where"], hit.where])
    return [*found.values()]


def _change(change: Change) -> Row:
    return {"path": change.path, **values_of(change, "before", "after"), "fast": change.fast}


def values_of(change: Union[Change, Deviation], *sides: str) -> Row:
    """A side that the field is not on has no key."""
    values = {side: getattr(change, side) for side in sides}
    connects = change.path.startswith("/connections/")
    return {
        side: _ids_of(value) if connects else value
        for side, value in values.items()
        if value is not ABSENT
    }


def _ids_of(targets: Any) -> Any:
    if not isinstance(targets, list):
        return targets
    return [each.get("id") if isinstance(each, dict) else each for each in targets]


def event_rows(event: Event) -> Iterator[Row]:
    row = {"when": bounds_row(event.when), "what": event.what, "severity": event.severity}
    for change in event.changes:
        yield {**row, **_change(change)}
    if not event.changes:
        yield row


def difference_rows(each: Difference) -> Iterator[Row]:
    entry = each.entry
    row = {
        "severity": each.severity,
        "what": each.what,
        **{
            key: value
            for key, value in entry_row(entry).items()
            if key in (*PLACES, "type", "id", "name")
        },
        "when": bounds_row(each.when),
    }
    if each.what == "re-created" and each.before:
        row["former_id"] = each.before.id
    changes = [change for change in each.changes if change.path not in ("", "/id")]
    for change in changes:
        yield {**row, **_change(change)}
    if not changes:
        yield row


def scope_row(scope: ScopeStatus) -> Row:
    return {
        "account": scope.account,
        "family": scope.family,
        "scope": scope.scope,
        "complete_at": written_or_none(scope.complete_at),
        "failed_since": written_or_none(scope.failed_since),
        "error": scope.error,
    }


# --- snapshots and change windows ---


def snapshot_row(each: Snapshot) -> Row:
    return {
        "label": each.label,
        "at": written(each.at),
        "resources": each.resources,
        "scopes": each.scopes,
        "complete": each.complete,
        "how": each.how,
        "pinned_at": written_or_none(each.pinned_at),
        "taken_at": written(each.taken_at),
        "exact": each.exact,
        "runs": list(each.runs),
    }


def deviation_row(each: Deviation) -> Row:
    entry = entry_row(each.entry)
    row: Row = {
        "severity": each.severity,
        "what": each.what,
        "verdict": each.verdict,
        **{key: entry[key] for key in (*PLACES, "type", "id", "name")},
        "path": each.path,
        **values_of(each, "before", "after", "design"),
    }
    if each.former_id is not None:
        row["former_id"] = each.former_id
    if each.reason is not None:
        row["reason"] = each.reason
    if each.explanation is not None:
        row["explanation"] = each.explanation
    return row


def missing_row(each: Missing) -> Row:
    scope = each.scope
    return {
        "severity": "medium",
        "what": "not polled",
        "account": scope.account,
        "family": scope.family,
        "scope": scope.scope,
        "name": scope.label,
        "after": scope.error,
        **({} if each.explanation is None else {"explanation": each.explanation}),
    }


def window_row(each: Window) -> Row:
    return {
        "name": each.name,
        "state": "open" if each.closed_at is None else "closed",
        "opened_at": written(each.opened_at),
        "closed_at": written_or_none(each.closed_at),
        "before": each.before.label,
        "after": each.after and each.after.label,
        "baseline": each.baseline and each.baseline.label,
        "concerns": each.concerns,
    }
