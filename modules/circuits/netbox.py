"""Circuits and virtual circuits with carrier, rate, dates, and what each of both ends is at.

API: GET /api/circuits/circuits/, /circuit-terminations/, /virtual-circuits/ (from 4.2), and their
/virtual-circuit-terminations/, 1,000 a page or what the server allows.
https://netboxlabs.com/docs/netbox/models/circuits/circuit/

A circuit is requested without its two ends, which cost NetBox a query each; the list of all ends costs
it a few a page, and knows what is at the other side of the cable. The ends are read after the circuits,
and what the ends refer to after them: a circuit that is new in between then lacks nothing. A circuit has
0, 1 or 2 ends; one that is missing is None. NetBox knows no cloud: a cloud is a provider network.

The ends of a virtual circuit are interfaces: its endpoints are the sites of their devices, the hub
before the spokes. Where NetBox has one only, the other endpoint is the provider network it runs in.

Rates are in kbit/s, dates are days. A reference (cid) is unique to a carrier only: the id is NetBox's,
for virtual circuits with "virtual-circuit:" before it, since they count from 1 again.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Circuit, Connections, Locations

from shared.providers import netbox
from shared.records.fields import field, needed, objects, time

PERMISSIONS = (
    "circuits.view_circuit",
    "circuits.view_circuittermination",
    "circuits.view_providernetwork",
    "circuits.view_virtualcircuit",
    "circuits.view_virtualcircuittermination",
    "dcim.view_device",
    "dcim.view_location",
    "dcim.view_site",
)
CALLS = (
    "ceil(circuits/1000) /circuits + ceil(ends/1000) /circuit-terminations "
    "+ ceil(virtual/1000) /virtual-circuits + ceil(provider networks/1000) /provider-networks "
    "+ ceil(locations/1000) /locations + ceil(sites/1000) /sites; where there are virtual circuits: "
    "+ ceil(their ends/1000) /virtual-circuit-terminations; + 1 /devices for each 400 devices at an "
    "end; before 4.2: + 1 /status"
)

VIRTUAL_CIRCUITS = (4, 2)  # the first release that has them
VIRTUAL = "circuits.virtualcircuit"
FIELDS = (
    "id",
    "cid",
    "provider",
    "provider_account",
    "type",
    "status",
    "tenant",
    "install_date",
    "termination_date",
    "commit_rate",
    "distance",  # from 4.2
    "distance_unit",
    *netbox.COMMON_FIELDS,
)
END_FIELDS = (
    "id",
    "circuit",
    "term_side",
    "termination_type",
    "termination",
    "site",  # before 4.2, as the next
    "provider_network",
    "port_speed",
    "upstream_speed",
    "xconnect_id",
    "pp_info",
    "description",
    "link_peers",
    "link_peers_type",
)
VIRTUAL_FIELDS = (
    "id",
    "cid",
    "provider_network",
    "provider_account",
    "type",
    "status",
    "tenant",
    *netbox.COMMON_FIELDS,
)
VIRTUAL_END_FIELDS = ("id", "virtual_circuit", "role", "interface", "description")
NETWORK_FIELDS = ("id", "name", "provider", "service_id")
DETAILS = (
    "provider_account",
    "type",
    "tenant",
    "install_date",
    "termination_date",
    "distance",
    "distance_unit",
    *netbox.COMMON_DETAILS,
)
STATES = {
    "active": "running",
    "decommissioned": "terminated",
    "deprovisioning": "shutting",
    "offline": "stopped",
    "planned": "pending",
    "provisioning": "pending",
}


@dataclasses.dataclass
class Lookups:
    """Filled by fetch, since an end must not be older than its circuit. All by NetBox's ids."""

    ends: dict[tuple[int, str], dict[str, Any]]  # (circuit, "A" or "Z")
    virtual_ends: dict[int, list[dict[str, Any]]]
    networks: dict[int, dict[str, Any]]
    locations: dict[int, dict[str, Any]]
    sites: dict[int, dict[str, Any]]
    devices: dict[int, dict[str, Any]]


def lookups(scope: netbox.Scope) -> Lookups:
    return Lookups({}, {}, {}, {}, {}, {})


def fetch(scope: netbox.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    circuits = list(netbox.pages(scope, "circuits/circuits", FIELDS))
    for page in netbox.pages(scope, "circuits/circuit-terminations", END_FIELDS):
        for end in page:  # by rising id: an end that was made anew replaces the old one
            circuit = needed(needed(end, "circuit", dict), "id", int)
            lookups.ends[circuit, needed(end, "term_side", str)] = end
    virtual = _virtual_circuits(scope)
    if any(virtual):
        for page in netbox.pages(
            scope, "circuits/virtual-circuit-terminations", VIRTUAL_END_FIELDS
        ):
            for end in page:
                circuit = needed(needed(end, "virtual_circuit", dict), "id", int)
                lookups.virtual_ends.setdefault(circuit, []).append(end)
    lookups.networks = netbox.listed(scope, "circuits/provider-networks", NETWORK_FIELDS)
    lookups.devices = netbox.listed_by_ids(
        scope, "dcim/devices", _devices_at_ends(lookups), netbox.DEVICE_AT_END_FIELDS
    )
    lookups.locations = netbox.listed(scope, "dcim/locations", netbox.LOCATION_FIELDS)
    lookups.sites = netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS)
    yield from circuits
    yield from virtual


def _virtual_circuits(scope: netbox.Scope) -> list[list[dict[str, Any]]]:
    try:
        return list(netbox.pages(scope, "circuits/virtual-circuits", VIRTUAL_FIELDS))
    except netbox.NotOffered:
        if scope.version >= VIRTUAL_CIRCUITS:
            raise
        return []


def _devices_at_ends(lookups: Lookups) -> set[int]:
    ports = [peer for end in lookups.ends.values() for peer in objects(end, "link_peers")]
    ends = (end for of_one in lookups.virtual_ends.values() for end in of_one)
    ports.extend(field(end, "interface", dict) or {} for end in ends)
    return set(_devices(ports))


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a circuit: its name for a person, where it is, and the devices that it is wired to."""

    name: Optional[str]
    place: Optional[dict[str, Any]] = None
    devices: tuple[int, ...] = ()
    details: dict[str, Any] = dataclasses.field(default_factory=dict)


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Circuit:
    number = needed(record, "id", int)
    if needed(record, "object_type", str) == VIRTUAL:
        return _virtual_circuit(record, number, scope, lookups)
    end_a, end_z = (_end(lookups.ends.get((number, side)), lookups) for side in ("A", "Z"))
    return _circuit(
        record,
        scope,
        lookups,
        circuit_id=str(number),
        page="circuits",
        carrier=needed(needed(record, "provider", dict), "name", str),
        sides=([end_a] if end_a else [], [end_z] if end_z else []),
        details={
            "commit_rate_bps": _bps(record, "commit_rate"),
            "termination_a": end_a.details if end_a else None,
            "termination_z": end_z.details if end_z else None,
        },
    )


def _virtual_circuit(
    record: dict[str, Any], number: int, scope: netbox.Scope, lookups: Lookups
) -> Circuit:
    through = needed(record, "provider_network", dict)
    network = lookups.networks.get(needed(through, "id", int)) or {}
    records = sorted(lookups.virtual_ends.get(number, ()), key=lambda end: _role(end) != "hub")
    ends = [_virtual_end(end, lookups) for end in records]
    first = sum(_role(end) == "hub" for end in records) or 1
    far = ends[first:]
    if len(ends) == 1:
        far = [End(_network_name(through, lookups))]
    return _circuit(
        record,
        scope,
        lookups,
        circuit_id=f"virtual-circuit:{number}",
        page="virtual-circuits",
        carrier=netbox.nested(network, "provider", "name"),
        sides=(ends[:first], far),
        details={
            "provider_network": netbox.name_of(through),
            "service_id": field(network, "service_id", str),
            "terminations": [end.details for end in ends],
        },
    )


def _circuit(
    record: dict[str, Any],
    scope: netbox.Scope,
    lookups: Lookups,
    *,
    circuit_id: str,
    page: str,
    carrier: Optional[str],
    sides: tuple[list[End], list[End]],
    details: dict[str, Any],
) -> Circuit:
    """What circuits and virtual circuits have in common."""
    cid = needed(record, "cid", str)
    number = needed(record, "id", int)
    ends = [end for side in sides for end in side]
    cmp_state, word = netbox.state(record, STATES)
    return Circuit(
        id=circuit_id,
        name=cid,
        type_id=netbox.nested(record, "type", "slug"),
        carrier=carrier,
        reference=cid,
        endpoint_a=_names(sides[0]),
        endpoint_b=_names(sides[1]),
        provider_created_at=time(record, "created"),
        locations=Locations(netbox.distinct(end.place for end in ends)),
        connections=_connections(ends, scope, lookups),
        metadata=netbox.details(
            record,
            DETAILS,
            account=netbox.nested(record, "provider_account", "account"),
            provider_state=word,
            state=cmp_state,
            **details,
        ),
        native_portal_link=f"{scope.url}/circuits/{page}/{number}/",
    )


def _names(side: list[End]) -> Optional[str]:
    return ", ".join(dict.fromkeys(end.name for end in side if end.name)) or None


def _connections(ends: list[End], scope: netbox.Scope, lookups: Lookups) -> Connections:
    """The devices at the ends: servers or appliances, as those families report them."""
    servers: set[int] = set()
    appliances: set[int] = set()
    for each in {device for end in ends for device in end.devices}:
        device = lookups.devices.get(each)
        if device is not None:  # else it went while the lists were read
            kind = netbox.device_kind(device, scope.device_kinds)
            (servers if kind == "server" else appliances).add(each)
    return Connections(
        servers=[str(each) for each in sorted(servers)],
        appliances=[str(each) for each in sorted(appliances)],
    )


def _bps(record: dict[str, Any], name: str) -> Optional[int]:
    kbps = field(record, name, int)
    return None if kbps is None else kbps * 1000


# --- ends -----------------------------------------------------------------------------------------


def _end(end: Optional[dict[str, Any]], lookups: Lookups) -> Optional[End]:
    if end is None:
        return None
    kind, target = _target(end)
    name, where = _name_and_place(kind, target, lookups)
    peers = objects(end, "link_peers")
    details = {
        "type": kind,
        "name": name,
        "port_speed_bps": _bps(end, "port_speed"),
        "upstream_speed_bps": _bps(end, "upstream_speed"),
        "xconnect_id": field(end, "xconnect_id", str),
        "pp_info": field(end, "pp_info", str),
        "description": field(end, "description", str),
        "link_peers_type": field(end, "link_peers_type", str),
        "link_peers": [_port(peer) for peer in peers],
    }
    return End(name, where, _devices(peers), _without_empty(details))


def _target(end: dict[str, Any]) -> tuple[Optional[str], dict[str, Any]]:
    """What an end is at, and of which kind; before 4.2 it is one of two fields."""
    target = field(end, "termination", dict)
    if target:
        return field(end, "termination_type", str), target
    for kind, name in (("dcim.site", "site"), ("circuits.providernetwork", "provider_network")):
        target = field(end, name, dict)
        if target:
            return kind, target
    return None, {}


def _name_and_place(
    kind: Optional[str], target: dict[str, Any], lookups: Lookups
) -> tuple[Optional[str], Optional[dict[str, Any]]]:
    if not target:
        return None, None
    name = netbox.name_of(target)
    if kind == "dcim.site":
        return name, netbox.place(target, lookups.sites)
    if kind == "dcim.location":
        room = lookups.locations.get(needed(target, "id", int)) or {}
        site = field(room, "site", dict)
        if not site:
            return name, None
        where = netbox.place(site, lookups.sites, within=name)
        return where["location"]["name"], where
    if kind == "dcim.region":
        return name, netbox.area(target)
    if kind == "circuits.providernetwork":
        return _network_name(target, lookups), None
    return name, None


def _network_name(network: dict[str, Any], lookups: Lookups) -> str:
    """With its provider: two of them may both have a "Core"."""
    listed = lookups.networks.get(needed(network, "id", int)) or {}
    provider = netbox.nested(listed, "provider", "name")
    return f"{netbox.name_of(network)} ({provider})" if provider else netbox.name_of(network)


def _virtual_end(end: dict[str, Any], lookups: Lookups) -> End:
    interface = field(end, "interface", dict) or {}
    devices = _devices([interface])
    device = (lookups.devices.get(devices[0]) if devices else None) or {}
    site = field(device, "site", dict)
    where = netbox.place(site, lookups.sites) if site else None
    port = _port(interface) or None
    details = {
        "role": _role(end),
        "interface": port,
        "site": where and where["location"]["name"],
        "description": field(end, "description", str),
    }
    return End(details["site"] or port, where, devices, _without_empty(details))


def _role(end: dict[str, Any]) -> Optional[str]:
    return netbox.nested(end, "role", "value")


def _devices(ports: list[dict[str, Any]]) -> tuple[int, ...]:
    devices = (field(port, "device", dict) for port in ports)
    return tuple(needed(device, "id", int) for device in devices if device)


def _port(port: dict[str, Any]) -> str:
    """A port as a person calls it: "tyo1-rt01 xe-0/0/0"; another circuit's end has no name."""
    name = port.get("name") or port.get("display")
    return " ".join(str(netbox.brief(each)) for each in (port.get("device"), name) if each)


def _without_empty(details: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in details.items() if each not in (None, "", [])}
