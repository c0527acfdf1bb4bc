"""VPN tunnels and L2VPNs with their ends, as NetBox documents them: it measures none of them.

API: GET /api/vpn/tunnels/, /tunnel-terminations/, /l2vpns/ and /l2vpn-terminations/, 1,000 a page or
what the server allows. https://netboxlabs.com/docs/netbox/models/vpn/tunnel/

Ends are read after what they end, and what they name after them: a link that is new in between then
lacks nothing. The end of a tunnel is an interface of a device or a virtual machine; that of an L2VPN
also a VLAN. A link has any number of ends. Hubs come first, then they are in the order of their names.

All count from 1, as circuits do: an id has "tunnel:" or "l2vpn:" before it. Neither has a carrier. An
L2VPN has a status from 4.3 on. The pre-shared key of a tunnel is in its IKE policy, which nobody asks for.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from nflex_connector_utils import Circuit, Connections, Locations

from shared.engine.poll import Requested
from shared.providers import netbox
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, time
from shared.records.status import Point

PERMISSIONS = (
    "dcim.view_device",
    "dcim.view_site",
    "ipam.view_vlan",
    "virtualization.view_virtualmachine",
    "vpn.view_l2vpn",
    "vpn.view_l2vpntermination",
    "vpn.view_tunnel",
    "vpn.view_tunneltermination",
)
CALLS = (
    "ceil(tunnels/1000) /tunnels + ceil(L2VPNs/1000) /l2vpns; where there are some + ceil(their ends/1000) "
    "/tunnel-terminations, /l2vpn-terminations; + 1 /devices, /virtual-machines, /vlans for each 400 of "
    "them at an end; with any end + ceil(sites/1000) /sites"
)

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
TUNNEL_END_FIELDS = ("id", "tunnel", "role", "termination_type", "termination", "outside_ip")
L2VPN_END_FIELDS = ("id", "l2vpn", "assigned_object_type", "assigned_object")
MACHINE_FIELDS = ("id", "name", "site")
VLAN_FIELDS = ("id", "vid", "name", "site", "group")
DETAILS = ("tenant", *netbox.COMMON_DETAILS)
TUNNEL_DETAILS = (*DETAILS, "group", "encapsulation", "ipsec_profile", "tunnel_id")
L2VPN_DETAILS = (*DETAILS, "slug", "type", "identifier", "import_targets", "export_targets")
# Words that an operator added are unknown.
STATES = {
    "active": "running",
    "decommissioning": "shutting",
    "disabled": "stopped",
    "planned": "pending",
}
# What a link's id begins with, the links' listing and fields, those of their ends.
LISTED = (
    ("tunnel", "vpn/tunnels", TUNNEL_FIELDS, "vpn/tunnel-terminations", TUNNEL_END_FIELDS),
    ("l2vpn", "vpn/l2vpns", L2VPN_FIELDS, "vpn/l2vpn-terminations", L2VPN_END_FIELDS),
)
FEW = 100  # links that are requested by their ids; for more, all are listed
LEVELS = {"running": "ok", "unknown": "unknown"}


@dataclasses.dataclass
class Lookups:
    """Filled by fetch, since an end must not be older than its link. All by NetBox's ids."""

    ends: dict[tuple[str, int], list[dict[str, Any]]]  # ("vpn.tunnel" or "vpn.l2vpn", its id)
    devices: dict[int, dict[str, Any]]
    machines: dict[int, dict[str, Any]]
    vlans: dict[int, dict[str, Any]]
    sites: dict[int, dict[str, Any]]


def lookups(scope: netbox.Scope) -> Lookups:
    return Lookups({}, {}, {}, {}, {})


def fetch(scope: netbox.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    links = []
    for key, listing, names, ends, end_names in LISTED:
        listed = list(netbox.pages(scope, listing, names))
        links += listed
        if any(listed):
            for page in netbox.pages(scope, ends, end_names):
                _add_ends(page, key, lookups)
    _read_what_is_at_the_ends(scope, lookups)
    yield from links


def fetch_status(
    scope: netbox.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    """The requested links and their ends, but not what is at the ends."""
    if requested is None or len(requested) > FEW:
        yield from fetch(scope, lookups)
        return
    for key, listing, names, ends, end_names in LISTED:
        begins = f"{key}:"
        ids = {int(each[len(begins) :]) for each in requested if _numbered(each, begins)}
        links = netbox.listed_by_ids(scope, listing, ids, names) if ids else {}
        if links:
            query: dict[str, Any] = {f"{key}_id": sorted(links)}
            for page in netbox.pages(scope, ends, end_names, **query):
                _add_ends(page, key, lookups)
        yield list(links.values())


def _add_ends(page: list[dict[str, Any]], key: str, lookups: Lookups) -> None:
    for end in page:
        link = needed(needed(end, key, dict), "id", int)
        lookups.ends.setdefault((f"vpn.{key}", link), []).append(end)


def _numbered(name: str, begins: str) -> bool:
    number = name[len(begins) :]
    return name.startswith(begins) and number.isascii() and number.isdigit() and len(number) < 10


def _read_what_is_at_the_ends(scope: netbox.Scope, lookups: Lookups) -> None:
    ids: dict[str, set[int]] = {"device": set(), "virtual_machine": set(), "vlan": set()}
    for ends in lookups.ends.values():
        for end in ends:
            for kind, number in _at(end).items():
                ids[kind].add(number)
    lookups.devices = netbox.listed_by_ids(
        scope, "dcim/devices", ids["device"], netbox.DEVICE_AT_END_FIELDS
    )
    lookups.machines = netbox.listed_by_ids(
        scope, "virtualization/virtual-machines", ids["virtual_machine"], MACHINE_FIELDS
    )
    lookups.vlans = netbox.listed_by_ids(scope, "ipam/vlans", ids["vlan"], VLAN_FIELDS)
    if lookups.ends:
        lookups.sites = netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS)


@dataclasses.dataclass(frozen=True)
class End:
    """One end of a link: its site, its name for a person, and what of other families it is at."""

    site: Optional[str]
    name: Optional[str]
    place: Optional[dict[str, Any]]
    at: dict[str, int]
    details: dict[str, Any]


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Circuit:
    number, ends = needed(record, "id", int), _ends(record, lookups)
    is_tunnel = needed(record, "object_type", str) == TUNNEL
    own_number = field(record, "tunnel_id" if is_tunnel else "identifier", int)
    cmp_state, word = netbox.state(record, STATES)
    endpoint_a, endpoint_b = first_two([(end.site, end.name) for end in ends])
    return Circuit(
        id=_link_id(record),
        name=netbox.name_of(record),
        type_id="wan_link",
        reference=None if own_number is None else str(own_number),
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        provider_created_at=time(record, "created"),
        locations=Locations(netbox.distinct(end.place for end in ends)),
        connections=_connections(ends, scope, lookups),
        metadata=netbox.details(
            record,
            TUNNEL_DETAILS if is_tunnel else L2VPN_DETAILS,
            link_kind="tunnel" if is_tunnel else "l2vpn",
            provider_state=word,
            state=cmp_state,
            ends=[end.details for end in ends],
        ),
        native_portal_link=f"{scope.url}/vpn/{'tunnels' if is_tunnel else 'l2vpns'}/{number}/",
    )


def status(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Iterable[Point]:
    """What NetBox documents: an active link is ok if it has two ends."""
    cmp_state, word = netbox.state(record, STATES)
    level = LEVELS.get(cmp_state, "warning")
    message = f"NetBox documents it as {word}" if word else "NetBox documents no status of it"
    ends = len(_ends(record, lookups))
    if ends < 2:
        message += f", with {ends or 'no'} end{'s' if not ends else ''}"
        level = "warning" if level == "ok" else level
    return [Point(_link_id(record), "circuit", level, message, None)]


def _link_id(record: dict[str, Any]) -> str:
    kind = "tunnel" if needed(record, "object_type", str) == TUNNEL else "l2vpn"
    return f"{kind}:{needed(record, 'id', int)}"


def _connections(ends: list[End], scope: netbox.Scope, lookups: Lookups) -> Connections:
    """What other families report of the ends; what went while the lists were read is left out."""
    servers: set[str] = set()
    appliances: set[str] = set()
    networks: set[str] = set()
    for end in ends:
        number = end.at.get("device")
        if number in lookups.devices:
            kind = netbox.device_kind(lookups.devices[number], scope.device_kinds)
            (servers if kind == "server" else appliances).add(str(number))
        if end.at.get("virtual_machine") in lookups.machines:
            servers.add(f"virtual-machine:{end.at['virtual_machine']}")
        if end.at.get("vlan") in lookups.vlans:
            networks.add(f"vlan:{end.at['vlan']}")
    return Connections(
        servers=sorted(servers), appliances=sorted(appliances), networks=sorted(networks)
    )


# --- ends -----------------------------------------------------------------------------------------


def _ends(record: dict[str, Any], lookups: Lookups) -> list[End]:
    key = needed(record, "object_type", str), needed(record, "id", int)
    numbered = [(needed(end, "id", int), end) for end in lookups.ends.get(key, ())]
    ends = [(number, _end(end, lookups)) for number, end in numbered]
    ends.sort(key=lambda each: (each[1].details.get("role") != "hub", each[1].name or "", each[0]))
    return [end for _, end in ends]


def _end(end: dict[str, Any], lookups: Lookups) -> End:
    at, target = _at(end), _target(end)
    inside = "virtual_machine" if "virtual_machine" in at else "device"
    box = field(target, inside, dict)
    known: dict[str, Any] = {}
    for kind, records in (
        ("device", lookups.devices),
        ("virtual_machine", lookups.machines),
        ("vlan", lookups.vlans),
    ):
        known = records.get(at.get(kind, -1)) or known
    site = field(known, "site", dict)
    where = netbox.place(site, lookups.sites) if site else None
    vid = field(target, "vid", int)
    parts = (None if vid is None else f"VLAN {vid}", netbox.brief(box), field(target, "name", str))
    named = " ".join(str(each) for each in parts if each) or None
    spot = where["location"]["name"] if where else None
    details = {
        "role": netbox.nested(end, "role", "value"),
        "type": _kind(end),
        "name": named,
        "site": spot,
        "outside_ip": netbox.nested(end, "outside_ip", "address"),
    }
    return End(
        site=spot,
        name=f"{spot} ({named})" if spot and named else spot or named,
        place=where,
        at=at,
        details={name: each for name, each in details.items() if each},
    )


def _kind(end: dict[str, Any]) -> Optional[str]:
    return field(end, "termination_type", str) or field(end, "assigned_object_type", str)


def _target(end: dict[str, Any]) -> dict[str, Any]:
    return field(end, "termination", dict) or field(end, "assigned_object", dict) or {}


def _at(end: dict[str, Any]) -> dict[str, int]:
    """What an end is at, by kind and NetBox's id: a device, a virtual machine or a VLAN."""
    target = _target(end)
    if _kind(end) == "ipam.vlan":
        return {"vlan": needed(target, "id", int)}
    boxes = ((kind, field(target, kind, dict)) for kind in ("device", "virtual_machine"))
    return {kind: needed(box, "id", int) for kind, box in boxes if box}
