"""What records of AWS's services have in common, and how cells read them."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.records.fields import field, needed, objects

KIND = "kind"  # the field that of_kind adds to a record


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's tags, as a dict."""
    return {
        needed(tag, "Key", str): field(tag, "Value", str) or "" for tag in objects(record, "Tags")
    }


def named(record: Mapping[str, Any], identifier: str) -> str:
    """The Name tag, or else the id."""
    return tags(record).get("Name") or identifier


def state(record: Mapping[str, Any]) -> Optional[str]:
    """The state, as most services name it."""
    return field(record, "State", str)


def only(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The record's fields of these names; None for one that it lacks."""
    return {name: record.get(name) for name in names}


def reported(ids: Iterable[Optional[str]], resources: Container[str]) -> list[str]:
    """The ids that are among the reported resources, sorted: a connection may name no others."""
    return sorted({identifier for identifier in ids if identifier and identifier in resources})


def keyed(records: Iterable[dict[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """The records by their ids, which are in the field ``name``."""
    return {needed(record, name, str): record for record in records}


def of_kind(kind: str, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, with their kind in the field ``KIND``."""
    return [{**record, KIND: kind} for record in records]


def kind_of(record: Mapping[str, Any], kinds: Container[str], resource: str) -> str:
    """The kind that ``of_kind`` gave the record. Raises UnexpectedResponse if it is not one of ``kinds``."""
    kind = needed(record, KIND, str)
    if kind not in kinds:
        raise UnexpectedResponse(f"field {KIND!r} names no kind of {resource}")
    return kind
