"""Reads Juju's FullStatus into a ``Model``.

A full status comes in two spellings: Juju's own (``agent-status``), and that of the dump that OSM keeps in an
NS record (``agent_status``, ``id_``, and ``unknown_fields`` for what OSM's client library did not know).
``read_model`` reads both and leaves out what follows neither; ``unreadable`` lists those parts. A live
response must have none; a dump may.
"""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional, TypeVar

from shared.engine.errors import UnexpectedResponse
from shared.records.fields import field, items, objects
from shared.vca.health import Status, parse_since
from shared.vca.model import (
    Application,
    Endpoint,
    Machine,
    Model,
    Offer,
    Relation,
    RemoteApplication,
    Unit,
)

T = TypeVar("T")


class Known:
    """Applications, units and machines that were read, for a full status that has the same records, such as an extract.

    What is read depends on the record and on the arguments beside it. The records must not be changed meanwhile.
    """

    def __init__(self) -> None:
        self._read: dict[Any, Any] = {}

    def read(self, function: Callable[..., T], record: Mapping[str, Any], *of: Any) -> T:
        """``function(record, *of, self)``, or what it returned for this very record before."""
        key = function, id(record), of  # what was read holds its record: no other gets that id
        if key not in self._read:
            self._read[key] = function(record, *of, self)
        result: T = self._read[key]
        return result


def read_model(full_status: Mapping[str, Any], known: Optional[Known] = None) -> Model:
    """The model that a full status in either spelling describes. Null is the same as absent.

    Entries of ``applications`` that are not objects are left out, for OSM stores a list there. So are units,
    machines and offers that are null. Callers that must not lose any call ``unreadable`` first. What is ``known``
    is not read again, and what is read becomes known.
    """
    known = known or Known()
    model = _get(full_status, "model", dict) or {}
    applications = _get(full_status, "applications", dict) or {}
    readable = {
        name: known.read(_application, applications[name], name)
        for name in sorted(applications)
        if isinstance(applications[name], dict)
    }
    machines = _machines(full_status, "machines", None, known)
    return Model(
        name=_text(model, "name"),
        kind=_text(model, "type"),
        cloud=(_text(model, "cloud-tag") or "").partition("-")[2] or None,
        region=_text(model, "region"),
        version=_text(model, "version"),
        status=_status(model, "model-status"),
        applications=readable,
        machines={machine.id: machine for machine in machines},
        relations=tuple(
            sorted(
                (_relation(record) for record in _list(full_status, "relations")),
                key=lambda relation: (relation.key or "", relation.id or 0),
            )
        ),
        offers={
            name: _offer(name, record) for name, record in _objects(full_status, "offers").items()
        },
        remote_applications={
            name: _remote(name, record)
            for name, record in _objects(full_status, "remote-applications").items()
        },
        moment=parse_since(_text(full_status, "controller-timestamp")),
    )


# --- unreadable parts -----------------------------------------------------------------------------

# The maps in a full status, and the maps in their entries. Juju writes all of them, as null where they are
# empty (params.FullStatus in its source has no omitempty for them).
_Maps = dict[str, Any]
_UNIT: _Maps = {}
_UNIT["subordinates"] = _UNIT
_MACHINE: _Maps = {}
_MACHINE["containers"] = _MACHINE
_MAPS: _Maps = {
    "applications": {"units": _UNIT},
    "machines": _MACHINE,
    "offers": {},
    "remote-applications": {},
}


def unreadable(full_status: Mapping[str, Any]) -> list[str]:
    """The parts of a full status that ``read_model`` can't read and leaves out: a message with a path for each.

    These are maps and lists that are absent, values that should be objects, and applications for which Juju
    reports an error, and then no units. Raises UnexpectedResponse where ``read_model`` does.
    """
    messages = list(_unreadable(full_status, _MAPS, ""))
    if not _has(full_status, "relations"):
        messages.append("field 'relations' is missing")
    _list(full_status, "relations")
    return messages


def _unreadable(record: Mapping[str, Any], maps: _Maps, where: str) -> Iterator[str]:
    for name, below in maps.items():
        path = f"{where}{name}"
        if not _has(record, name):
            yield f"field {path!r} is missing"
            continue
        for key, value in (_get(record, name, dict) or {}).items():
            if not isinstance(value, dict):
                yield f"field '{path}.{key}' should be an object"
                continue
            error = value.get("err") if name == "applications" else None
            if error:
                message = error.get("message") if isinstance(error, dict) else error
                yield f"field '{path}.{key}' is an error: {message}"
            else:
                yield from _unreadable(value, below, f"{path}.{key}.")


def _has(record: Mapping[str, Any], name: str) -> bool:
    """Whether the record has the field in any spelling, even if null."""
    unknown_fields = record.get("unknown_fields")
    return any(
        isinstance(holder, dict) and spelling in holder
        for holder, spelling in _spellings(record, unknown_fields, name)
    )


# --- reading --------------------------------------------------------------------------------------


def _get(record: Mapping[str, Any], name: str, kind: Any) -> Any:
    """The field by Juju's name, by that of OSM's dump, or from its ``unknown_fields``; None if absent."""
    if type(record) is dict:  # the usual cases first: there are a hundred fields to a unit
        if not record:
            return None
        value = record.get(name)
        if type(value) is kind and kind is not int:  # ``field`` looks at how large a number is
            return value
        if value is None:
            snake, longer = _in_dumps(name)
            if (
                record.get(snake) is None
                and record.get(longer) is None
                and record.get("unknown_fields") is None
            ):
                return None
    return _checked(record, name, kind)


def _checked(record: Mapping[str, Any], name: str, kind: Any) -> Any:
    """What ``_get`` returns or raises, for any record."""
    for holder, spelling in _spellings(record, record.get("unknown_fields"), name):
        if isinstance(holder, dict) and holder.get(spelling) is not None:
            return field(holder, spelling, kind)
    return None


def _spellings(record: Any, unknown_fields: Any, name: str) -> tuple[tuple[Any, str], ...]:
    """Where a field may be, and under which name."""
    snake, longer = _in_dumps(name)
    return (record, name), (record, snake), (record, longer), (unknown_fields, name)


@functools.cache  # of the names in this file
def _in_dumps(name: str) -> tuple[str, str]:
    """The names that a field may have in OSM's dump."""
    snake = name.replace("-", "_")
    return snake, snake + "_"


def _text(record: Mapping[str, Any], name: str) -> Optional[str]:
    return _get(record, name, str) or None


def _list(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return objects({name: _get(record, name, list)}, name)


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _get(record, name, list)
    return tuple(items({name: values}, name, str)) if values else ()


def _objects(record: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """A map of objects, sorted by key, without those that are null."""
    entries = _get(record, name, dict)
    if not entries:
        return {}
    known = {str(key): field(entries, key, dict) for key in sorted(entries)}
    return {key: value for key, value in known.items() if value is not None}


def _status(record: Mapping[str, Any], name: str) -> Status:
    status = _get(record, name, dict)
    if not status:
        return Status("", "", None)
    return Status(
        _get(status, "status", str) or "",
        _get(status, "info", str) or "",
        parse_since(_text(status, "since")),
    )


def _relations(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    relations = _get(record, "relations", dict) or {}
    related = {str(name): tuple(sorted(items(relations, name, str))) for name in sorted(relations)}
    return {name: applications for name, applications in related.items() if applications}


def _application(record: Mapping[str, Any], name: str, known: Known) -> Application:
    units = _objects(record, "units")
    return Application(
        name=name,
        status=_status(record, "status"),
        charm=_text(record, "charm"),
        exposed=_get(record, "exposed", bool),
        life=_text(record, "life"),
        version=_text(record, "workload-version"),
        relations=_relations(record),
        subordinate_to=_texts(record, "subordinate-to"),
        scale=_get(record, "int", int),
        units=tuple(
            known.read(_unit, units[unit], unit, None) for unit in sorted(units, key=_numerically)
        ),
        record=record,
    )


def _unit(
    record: Mapping[str, Any],
    name: str,
    principal: Optional[tuple[str, Optional[str]]],  # its name and machine
    known: Known,
) -> Unit:
    application, _, number = name.rpartition("/")
    if not application or not number:
        raise UnexpectedResponse(f"unit {name!r} is not named application/number")
    machine = _text(record, "machine") or (principal[1] if principal else None)
    subordinates = _objects(record, "subordinates")
    return Unit(
        name=name,
        application=application,
        status=_status(record, "workload-status"),
        agent=_status(record, "agent-status"),
        machine=machine,
        leader=bool(_get(record, "leader", bool)),
        address=_text(record, "public-address") or _text(record, "address"),
        version=_text(record, "workload-version"),
        ports=_texts(record, "opened-ports"),
        principal=principal[0] if principal else None,
        subordinates=tuple(
            known.read(_unit, subordinates[subordinate], subordinate, (name, machine))
            for subordinate in sorted(subordinates, key=_numerically)
        ),
        record=record,
    )


def _machines(
    record: Mapping[str, Any], name: str, parent: Optional[str], known: Known
) -> tuple[Machine, ...]:
    machines = _objects(record, name)
    return tuple(
        known.read(_machine, machines[id_], id_, parent)
        for id_ in sorted(machines, key=_numerically)
    )


def _machine(record: Mapping[str, Any], id_: str, parent: Optional[str], known: Known) -> Machine:
    instance = _text(record, "instance-id")
    base = _get(record, "base", dict) or {}
    channel = (_text(base, "channel") or "").partition("/")[0]
    above = id_.rpartition("/")[0].rpartition("/")[0]  # 0/lxd/1 is in 0, wherever Juju lists it
    return Machine(
        id=id_,
        agent=_status(record, "agent-status"),
        instance=_status(record, "instance-status"),
        modification=_status(record, "modification-status"),
        instance_id=None if instance == "pending" else instance,
        display_name=_text(record, "display-name"),
        hostname=_text(record, "hostname"),
        address=_text(record, "dns-name"),
        addresses=_texts(record, "ip-addresses"),
        base=f"{_text(base, 'name') or ''} {channel}".strip() or None,
        series=_text(record, "series"),
        hardware=_text(record, "hardware"),
        constraints=_text(record, "constraints"),
        parent=above or parent,
        containers=_machines(record, "containers", id_, known),
        record=record,
    )


def _relation(record: Mapping[str, Any]) -> Relation:
    return Relation(
        id=_get(record, "id", int),
        key=_text(record, "key"),
        interface=_text(record, "interface"),
        scope=_text(record, "scope"),
        status=_status(record, "status"),
        endpoints=tuple(
            Endpoint(
                _text(endpoint, "application") or "",
                _text(endpoint, "name"),
                _text(endpoint, "role"),
                bool(_get(endpoint, "subordinate", bool)),
            )
            for endpoint in _list(record, "endpoints")
        ),
        record=record,
    )


def _offer(name: str, record: Mapping[str, Any]) -> Offer:
    return Offer(
        name=name,
        application=_text(record, "application-name"),
        endpoints=tuple(_objects(record, "endpoints")),
        connected=_get(record, "total-connected-count", int),
        record=record,
    )


def _remote(name: str, record: Mapping[str, Any]) -> RemoteApplication:
    return RemoteApplication(
        name=name,
        url=_text(record, "offer-url"),
        status=_status(record, "status"),
        relations=_relations(record),
        record=record,
    )


_NUMBER = re.compile("[0-9]{1,18}")


def _numerically(name: str) -> list[tuple[int, str]]:
    """A sort key that puts app/10 after app/9."""
    return [(int(part), "") if _NUMBER.fullmatch(part) else (-1, part) for part in name.split("/")]
