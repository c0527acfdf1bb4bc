"""IPsec site connections of VPNaaS, BGP VPNs and L2 gateway connections, where Neutron has them.

API: Networking v2.0 and its extensions, GET /vpn/ipsec-site-connections, /bgpvpn/bgpvpns and
/l2-gateway-connections, 1,000 a page; a cloud without any of these has no circuits.
https://docs.openstack.org/api-ref/network/v2/

An IPsec site connection holds its pre-shared key: that field is never requested. As shipped, VPNaaS shows
connections to members only, and an empty list to a reader: an empty list counts only where the login has
role member. L2 gateways are the cloud's own: Neutron shows them to admins only, and where another login
gets a 403, no circuit of its project is missing. A BGP VPN lists its associations itself; its route
targets, which identify it to the other side, are shown to admins only.

Only IPsec site connections have a status.
"""

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Circuit, Connections, Region

from shared.engine.contracts import Cell, Dropped, Page, Requested, Status
from shared.engine.errors import InsufficientPermission
from shared.providers import openstack
from shared.records.fields import field, items, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

Record = dict[str, Any]

EXTENSIONS = {"bgpvpn", "l2-gateway-connection", "vpnaas"}
MEMBERS = {"_member_", "admin", "manager", "member"}  # the roles that VPNaaS shows something to
SITE_LEVELS = {
    "ACTIVE": "ok",
    "BUILD": "warning",
    "CREATED": "warning",
    "DOWN": "error",
    "ERROR": "error",
    "INACTIVE": "warning",
    "PENDING_CREATE": "warning",
    "PENDING_DELETE": "warning",
    "PENDING_UPDATE": "ok",
}
SITE_DETAILS = (
    "admin_state_up",
    "auth_mode",
    "description",
    "dpd",
    "ikepolicy_id",
    "initiator",
    "ipsecpolicy_id",
    "local_id",
    "mtu",
    "peer_address",
    "peer_cidrs",
    "peer_id",
    "project_id",
    "route_mode",
    "status",
    "vpnservice_id",
)
STATUS_FIELDS = ("id", "project_id", "tenant_id", "admin_state_up", "status")
SITE_FIELDS = ("id", "name", "local_ep_group_id", "peer_ep_group_id", *SITE_DETAILS)
SERVICE_DETAILS = ("name", "status", "external_v4_ip", "external_v6_ip", "router_id", "subnet_id")
BGPVPN_DETAILS = (
    "export_targets",
    "import_targets",
    "local_pref",
    "project_id",
    "route_distinguishers",
    "route_targets",
    "type",
    "vni",
)
L2_DETAILS = ("l2_gateway_id", "network_id", "project_id", "segmentation_id", "tenant_id")


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What circuits only name, by id."""

    networks: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    routers: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    subnets: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    ports: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    services: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    groups: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    gateways: Mapping[str, Record] = dataclasses.field(default_factory=dict)


def fetch(scope: openstack.Scope) -> Iterator[Page[Record, Lookups]]:
    extensions = openstack.extensions(scope)
    if extensions.isdisjoint(EXTENSIONS):
        return
    lookups = _look_up(scope, extensions)
    kinds = []
    if "vpnaas" in extensions:
        kinds.append(_sites(scope, lookups, with_groups="vpn-endpoint-groups" in extensions))
    if "bgpvpn" in extensions:
        kinds.append(_bgpvpns(scope, lookups))
    if "l2-gateway-connection" in extensions:
        kinds.append(_l2_connections(scope, lookups))
    yield from scope.workers.pages(*kinds)


def _look_up(scope: openstack.Scope, extensions: Container[str]) -> Lookups:
    listings: list[Callable[[], dict[str, Record]]] = [lambda: openstack.networks(scope)]
    if "router" in extensions:
        fields = ("id", "name", "project_id")
        listings.append(lambda: _listed(scope, "/routers", "routers", fields))
    networks, *more = scope.workers.ahead(listings)
    routers = more[0] if more else {}
    # Only these prove the permission: what the extensions list follows other rules.
    openstack.require_network_permissions(scope, chain(routers.values(), networks.values()))
    return Lookups(networks, routers)


def _listed(
    scope: openstack.Scope, path: str, key: str, fields: Iterable[str] = ()
) -> dict[str, Record]:
    query = {**openstack.own(scope), **({"fields": tuple(fields)} if fields else {})}
    return openstack.listed(scope, "network", path, key, query)


def _sites(
    scope: openstack.Scope, lookups: Lookups, with_groups: bool
) -> Iterator[Page[Record, Lookups]]:
    query = {**openstack.own(scope), "fields": SITE_FIELDS}
    path, key = "/vpn/ipsec-site-connections", "ipsec_site_connections"
    seen = False
    for sites in openstack.pages(scope, "network", path, key, params=query):
        if sites and not seen:
            seen, lookups = True, _with_services(scope, lookups, with_groups)
        yield Page(openstack.of_kind("ipsec_site_connection", sites), lookups)
    if not seen:
        _require_member(scope)


def _with_services(scope: openstack.Scope, lookups: Lookups, with_groups: bool) -> Lookups:
    # All subnets that the login sees: an endpoint can be one that another project shares.
    query = {"fields": ("id", "name", "cidr", "network_id")}
    services, groups, subnets = scope.workers.ahead(
        (
            lambda: _listed(scope, "/vpn/vpnservices", "vpnservices"),
            lambda: (
                _listed(scope, "/vpn/endpoint-groups", "endpoint_groups") if with_groups else {}
            ),
            lambda: openstack.listed(scope, "network", "/subnets", "subnets", query),
        )
    )
    return dataclasses.replace(lookups, services=services, groups=groups, subnets=subnets)


def _require_member(scope: openstack.Scope) -> None:
    """Raise InsufficientPermission unless a list without site connections means that there are none.

    It does where the login has role member, or sees a VPN service, which has the same policy.
    """
    roles = scope.session.access.role_names
    if not MEMBERS.isdisjoint(role.lower() for role in roles):
        return
    query = {**openstack.own(scope), "fields": "id", "limit": 1}
    if not objects(openstack.get(scope, "network", "/vpn/vpnservices", query), "vpnservices"):
        raise InsufficientPermission(
            f"network: VPNaaS lets role {', '.join(roles) or 'none'} of the login see no IPsec site "
            f"connection of project {scope.session.project}, and does not say whether there are any; "
            "role member is needed"
        )


def _bgpvpns(scope: openstack.Scope, lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    query = openstack.own(scope)
    for bgpvpns in openstack.pages(scope, "network", "/bgpvpn/bgpvpns", "bgpvpns", params=query):
        if not lookups.ports and any(bgpvpn.get("ports") for bgpvpn in bgpvpns):
            ports = _listed(scope, "/ports", "ports", fields=("id", "network_id"))
            lookups = dataclasses.replace(lookups, ports=ports)
        yield Page(openstack.of_kind("bgpvpn", bgpvpns), lookups)


def _l2_connections(scope: openstack.Scope, lookups: Lookups) -> Iterator[Page[Record, Lookups]]:
    path, key = "/l2-gateway-connections", "l2_gateway_connections"
    allowed = scope.all_projects
    try:
        for connections in openstack.pages(
            scope, "network", path, key, params=openstack.own(scope)
        ):
            allowed = True
            if connections and not lookups.gateways:
                gateways = openstack.listed(scope, "network", "/l2-gateways", "l2_gateways")
                lookups = dataclasses.replace(lookups, gateways=gateways)
            yield Page(openstack.of_kind("l2_gateway_connection", connections), lookups)
    except InsufficientPermission:
        if allowed:
            raise
        openstack.note(scope, "not shown", what="L2 gateway connections", to="role admin only")


# --- conversion -----------------------------------------------------------------------------------


def convert(record: Record, scope: openstack.Scope, lookups: Lookups) -> Union[Circuit, Dropped]:
    kind = openstack.kind_of(record, CONVERT, "circuit")
    if openstack.of_another_project(scope, record):
        return Dropped("of another project")
    return Circuit(
        type_id=kind,
        id=needed(record, "id", str),
        name=openstack.name_of(record),
        provider_created_at=time(record, "created_at"),
        region=Region(scope.region),
        **CONVERT[kind](record, lookups),
    )


def _site(record: Record, lookups: Lookups) -> dict[str, Any]:
    service = _record(lookups.services, field(record, "vpnservice_id", str))
    local = _record(lookups.groups, field(record, "local_ep_group_id", str))
    peer = _record(lookups.groups, field(record, "peer_ep_group_id", str))
    # An endpoint group holds subnets, CIDRs, networks, routers or VLANs. Before Mitaka a service had one subnet.
    endpoints = {field(local, "type", str): items(local, "endpoints", str)}
    ids = endpoints.get("subnet") or [field(service, "subnet_id", str) or ""]
    subnets = [lookups.subnets[name] for name in ids if name in lookups.subnets]
    networks = [field(subnet, "network_id", str) or "" for subnet in subnets]
    router = field(service, "router_id", str)
    address = field(service, "external_v4_ip", str) or field(service, "external_v6_ip", str)
    return {
        "endpoint_a": _names("router", [router], lookups.routers) or address,
        "endpoint_b": field(record, "peer_address", str) or field(record, "peer_id", str) or None,
        "connections": Connections(
            appliances=openstack.reported([router, *endpoints.get("router", ())], lookups.routers),
            networks=openstack.reported(
                [*networks, *endpoints.get("network", ())], lookups.networks
            ),
        ),
        "metadata": metadata(
            record,
            SITE_DETAILS,
            vpnservice=openstack.only(service, SERVICE_DETAILS) if service else None,
            local_cidrs=[field(subnet, "cidr", str) for subnet in subnets],
            local_endpoints=local.get("endpoints"),
            peer_endpoints=peer.get("endpoints"),
        ),
    }


def _bgpvpn(record: Record, lookups: Lookups) -> dict[str, Any]:
    ports = [lookups.ports[each] for each in items(record, "ports", str) if each in lookups.ports]
    networks = items(record, "networks", str)
    networks = [*networks, *(field(port, "network_id", str) or "" for port in ports)]
    routers = items(record, "routers", str)
    names = (
        _names("router", routers, lookups.routers),
        _names("network", networks, lookups.networks),
    )
    return {
        "reference": ", ".join(items(record, "route_targets", str)) or None,
        "endpoint_a": ", ".join(filter(None, names)) or None,
        "connections": Connections(
            appliances=openstack.reported(routers, lookups.routers),
            networks=openstack.reported(networks, lookups.networks),
        ),
        "metadata": metadata(
            record,
            BGPVPN_DETAILS,
            networks=sorted(items(record, "networks", str)),
            ports=sorted(items(record, "ports", str)),
            routers=sorted(routers),
        ),
    }


def _l2_connection(record: Record, lookups: Lookups) -> dict[str, Any]:
    network = field(record, "network_id", str)
    gateway = _record(lookups.gateways, field(record, "l2_gateway_id", str))
    devices = objects(gateway, "devices")
    interfaces = [
        f"{field(device, 'device_name', str) or ''} {field(interface, 'name', str) or ''}".strip()
        for device in devices
        for interface in objects(device, "interfaces")
    ]
    name = field(gateway, "name", str)
    if any(interfaces):
        name = f"{name or 'L2 gateway'} ({', '.join(sorted(interfaces))})"
    return {
        "endpoint_a": _names("network", [network], lookups.networks),
        "endpoint_b": name or None,
        "connections": Connections(networks=openstack.reported([network], lookups.networks)),
        "metadata": metadata(record, L2_DETAILS, devices=devices),
    }


# By kind: the fields of the circuit that the record becomes.
CONVERT: dict[str, Callable[[Record, Lookups], dict[str, Any]]] = {
    "bgpvpn": _bgpvpn,
    "ipsec_site_connection": _site,
    "l2_gateway_connection": _l2_connection,
}


def _record(records: Mapping[str, Record], record_id: Optional[str]) -> Record:
    return records.get(record_id or "") or {}


def _names(noun: str, ids: Iterable[Optional[str]], records: Mapping[str, Record]) -> Optional[str]:
    """The names of the records with these ids, for a person to read; None where there is none."""
    names = [
        field(records[each], "name", str) or f"{noun} {each}"
        for each in openstack.reported(ids, records)
    ]
    return ", ".join(sorted(names)) or None


# --- status ---------------------------------------------------------------------------------------


def fetch_status(scope: openstack.Scope, requested: Requested) -> Iterator[Page[Record, None]]:
    """Only what has a status: Neutron keeps none of a BGP VPN or an L2 gateway connection."""
    ids = openstack.few(requested)
    if ids == [] or "vpnaas" not in openstack.extensions(scope):
        return
    query: dict[str, Any] = {**openstack.own(scope), "fields": STATUS_FIELDS}
    if ids is not None:
        query["id"] = ids
    path, key = "/vpn/ipsec-site-connections", "ipsec_site_connections"
    connections = list(openstack.listed(scope, "network", path, key, query).values())
    openstack.require_network_permissions(scope, connections)
    if not connections:
        _require_member(scope)
    yield Page(connections, None)


def status(record: Record, scope: openstack.Scope, lookups: None) -> Iterator[Point]:
    """Of an IPsec site connection: ACTIVE where its tunnel is up."""
    if not openstack.of_another_project(scope, record):
        findings = [openstack.finding(record, "status", SITE_LEVELS)]
        findings = openstack.unless_switched_off(record, findings)
        yield openstack.point(record, "circuit", findings)


CELL = Cell(
    calls=(
        "1 token; a region with Neutron: 1 /extensions; with one of the extensions: "
        "+ p(networks) /networks + p(routers) /routers "
        "+ 1 /security-groups where the project has neither (all_projects: /quotas); "
        "VPNaaS: p(connections) /vpn/ipsec-site-connections, where there are some + p(services) "
        "/vpn/vpnservices + p(endpoint groups) /vpn/endpoint-groups + p(subnets) /subnets, where there is "
        "none and no role member + 1 /vpn/vpnservices; BGP VPN: p(BGP VPNs) /bgpvpn/bgpvpns, "
        "+ p(ports) /ports where one has ports; L2 gateways: p(connections) /l2-gateway-connections, "
        "+ p(gateways) /l2-gateways where there are some"
    ),
    permissions=(
        "get_bgpvpn",
        "get_endpoint_group",
        "get_ipsec_site_connection",
        "get_network",
        "get_port",
        "get_router",
        "get_security_group",
        "get_subnet",
        "get_vpnservice",
    ),
    fetch=fetch,
    convert=convert,
    status=Status(
        permissions=("get_ipsec_site_connection", "get_security_group", "get_vpnservice"),
        points=status,
        fetch=fetch_status,
    ),
)
