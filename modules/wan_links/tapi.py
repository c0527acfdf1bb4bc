"""Connectivity services of a controller with ONF's Transport API (TAPI) 2.1.3 or 2.4: ends, layer, state.

API: GET .../tapi-connectivity:connectivity-context/connectivity-service and .../service-interface-point,
each all at once. https://github.com/Open-Network-Models-and-Interfaces-ONMI/TAPI

2.4 has some fields in a container (``connectivity-constraint``), writes units as identities and their
numbers with a fraction, and names layer and direction otherwise. Which fields there are decides, no version.

All fields but the uuid are optional, and controllers leave many out. An end is a service interface
point, named by its own names; TAPI knows no data centre. Roots come first, then ends are in the order of
their local ids.

OSM makes two services of one link, one for each direction, whose uuids end in "af" and "fa". They are
folded into one, which is up where both are.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Circuit

from shared.engine.errors import about
from shared.providers import tapi
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport import restconf

PERMISSIONS = (
    "/tapi-common:context/service-interface-point",
    "/tapi-common:context/tapi-connectivity:connectivity-context/connectivity-service",
)
CALLS = (
    "1 connectivity-service + 1 service-interface-point; + 1 or 2 for each that answers 405; where neither is "
    "there, up to 2 of the YANG library"
)
RECORD_IDS = ("uuid",)

REVERSE = "reverse"  # of a record: the service of the other direction; fetch adds it
FORTH, BACK = "af", "fa"
SERVICE_NAMES = ("SERVICE_NAME", "NAME", "name")
POINT_NAMES = ("SIP_NAME", "NAME", "name", "INVENTORY_ID")
CONSTRAINT = "connectivity-constraint"  # of 2.4
UNIT = "CAPACITY_UNIT_"  # what units of 2.4 begin with
BITS = {"KBPS": 10**3, "MBPS": 10**6, "GBPS": 10**9, "TBPS": 10**12}
STATE_FIELDS = ("lifecycle-state", "operational-state", "administrative-state")
DETAILS = (
    "administrative-state",
    "connection",
    "connectivity-direction",
    "coroute-inclusion",
    "direction",
    "diversity-exclusion",
    "lifecycle-state",
    "operational-state",
    "requested-capacity",
    "resilience-type",
    "schedule",
    "service-level",
    "service-type",
)
END_DETAILS = (
    "administrative-state",
    "direction",
    "layer-protocol-name",
    "layer-protocol-qualifier",
    "lifecycle-state",
    "local-id",
    "operational-state",
    "protection-role",
    "role",
)
LIFECYCLE = {
    "INSTALLED": "running",  # if it is enabled
    "PENDING_REMOVAL": "shutting",
    "PLANNED": "pending",
    "POTENTIAL_AVAILABLE": "pending",
    "POTENTIAL_BUSY": "pending",
}
OPERATIONAL = {"ENABLED": "running", "DISABLED": "stopped"}
# From the worst, which is that of two directions.
STATES = ("stopped", "shutting", "pending", "unknown", "running")
LEVELS = {"running": "ok", "unknown": "unknown"}


@dataclasses.dataclass
class Lookups:
    """Filled by fetch, since an end must not be older than its service."""

    points: dict[str, dict[str, Any]]  # service interface points by uuid


def lookups(scope: tapi.Scope) -> Lookups:
    return Lookups({})


def fetch(scope: tapi.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    services, points = tapi.services_and_points(scope.session)
    lookups.points = {needed(point, "uuid", str): point for point in points}
    yield _folded(services)


def _folded(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With each service of a way back inside the one of the way there."""
    by_uuid = {needed(service, "uuid", str): service for service in services}
    backs = {uuid[: -len(FORTH)] + BACK: uuid for uuid in by_uuid if uuid.endswith(FORTH)}
    pairs = {
        forth: back
        for back, forth in backs.items()
        if back in by_uuid and _points(by_uuid[forth]) == _points(by_uuid[back])
    }
    folded = set(pairs.values())
    return [
        {**service, REVERSE: by_uuid[pairs[service["uuid"]]]}
        if service["uuid"] in pairs
        else service
        for service in services
        if service["uuid"] not in folded
    ]


def _points(service: dict[str, Any]) -> set[Optional[str]]:
    with about(f"record {service['uuid']}"):
        return {_point(end) for end in restconf.within(service, "end-point")}


def _point(end: Mapping[str, Any]) -> Optional[str]:
    point = field(end, "service-interface-point", dict) or {}
    return field(point, "service-interface-point-uuid", str)


def convert(record: dict[str, Any], scope: tapi.Scope, lookups: Lookups) -> Circuit:
    uuid = needed(record, "uuid", str)
    reverse = field(record, REVERSE, dict)
    asked = _constrained(record)
    ends = [_end(each, lookups) for each in restconf.within(record, "end-point")]
    ends.sort(key=lambda end: (end.get("role") != "ROOT", str(end.get("local-id")), str(end)))
    endpoint_a, endpoint_b = first_two([(end.get("uuid"), end.get("name")) for end in ends])
    return Circuit(
        id=uuid,
        name=_named(record, SERVICE_NAMES) or uuid,
        type_id="wan_link",
        carrier=scope.name,
        reference=uuid,
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        metadata=metadata(
            asked,
            DETAILS,
            _names(record),
            ends=ends,
            layer=field(record, "service-layer", str)
            or field(record, "layer-protocol-name", str)
            or _only(ends, "layer-protocol-name"),
            capacity_bps=_bits(field(asked, "requested-capacity", dict) or {}),
            provider_state=_words(record),
            reverse_uuid=needed(reverse, "uuid", str) if reverse else None,
            reverse_state=_words(reverse) if reverse else None,
            state=_state(record),
        ),
    )


def status(record: dict[str, Any], scope: tapi.Scope, lookups: Lookups) -> Iterable[Point]:
    """The controller's words, of both directions where there are two."""
    state, reverse = _state(record), field(record, REVERSE, dict)
    message = _words(record) or "the controller tells no state"
    if reverse:
        message += f"; back: {_words(reverse) or 'no state'}"
    level = LEVELS.get(state, "warning")
    if state == "stopped" and not _locked(record) and not (reverse and _locked(reverse)):
        level = "error"
    return [Point(needed(record, "uuid", str), "circuit", level, message, None)]


# --- states ---------------------------------------------------------------------------------------


def _state(record: dict[str, Any]) -> str:
    """CMP's word; of two directions, that of the worse."""
    reverse = field(record, REVERSE, dict)
    both = [_one_state(record), *([_one_state(reverse)] if reverse else [])]
    return min(both, key=STATES.index)


def _one_state(record: dict[str, Any]) -> str:
    lifecycle, operational, administrative = (field(record, name, str) for name in STATE_FIELDS)
    if administrative not in (None, "UNLOCKED"):
        return "stopped" if administrative == "LOCKED" else "unknown"
    there = LIFECYCLE.get(lifecycle, "unknown") if lifecycle else "running"
    if there != "running":
        return there
    return OPERATIONAL.get(operational or "", "unknown")


def _locked(record: dict[str, Any]) -> bool:
    return field(record, "administrative-state", str) == "LOCKED"


def _words(record: dict[str, Any]) -> Optional[str]:
    """As "INSTALLED, ENABLED, UNLOCKED"."""
    return ", ".join(filter(None, (field(record, name, str) for name in STATE_FIELDS))) or None


# --- names, ends and capacity ---------------------------------------------------------------------


def _names(record: Mapping[str, Any]) -> dict[str, str]:
    """Its names: what each is called -> the name. One need not be called anything."""
    return {
        field(each, "value-name", str) or "name": field(each, "value", str) or ""
        for each in objects(record, "name")
    }


def _named(record: Mapping[str, Any], preferred: Iterable[str]) -> Optional[str]:
    """One of its names: the first of those preferred, or else the first there is."""
    names = _names(record)
    order = [*preferred, *sorted(names)]
    return next((names[each] for each in order if names.get(each)), None)


def _end(end: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
    uuid = _point(end)
    point = lookups.points.get(uuid or "") or {}
    details = {
        "name": _named(point, POINT_NAMES) or _named(end, POINT_NAMES) or uuid,
        "uuid": uuid,
        "names": _names(point),
        "point_state": _words(point),
        "capacity_bps": _bits(field(end, "capacity", dict) or {}),
        **{name: field(end, name, str) for name in END_DETAILS},
    }
    return {name: each for name, each in details.items() if each not in (None, "", {})}


def _only(ends: list[dict[str, Any]], name: str) -> Any:
    """What all ends have in this field; None where they differ."""
    values = {end.get(name) for end in ends}
    return values.pop() if len(values) == 1 else None


def _constrained(record: dict[str, Any]) -> dict[str, Any]:
    """The record with what 2.4 has in a container of its own, as 2.1.3 has it."""
    own = {name: value for name, value in record.items() if value is not None}
    return {**(field(record, CONSTRAINT, dict) or {}), **own}


def _bits(capacity: dict[str, Any]) -> Optional[int]:
    """Per second, of the total or else of what is committed; None where it is no rate (GB, GHz)."""
    profile = field(capacity, "bandwidth-profile", dict) or {}
    for value in (
        field(capacity, "total-size", dict),
        field(profile, "committed-information-rate", dict),
    ):
        if value:
            number, unit = restconf.decimal(value, "value"), restconf.identity(value, "unit") or ""
            factor = BITS.get(unit[len(UNIT) :] if unit.startswith(UNIT) else unit)
            if number is not None and factor:
                return int(number * factor)
    return None
