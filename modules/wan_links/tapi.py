"""Connectivity services of a controller with ONF's Transport API (TAPI) 2.1.3 or 2.4: endpoints, layer, state.

API: GET .../tapi-connectivity:connectivity-context/connectivity-service and .../service-interface-point,
each a whole list. https://github.com/Open-Network-Models-and-Interfaces-ONMI/TAPI

2.4 has some fields in a container (``connectivity-constraint``), writes units as identities and their
numbers with a fraction, and has other names for layer and direction. Both forms are read, whatever the version.

All fields but the uuid are optional, and controllers leave many out. An endpoint is a service interface
point and has that point's name; TAPI has no data centres. Roots come first, then endpoints are sorted by
local id.

OSM creates two services for one link, one for each direction, whose uuids end in "af" and "fa". They are
folded into one, which is up if both are.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Circuit

from shared.engine.contracts import Cell, Page, Status
from shared.engine.errors import about
from shared.providers import tapi
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport import restconf

REVERSE = "reverse"  # the service of the other direction, which ``fetch`` adds to a record
FORWARD_SUFFIX, REVERSE_SUFFIX = "af", "fa"  # of OSM's uuids
SERVICE_NAMES = ("SERVICE_NAME", "NAME", "name")
POINT_NAMES = ("SIP_NAME", "NAME", "name", "INVENTORY_ID")
CONSTRAINT = "connectivity-constraint"  # the container of 2.4
UNIT = "CAPACITY_UNIT_"  # prefix of units in 2.4
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
ENDPOINT_DETAILS = (
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
# From the worst to the best: of two directions, the worse one counts.
STATES = ("stopped", "shutting", "pending", "unknown", "running")
LEVELS = {"running": "ok", "unknown": "unknown"}


Points = Mapping[str, dict[str, Any]]  # service interface points by uuid


def fetch(scope: tapi.Scope) -> Iterator[Page[dict[str, Any], Points]]:
    services, points = tapi.services_and_points(scope.session)
    points_by_uuid = {needed(point, "uuid", str): point for point in points}
    yield Page(_folded(services), points_by_uuid)


def _folded(services: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The services, each one of a reverse direction inside that of its forward direction."""
    by_uuid = {needed(service, "uuid", str): service for service in services}
    pairs = {}  # forward uuid -> reverse uuid
    for uuid in by_uuid:
        if uuid.endswith(FORWARD_SUFFIX):
            reverse = uuid[: -len(FORWARD_SUFFIX)] + REVERSE_SUFFIX
            if reverse in by_uuid and _points(by_uuid[uuid]) == _points(by_uuid[reverse]):
                pairs[uuid] = reverse
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
        return {_point_uuid(endpoint) for endpoint in restconf.within(service, "end-point")}


def _point_uuid(endpoint: Mapping[str, Any]) -> Optional[str]:
    point = field(endpoint, "service-interface-point", dict) or {}
    return field(point, "service-interface-point-uuid", str)


def convert(record: dict[str, Any], scope: tapi.Scope, lookups: Points) -> Circuit:
    uuid = needed(record, "uuid", str)
    reverse = field(record, REVERSE, dict)
    flat = _without_container(record)
    endpoints = [_endpoint(one, lookups) for one in restconf.within(record, "end-point")]
    endpoints.sort(key=lambda one: (one.get("role") != "ROOT", str(one.get("local-id")), str(one)))
    endpoint_a, endpoint_b = first_two([(one.get("uuid"), one.get("name")) for one in endpoints])
    return Circuit(
        id=uuid,
        name=_preferred_name(record, SERVICE_NAMES) or uuid,
        type_id="wan_link",
        carrier=scope.name,
        reference=uuid,
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        metadata=metadata(
            flat,
            DETAILS,
            _names(record),
            ends=endpoints,
            layer=field(record, "service-layer", str)
            or field(record, "layer-protocol-name", str)
            or _common_value(endpoints, "layer-protocol-name"),
            capacity_bps=_bits_per_second(field(flat, "requested-capacity", dict) or {}),
            provider_state=_provider_state(record),
            reverse_uuid=needed(reverse, "uuid", str) if reverse else None,
            reverse_state=_provider_state(reverse) if reverse else None,
            state=_state(record),
        ),
    )


def status(record: dict[str, Any], scope: tapi.Scope, lookups: Points) -> Iterable[Point]:
    """The controller's own states, of both directions if there are two."""
    state, reverse = _state(record), field(record, REVERSE, dict)
    message = _provider_state(record) or "the controller tells no state"
    if reverse:
        message += f"; back: {_provider_state(reverse) or 'no state'}"
    level = LEVELS.get(state, "warning")
    if state == "stopped" and not _locked(record) and not (reverse and _locked(reverse)):
        level = "error"
    return [Point(needed(record, "uuid", str), "circuit", level, message, None)]


# --- states ---------------------------------------------------------------------------------------


def _state(record: dict[str, Any]) -> str:
    """CMP's state; of two directions, that of the worse one."""
    reverse = field(record, REVERSE, dict)
    states = [_state_of_direction(record)]
    if reverse:
        states.append(_state_of_direction(reverse))
    return min(states, key=STATES.index)


def _state_of_direction(record: dict[str, Any]) -> str:
    lifecycle, operational, administrative = (field(record, name, str) for name in STATE_FIELDS)
    if administrative not in (None, "UNLOCKED"):
        return "stopped" if administrative == "LOCKED" else "unknown"
    state = LIFECYCLE.get(lifecycle, "unknown") if lifecycle else "running"
    if state != "running":
        return state
    return OPERATIONAL.get(operational or "", "unknown")


def _locked(record: dict[str, Any]) -> bool:
    return field(record, "administrative-state", str) == "LOCKED"


def _provider_state(record: dict[str, Any]) -> Optional[str]:
    """The controller's states: "INSTALLED, ENABLED, UNLOCKED"."""
    return ", ".join(filter(None, (field(record, name, str) for name in STATE_FIELDS))) or None


# --- names, endpoints and capacity ----------------------------------------------------------------


def _names(record: Mapping[str, Any]) -> dict[str, str]:
    """The record's names by their labels (``value-name``), which are optional."""
    return {
        field(entry, "value-name", str) or "name": field(entry, "value", str) or ""
        for entry in objects(record, "name")
    }


def _preferred_name(record: Mapping[str, Any], labels: Iterable[str]) -> Optional[str]:
    """The record's name with the first of these labels, or else with any label."""
    names = _names(record)
    order = [*labels, *sorted(names)]
    return next((names[label] for label in order if names.get(label)), None)


def _endpoint(endpoint: dict[str, Any], points: Points) -> dict[str, Any]:
    uuid = _point_uuid(endpoint)
    point = points.get(uuid or "") or {}
    details = {
        "name": _preferred_name(point, POINT_NAMES)
        or _preferred_name(endpoint, POINT_NAMES)
        or uuid,
        "uuid": uuid,
        "names": _names(point),
        "point_state": _provider_state(point),
        "capacity_bps": _bits_per_second(field(endpoint, "capacity", dict) or {}),
        **{name: field(endpoint, name, str) for name in ENDPOINT_DETAILS},
    }
    return {name: value for name, value in details.items() if value not in (None, "", {})}


def _common_value(endpoints: list[dict[str, Any]], name: str) -> Any:
    """The value that all endpoints have in this field; None if they differ."""
    values = {endpoint.get(name) for endpoint in endpoints}
    return values.pop() if len(values) == 1 else None


def _without_container(record: dict[str, Any]) -> dict[str, Any]:
    """The record in the form of 2.1.3, without the container of 2.4."""
    own = {name: value for name, value in record.items() if value is not None}
    return {**(field(record, CONSTRAINT, dict) or {}), **own}


def _bits_per_second(capacity: dict[str, Any]) -> Optional[int]:
    """The total or else the committed rate; None if the unit is not that of a rate (GB, GHz)."""
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


_PERMISSIONS = (
    "/tapi-common:context/service-interface-point",
    "/tapi-common:context/tapi-connectivity:connectivity-context/connectivity-service",
)
CELL = Cell(
    calls=(
        "1 connectivity-service + 1 service-interface-point; + 1 or 2 for each that answers 405; where neither "
        "is there, up to 2 of the YANG library"
    ),
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    record_ids=("uuid",),
    status=Status(permissions=_PERMISSIONS, points=status),
)
