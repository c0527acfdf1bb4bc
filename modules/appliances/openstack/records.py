"""What the files of this cell share: how records of a kind are read."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Generic, Optional, TypeVar

from shared.providers import openstack

Record = dict[str, Any]
LookupsT = TypeVar("LookupsT")


def no_findings(record: Record, lookups: Any) -> Iterable[openstack.Finding]:
    return ()


@dataclasses.dataclass(frozen=True)
class Kind(Generic[LookupsT]):
    """How the records of one kind are read.

    ``convert(record, lookups)`` gives the fields of the appliance that differ by kind: connections, metadata,
    size. ``states`` names the record's fields that hold a state, and the level of each state.
    ``more_findings(record, lookups)`` adds to these what the lookups of the status pages show.
    """

    name: str  # in records, as ``openstack.of_kind`` adds it
    type_id: str  # CMP's
    permissions: tuple[str, ...]
    status_permissions: tuple[str, ...]
    convert: Callable[[Record, LookupsT], dict[str, Any]]
    states: Mapping[str, Mapping[str, str]]
    changed_at: Optional[str] = "updated_at"  # the field with the time of the last change
    more_findings: Callable[[Record, Any], Iterable[openstack.Finding]] = no_findings


def record_id(record: Record) -> str:
    """For sorting."""
    return str(record.get("id"))
