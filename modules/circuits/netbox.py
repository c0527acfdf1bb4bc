"""Circuits and virtual circuits: carrier, rate, dates, and what each of their terminations is at.

API: GET /api/circuits/circuits/, /circuit-terminations/, /virtual-circuits/ (from 4.2), and their
/virtual-circuit-terminations/, 1,000 a page or as many as the server allows.
https://netboxlabs.com/docs/netbox/models/circuits/circuit/

Circuits are requested without their two terminations, which cost NetBox a query each; the list of all
terminations costs it a few queries a page, and includes what is at the other side of the cable. Terminations
are read after the circuits, and what they refer to after them, so that a circuit created in between is
complete; until then the circuits wait (shared/providers/netbox/packed.py). A circuit has 0, 1 or 2
terminations. NetBox has no model of a cloud: a cloud is a provider network.

A virtual circuit terminates at interfaces: its endpoints are the sites of their devices, the hub before the
spokes. Where NetBox has one termination only, the other endpoint is the provider network that carries it.

Rates are in kbit/s, dates are days. A reference (cid) is unique within a carrier only, so ids are NetBox's;
those of virtual circuits, which NetBox also numbers from 1, get the prefix "virtual-circuit:".
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Callable, Optional

from nflex_connector_utils import Circuit, Connections, Locations

from shared.engine.contracts import Cell, Page
from shared.providers import netbox
from shared.records.fields import field, needed, objects, time

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
TERMINATION_DETAILS = (
    "termination_type",
    "termination",
    "site",  # up to 4.1, as provider_network
    "provider_network",
    "port_speed",
    "upstream_speed",
    "xconnect_id",
    "pp_info",
    "description",
    "link_peers",
    "link_peers_type",
)
TERMINATION_FIELDS = ("id", "circuit", "term_side", *TERMINATION_DETAILS)
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
VIRTUAL_TERMINATION_DETAILS = ("role", "interface", "description")
VIRTUAL_TERMINATION_FIELDS = ("id", "virtual_circuit", *VIRTUAL_TERMINATION_DETAILS)
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


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What circuits refer to, by NetBox's ids. It is read after the circuits. Terminations are packed."""

    terminations: Mapping[tuple[int, str], bytes]  # of (circuit, "A" or "Z")
    virtual_terminations: Mapping[int, list[bytes]]  # of each virtual circuit
    networks: Mapping[int, dict[str, Any]]  # of providers
    devices: Mapping[int, dict[str, Any]]
    locations: Mapping[int, dict[str, Any]]
    sites: Mapping[int, dict[str, Any]]


def fetch(scope: netbox.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    kinds = (lambda: _circuits(scope), lambda: _virtual_circuits(scope))
    (circuits, terminations), (virtual_circuits, virtual_terminations) = scope.workers.ahead(kinds)
    lookups = _look_up(scope, terminations, virtual_terminations)
    for page in (*circuits, *virtual_circuits):
        yield Page(netbox.unpacked_page(page), lookups)


def _circuits(scope: netbox.Scope) -> tuple[list[bytes], dict[Any, Any]]:
    """The pages, and then the terminations by (circuit, side)."""
    circuits = netbox.packed_pages(netbox.pages(scope, "circuits/circuits", FIELDS))
    terminations: dict[tuple[int, str], bytes] = {}
    for page in netbox.pages(scope, "circuits/circuit-terminations", TERMINATION_FIELDS):
        for termination in page:  # by id, so that one that was recreated replaces the old one
            circuit = needed(needed(termination, "circuit", dict), "id", int)
            side = needed(termination, "term_side", str)
            terminations[circuit, side] = netbox.packed(termination, TERMINATION_DETAILS)
    return circuits, terminations


def _virtual_circuits(scope: netbox.Scope) -> tuple[list[bytes], dict[Any, Any]]:
    """The pages, and then the terminations by virtual circuit, if there is one."""
    circuits = _virtual_pages(scope)
    return circuits, _virtual_terminations(scope) if any(circuits) else {}


def _virtual_pages(scope: netbox.Scope) -> list[bytes]:
    pages = netbox.pages(scope, "circuits/virtual-circuits", VIRTUAL_FIELDS)
    try:
        return netbox.packed_pages(pages)
    except netbox.NotOffered:
        if scope.version >= VIRTUAL_CIRCUITS:
            raise
        return []


def _virtual_terminations(scope: netbox.Scope) -> dict[int, list[bytes]]:
    terminations: dict[int, list[bytes]] = {}
    listing = "circuits/virtual-circuit-terminations"
    for page in netbox.pages(scope, listing, VIRTUAL_TERMINATION_FIELDS):
        for termination in page:
            circuit = needed(needed(termination, "virtual_circuit", dict), "id", int)
            packed = netbox.packed(termination, VIRTUAL_TERMINATION_DETAILS)
            terminations.setdefault(circuit, []).append(packed)
    return terminations


def _look_up(
    scope: netbox.Scope,
    terminations: Mapping[tuple[int, str], bytes],
    virtual_terminations: Mapping[int, list[bytes]],
) -> Lookups:
    """Reads what the terminations refer to."""
    device_ids = {
        device
        for one in map(netbox.unpacked, terminations.values())
        for device in _devices(objects(one, "link_peers"))
    }
    for one in map(netbox.unpacked, chain.from_iterable(virtual_terminations.values())):
        device_ids.update(_devices([field(one, "interface", dict) or {}]))
    listings: tuple[Callable[[], dict[int, dict[str, Any]]], ...] = (
        lambda: netbox.listed(scope, "circuits/provider-networks", NETWORK_FIELDS),
        lambda: netbox.listed_by_ids(
            scope, "dcim/devices", device_ids, netbox.DEVICE_AT_ENDPOINT_FIELDS
        ),
        lambda: netbox.listed(scope, "dcim/locations", netbox.LOCATION_FIELDS),
        lambda: netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS),
    )
    return Lookups(terminations, virtual_terminations, *scope.workers.ahead(listings))


@dataclasses.dataclass(frozen=True)
class Termination:
    """One side of a circuit: its name for people, its location, and the devices that it is wired to."""

    name: Optional[str]
    location: Optional[dict[str, Any]] = None
    devices: tuple[int, ...] = ()
    details: dict[str, Any] = dataclasses.field(default_factory=dict)


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Circuit:
    number = needed(record, "id", int)
    if needed(record, "object_type", str) == VIRTUAL:
        return _virtual_circuit(record, number, scope, lookups)
    side_a, side_z = (
        _termination(lookups.terminations.get((number, side)), lookups) for side in ("A", "Z")
    )
    return _circuit(
        record,
        scope,
        lookups,
        circuit_id=str(number),
        page="circuits",
        carrier=needed(needed(record, "provider", dict), "name", str),
        sides=([side_a] if side_a else [], [side_z] if side_z else []),
        details={
            "commit_rate_bps": _bps(record, "commit_rate"),
            "termination_a": side_a.details if side_a else None,
            "termination_z": side_z.details if side_z else None,
        },
    )


def _virtual_circuit(
    record: dict[str, Any], number: int, scope: netbox.Scope, lookups: Lookups
) -> Circuit:
    carried_by = needed(record, "provider_network", dict)
    network = lookups.networks.get(needed(carried_by, "id", int)) or {}
    records = sorted(
        map(netbox.unpacked, lookups.virtual_terminations.get(number, ())),
        key=lambda one: _role(one) != "hub",
    )
    terminations = [_virtual_termination(one, lookups) for one in records]
    hubs = sum(_role(one) == "hub" for one in records) or 1
    far = terminations[hubs:]
    if len(terminations) == 1:
        far = [Termination(_network_name(carried_by, lookups))]
    return _circuit(
        record,
        scope,
        lookups,
        circuit_id=f"virtual-circuit:{number}",
        page="virtual-circuits",
        carrier=netbox.nested(network, "provider", "name"),
        sides=(terminations[:hubs], far),
        details={
            "provider_network": netbox.name_of(carried_by),
            "service_id": field(network, "service_id", str),
            "terminations": [one.details for one in terminations],
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
    sides: tuple[list[Termination], list[Termination]],
    details: dict[str, Any],
) -> Circuit:
    """What circuits and virtual circuits have in common."""
    cid = needed(record, "cid", str)
    number = needed(record, "id", int)
    terminations = [one for side in sides for one in side]
    cmp_state, provider_state = netbox.state(record, STATES)
    return Circuit(
        id=circuit_id,
        name=cid,
        type_id=netbox.nested(record, "type", "slug"),
        carrier=carrier,
        reference=cid,
        endpoint_a=_names(sides[0]),
        endpoint_b=_names(sides[1]),
        provider_created_at=time(record, "created"),
        locations=Locations(netbox.distinct(one.location for one in terminations)),
        connections=_connections(terminations, scope, lookups),
        metadata=netbox.details(
            record,
            DETAILS,
            account=netbox.nested(record, "provider_account", "account"),
            provider_state=provider_state,
            state=cmp_state,
            **details,
        ),
        native_portal_link=f"{scope.url}/circuits/{page}/{number}/",
    )


def _names(side: list[Termination]) -> Optional[str]:
    return ", ".join(dict.fromkeys(one.name for one in side if one.name)) or None


def _connections(
    terminations: list[Termination], scope: netbox.Scope, lookups: Lookups
) -> Connections:
    """The devices at the terminations: servers or appliances, as those families report them."""
    servers: set[int] = set()
    appliances: set[int] = set()
    for device_id in {device for one in terminations for device in one.devices}:
        device = lookups.devices.get(device_id)
        if device is not None:  # else it was deleted while the lists were read
            kind = netbox.device_kind(device, scope.device_kinds)
            (servers if kind == "server" else appliances).add(device_id)
    return Connections(
        servers=[str(device_id) for device_id in sorted(servers)],
        appliances=[str(device_id) for device_id in sorted(appliances)],
    )


def _bps(record: dict[str, Any], name: str) -> Optional[int]:
    kbps = field(record, name, int)
    return None if kbps is None else kbps * 1000


# --- terminations ---------------------------------------------------------------------------------


def _termination(packed: Optional[bytes], lookups: Lookups) -> Optional[Termination]:
    if packed is None:
        return None
    record = netbox.unpacked(packed)
    kind, target = _target(record)
    name, location = _name_and_location(kind, target, lookups)
    peers = objects(record, "link_peers")
    details = {
        "type": kind,
        "name": name,
        "port_speed_bps": _bps(record, "port_speed"),
        "upstream_speed_bps": _bps(record, "upstream_speed"),
        "xconnect_id": field(record, "xconnect_id", str),
        "pp_info": field(record, "pp_info", str),
        "description": field(record, "description", str),
        "link_peers_type": field(record, "link_peers_type", str),
        "link_peers": [_port(peer) for peer in peers],
    }
    return Termination(name, location, _devices(peers), _without_empty(details))


def _target(termination: dict[str, Any]) -> tuple[Optional[str], dict[str, Any]]:
    """What a termination is at, and of which kind; before 4.2 it is one of two fields."""
    target = field(termination, "termination", dict)
    if target:
        return field(termination, "termination_type", str), target
    for kind, name in (("dcim.site", "site"), ("circuits.providernetwork", "provider_network")):
        target = field(termination, name, dict)
        if target:
            return kind, target
    return None, {}


def _name_and_location(
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
        location = netbox.place(site, lookups.sites, within=name)
        return location["location"]["name"], location
    if kind == "dcim.region":
        return name, netbox.area(target)
    if kind == "circuits.providernetwork":
        return _network_name(target, lookups), None
    return name, None


def _network_name(network: dict[str, Any], lookups: Lookups) -> str:
    """With its provider's name: two providers may each have a "Core"."""
    listed = lookups.networks.get(needed(network, "id", int)) or {}
    provider = netbox.nested(listed, "provider", "name")
    return f"{netbox.name_of(network)} ({provider})" if provider else netbox.name_of(network)


def _virtual_termination(record: dict[str, Any], lookups: Lookups) -> Termination:
    interface = field(record, "interface", dict) or {}
    devices = _devices([interface])
    device = (lookups.devices.get(devices[0]) if devices else None) or {}
    site = field(device, "site", dict)
    location = netbox.place(site, lookups.sites) if site else None
    port = _port(interface) or None
    details = {
        "role": _role(record),
        "interface": port,
        "site": location and location["location"]["name"],
        "description": field(record, "description", str),
    }
    return Termination(details["site"] or port, location, devices, _without_empty(details))


def _role(termination: dict[str, Any]) -> Optional[str]:
    return netbox.nested(termination, "role", "value")


def _devices(ports: Iterable[dict[str, Any]]) -> tuple[int, ...]:
    devices = (field(port, "device", dict) for port in ports)
    return tuple(needed(device, "id", int) for device in devices if device)


def _port(port: dict[str, Any]) -> str:
    """A port's name for people: "tyo1-rt01 xe-0/0/0". The termination of another circuit has no name."""
    name = port.get("name") or port.get("display")
    return " ".join(str(netbox.brief(part)) for part in (port.get("device"), name) if part)


def _without_empty(details: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in details.items() if value not in (None, "", [])}


CELL = Cell(
    calls=(
        "ceil(circuits/1000) /circuits + ceil(ends/1000) /circuit-terminations "
        "+ ceil(virtual/1000) /virtual-circuits + ceil(provider networks/1000) /provider-networks "
        "+ ceil(locations/1000) /locations + ceil(sites/1000) /sites; where there are virtual circuits: "
        "+ ceil(their ends/1000) /virtual-circuit-terminations; + 1 /devices for each 400 devices at an "
        "end; before 4.2: + 1 /status"
    ),
    permissions=(
        "circuits.view_circuit",
        "circuits.view_circuittermination",
        "circuits.view_providernetwork",
        "circuits.view_virtualcircuit",
        "circuits.view_virtualcircuittermination",
        "dcim.view_device",
        "dcim.view_location",
        "dcim.view_site",
    ),
    fetch=fetch,
    convert=convert,
)
