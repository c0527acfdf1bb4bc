"""VPN tunnels and L2VPNs with their endpoints, as NetBox documents them. NetBox does not monitor them.

API: GET /api/vpn/tunnels/, /tunnel-terminations/, /l2vpns/ and /l2vpn-terminations/, 1,000 a page or as many
as the server allows. https://netboxlabs.com/docs/netbox/models/vpn/tunnel/

Terminations are read after the links, and what they refer to after them, so that a link created in between is
complete; until then the links wait (shared/providers/netbox/packed.py). A tunnel terminates at an interface of
a device or a virtual machine; an L2VPN also at a VLAN. A link has any number of endpoints: hubs first, then
sorted by name.

NetBox numbers tunnels and L2VPNs from 1, as it does circuits, so an id gets the prefix "tunnel:" or "l2vpn:".
Neither has a carrier. L2VPNs have a status from 4.3 on. The pre-shared key of a tunnel is in its IKE policy,
which is never requested.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Callable, Optional

from nflex_connector_utils import Circuit, Connections, Locations

from shared.engine.contracts import Cell, Page, Requested, Status
from shared.providers import netbox
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, time
from shared.records.status import Point

TUNNEL = "vpn.tunnel"
FIELDS = (
    "id",
    "name",
    "status",  # of an L2VPN: from 4.3
    "tenant",
    *netbox.COMMON_FIELDS,
)
TUNNEL_FIELDS = (*FIELDS, "group", "encapsulation", "ipsec_profile", "tunnel_id")
L2VPN_FIELDS = (*FIELDS, "slug", "type", "identifier", "import_targets", "export_targets")
TUNNEL_TERMINATION_FIELDS = (
    "id",
    "tunnel",
    "role",
    "termination_type",
    "termination",
    "outside_ip",
)
L2VPN_TERMINATION_FIELDS = ("id", "l2vpn", "assigned_object_type", "assigned_object")
MACHINE_FIELDS = ("id", "name", "site")
VLAN_FIELDS = ("id", "vid", "name", "site", "group")
DETAILS = ("tenant", *netbox.COMMON_DETAILS)
TUNNEL_DETAILS = (*DETAILS, "group", "encapsulation", "ipsec_profile", "tunnel_id")
L2VPN_DETAILS = (*DETAILS, "slug", "type", "identifier", "import_targets", "export_targets")
# Operators may add states of their own; those are unknown.
STATES = {
    "active": "running",
    "decommissioning": "shutting",
    "disabled": "stopped",
    "planned": "pending",
}
LEVELS = {"running": "ok", "unknown": "unknown"}
MOST_REQUESTED = 100  # links that are requested by id; if there are more, all links are listed


@dataclasses.dataclass(frozen=True)
class Kind:
    """Where NetBox lists the links of a kind and their terminations."""

    name: str  # as in NetBox's "vpn.<name>"; it begins the links' ids
    listing: str
    fields: tuple[str, ...]
    terminations: str
    termination_fields: tuple[str, ...]


KINDS = (
    Kind(
        "tunnel",
        "vpn/tunnels",
        TUNNEL_FIELDS,
        "vpn/tunnel-terminations",
        TUNNEL_TERMINATION_FIELDS,
    ),
    Kind("l2vpn", "vpn/l2vpns", L2VPN_FIELDS, "vpn/l2vpn-terminations", L2VPN_TERMINATION_FIELDS),
)

# Of ("vpn.tunnel" or "vpn.l2vpn", id), packed
Terminations = dict[tuple[str, int], list[bytes]]


@dataclasses.dataclass(frozen=True)
class Lookups:
    """The terminations of the links, and what these are at, by NetBox's ids. It is read after the links."""

    terminations: Terminations
    devices: Mapping[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    machines: Mapping[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    vlans: Mapping[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    sites: Mapping[int, dict[str, Any]] = dataclasses.field(default_factory=dict)


Pages = Iterator[Page[dict[str, Any], Lookups]]


def fetch(scope: netbox.Scope) -> Pages:
    pages: list[bytes] = []
    terminations: Terminations = {}
    for listed, their_terminations in scope.workers.map(lambda kind: _links(scope, kind), KINDS):
        pages += listed
        terminations.update(their_terminations)
    lookups = _look_up(scope, terminations)
    for page in pages:
        yield Page(netbox.unpacked_page(page), lookups)


def _links(scope: netbox.Scope, kind: Kind) -> tuple[list[bytes], Terminations]:
    """The pages, and then the terminations, if there is a link."""
    pages = netbox.packed_pages(netbox.pages(scope, kind.listing, kind.fields))
    return pages, _terminations(scope, kind) if any(pages) else {}


def fetch_status(scope: netbox.Scope, requested: Requested) -> Pages:
    """The requested links and their terminations, but not what these are at."""
    if requested is None or len(requested) > MOST_REQUESTED:
        yield from fetch(scope)
        return
    yield from scope.workers.ahead(
        functools.partial(_requested_links, scope, kind, requested) for kind in KINDS
    )


def _requested_links(
    scope: netbox.Scope, kind: Kind, requested: Iterable[str]
) -> Page[dict[str, Any], Lookups]:
    ids = _numbers(requested, f"{kind.name}:")
    links = netbox.listed_by_ids(scope, kind.listing, ids, kind.fields) if ids else {}
    terminations: Terminations = {}
    if links:
        terminations = _terminations(scope, kind, **{f"{kind.name}_id": sorted(links)})
    return Page(list(links.values()), Lookups(terminations))


def _numbers(link_ids: Iterable[str], prefix: str) -> set[int]:
    """NetBox's ids of the links whose ids have this prefix; any text may be requested."""
    numbers = (link_id[len(prefix) :] for link_id in link_ids if link_id.startswith(prefix))
    return {int(number) for number in numbers if re.fullmatch("[0-9]{1,9}", number)}


def _terminations(scope: netbox.Scope, kind: Kind, **query: Any) -> Terminations:
    terminations: Terminations = {}
    for page in netbox.pages(scope, kind.terminations, kind.termination_fields, **query):
        for termination in page:
            link = needed(needed(termination, kind.name, dict), "id", int)
            packed = netbox.packed(termination, kind.termination_fields)
            terminations.setdefault((f"vpn.{kind.name}", link), []).append(packed)
    return terminations


def _look_up(scope: netbox.Scope, terminations: Terminations) -> Lookups:
    """Reads what the terminations are at."""
    ids: dict[str, set[int]] = {"device": set(), "virtual_machine": set(), "vlan": set()}
    for of_link in terminations.values():
        for termination in map(netbox.unpacked, of_link):
            for kind, number in _at(termination).items():
                ids[kind].add(number)
    listings: tuple[Callable[[], dict[int, dict[str, Any]]], ...] = (
        lambda: netbox.listed_by_ids(
            scope, "dcim/devices", ids["device"], netbox.DEVICE_AT_ENDPOINT_FIELDS
        ),
        lambda: netbox.listed_by_ids(
            scope, "virtualization/virtual-machines", ids["virtual_machine"], MACHINE_FIELDS
        ),
        lambda: netbox.listed_by_ids(scope, "ipam/vlans", ids["vlan"], VLAN_FIELDS),
        lambda: netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS) if terminations else {},
    )
    devices, machines, vlans, sites = scope.workers.ahead(listings)
    return Lookups(terminations, devices, machines, vlans, sites)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One endpoint of a link: its site, its name for people, and what it is at (``_at``)."""

    site: Optional[str]
    name: Optional[str]
    location: Optional[dict[str, Any]]
    at: dict[str, int]
    details: dict[str, Any]


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Circuit:
    number, endpoints = needed(record, "id", int), _endpoints(record, lookups)
    is_tunnel = needed(record, "object_type", str) == TUNNEL
    reference = field(record, "tunnel_id" if is_tunnel else "identifier", int)
    cmp_state, provider_state = netbox.state(record, STATES)
    endpoint_a, endpoint_b = first_two([(one.site, one.name) for one in endpoints])
    return Circuit(
        id=_link_id(record),
        name=netbox.name_of(record),
        type_id="wan_link",
        reference=None if reference is None else str(reference),
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        provider_created_at=time(record, "created"),
        locations=Locations(netbox.distinct(one.location for one in endpoints)),
        connections=_connections(endpoints, scope, lookups),
        metadata=netbox.details(
            record,
            TUNNEL_DETAILS if is_tunnel else L2VPN_DETAILS,
            link_kind="tunnel" if is_tunnel else "l2vpn",
            provider_state=provider_state,
            state=cmp_state,
            ends=[one.details for one in endpoints],
        ),
        native_portal_link=f"{scope.url}/vpn/{'tunnels' if is_tunnel else 'l2vpns'}/{number}/",
    )


def status(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Iterable[Point]:
    """The documented status: an active link is ok if it has two endpoints."""
    cmp_state, provider_state = netbox.state(record, STATES)
    level = LEVELS.get(cmp_state, "warning")
    message = "NetBox documents no status of it"
    if provider_state:
        message = f"NetBox documents it as {provider_state}"
    count = len(_endpoints(record, lookups))
    if count < 2:
        message += f", with {count or 'no'} end{'s' if not count else ''}"
        level = "warning" if level == "ok" else level
    return [Point(_link_id(record), "circuit", level, message, None)]


def _link_id(record: dict[str, Any]) -> str:
    kind = "tunnel" if needed(record, "object_type", str) == TUNNEL else "l2vpn"
    return f"{kind}:{needed(record, 'id', int)}"


def _connections(endpoints: list[Endpoint], scope: netbox.Scope, lookups: Lookups) -> Connections:
    """What other families report of the endpoints, without what was deleted while the lists were read."""
    servers: set[str] = set()
    appliances: set[str] = set()
    networks: set[str] = set()
    for endpoint in endpoints:
        device = lookups.devices.get(endpoint.at.get("device", -1))
        if device is not None:
            kind = netbox.device_kind(device, scope.device_kinds)
            (servers if kind == "server" else appliances).add(str(endpoint.at["device"]))
        if endpoint.at.get("virtual_machine") in lookups.machines:
            servers.add(f"virtual-machine:{endpoint.at['virtual_machine']}")
        if endpoint.at.get("vlan") in lookups.vlans:
            networks.add(f"vlan:{endpoint.at['vlan']}")
    return Connections(
        servers=sorted(servers), appliances=sorted(appliances), networks=sorted(networks)
    )


# --- endpoints ------------------------------------------------------------------------------------


def _endpoints(record: dict[str, Any], lookups: Lookups) -> list[Endpoint]:
    """The link's endpoints: hubs first, then sorted by name."""
    link = needed(record, "object_type", str), needed(record, "id", int)
    numbered = [
        (needed(termination, "id", int), _endpoint(termination, lookups))
        for termination in map(netbox.unpacked, lookups.terminations.get(link, ()))
    ]

    def order(pair: tuple[int, Endpoint]) -> tuple[bool, str, int]:
        number, endpoint = pair
        return endpoint.details.get("role") != "hub", endpoint.name or "", number

    return [endpoint for _, endpoint in sorted(numbered, key=order)]


def _endpoint(termination: dict[str, Any], lookups: Lookups) -> Endpoint:
    at, target = _at(termination), _target(termination)
    host = field(target, "virtual_machine" if "virtual_machine" in at else "device", dict)
    known: dict[str, Any] = {}
    for kind, records in (
        ("device", lookups.devices),
        ("virtual_machine", lookups.machines),
        ("vlan", lookups.vlans),
    ):
        known = records.get(at.get(kind, -1)) or known
    site = field(known, "site", dict)
    location = netbox.place(site, lookups.sites) if site else None
    site_name = location["location"]["name"] if location else None
    vid = field(target, "vid", int)
    parts = (None if vid is None else f"VLAN {vid}", netbox.brief(host), field(target, "name", str))
    name = " ".join(str(part) for part in parts if part) or None
    details = {
        "role": netbox.nested(termination, "role", "value"),
        "type": _target_kind(termination),
        "name": name,
        "site": site_name,
        "outside_ip": netbox.nested(termination, "outside_ip", "address"),
    }
    return Endpoint(
        site=site_name,
        name=f"{site_name} ({name})" if site_name and name else site_name or name,
        location=location,
        at=at,
        details={key: value for key, value in details.items() if value},
    )


def _target_kind(termination: dict[str, Any]) -> Optional[str]:
    return field(termination, "termination_type", str) or field(
        termination, "assigned_object_type", str
    )


def _target(termination: dict[str, Any]) -> dict[str, Any]:
    return (
        field(termination, "termination", dict) or field(termination, "assigned_object", dict) or {}
    )


def _at(termination: dict[str, Any]) -> dict[str, int]:
    """What a termination is at: the kind (a device, a virtual machine or a VLAN) and NetBox's id."""
    target = _target(termination)
    if _target_kind(termination) == "ipam.vlan":
        return {"vlan": needed(target, "id", int)}
    hosts = ((kind, field(target, kind, dict)) for kind in ("device", "virtual_machine"))
    return {kind: needed(host, "id", int) for kind, host in hosts if host}


_PERMISSIONS = (
    "dcim.view_device",
    "dcim.view_site",
    "ipam.view_vlan",
    "virtualization.view_virtualmachine",
    "vpn.view_l2vpn",
    "vpn.view_l2vpntermination",
    "vpn.view_tunnel",
    "vpn.view_tunneltermination",
)
CELL = Cell(
    calls=(
        "ceil(tunnels/1000) /tunnels + ceil(L2VPNs/1000) /l2vpns; where there are some + ceil(their ends/1000) "
        "/tunnel-terminations, /l2vpn-terminations; + 1 /devices, /virtual-machines, /vlans for each 400 of "
        "them at an end; with any end + ceil(sites/1000) /sites"
    ),
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    status=Status(permissions=_PERMISSIONS, points=status, fetch=fetch_status),
)
