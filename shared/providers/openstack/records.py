"""What records of OpenStack's services have in common, and how cells read them."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.providers.openstack.session import Scope
from shared.records.fields import field, items, needed

MIB = 1024**2
GIB = 1024**3
KIND = "kind"  # the field that of_kind adds to a record


def name_of(record: Mapping[str, Any]) -> str:
    """The record's name, or else its id."""
    return field(record, "name", str) or needed(record, "id", str)


def project_of(record: Mapping[str, Any]) -> Optional[str]:
    """The project that a record belongs to (Neutron's older name for it is tenant)."""
    return field(record, "project_id", str) or field(record, "tenant_id", str)


def of_another_project(scope: Scope, record: Mapping[str, Any]) -> bool:
    """Whether the record belongs to a project that is not polled, and is not shared with this one."""
    if scope.all_projects or record.get("shared") or record.get("router:external"):
        return False
    return project_of(record) not in (None, scope.project_id)


def tags(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's tags, as metadata takes them: OpenStack's have no values."""
    return dict.fromkeys(items(record, "tags", str), "")


def only(record: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The record's fields of these names; None for one that it lacks."""
    return {name: record.get(name) for name in names}


def in_bytes(record: Mapping[str, Any], name: str, unit: int) -> Optional[int]:
    """The size in a field that counts in units of ``GIB`` or ``MIB``."""
    size = field(record, name, int)
    return None if size is None else size * unit


def by_id(pages: Iterable[list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The records of all pages by their ids."""
    return {needed(record, "id", str): record for page in pages for record in page}


def reported(ids: Iterable[Optional[str]], resources: Container[str]) -> list[str]:
    """The ids that are among the reported resources, sorted: a connection may name no others."""
    return sorted({each for each in ids if each and each in resources})


# --- cells that report several kinds of records ---------------------------------------------------


def of_kind(kind: str, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, each with its kind, which ``kind_of`` reads later."""
    return [{**record, KIND: kind} for record in records]


def kind_of(record: Mapping[str, Any], kinds: Container[str], resource: str) -> str:
    """The kind that ``of_kind`` gave the record. Raises UnexpectedResponse where it is none of these."""
    kind = needed(record, KIND, str)
    if kind not in kinds:
        raise UnexpectedResponse(f"field {KIND!r} names no kind of {resource}")
    return kind
