"""IPsec site connections of VPNaaS, BGP VPNs and L2 gateway connections, where Neutron has them.

API: Networking v2.0 and its extensions, GET /vpn/ipsec-site-connections, /bgpvpn/bgpvpns and
/l2-gateway-connections, 1,000 a page; a cloud without any of these has no circuits.
https://docs.openstack.org/api-ref/network/v2/

An IPsec site connection holds its pre-shared key: that field is never requested. As shipped, VPNaaS shows
connections to members only, and an empty list to a reader: an empty list counts only where the login has
role member. L2 gateways are the cloud's own: Neutron shows them to admins only, and where another login
gets a 403, no circuit of its project is missing. A BGP VPN lists its associations itself; its route
targets, by which the other side knows it, are shown to admins only.

Only IPsec site connections have a status.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Circuit, Connections, Region

from shared.engine.errors import InsufficientPermission
from shared.engine.poll import Dropped, Requested
from shared.providers import openstack
from shared.records.fields import field, items, needed, objects, time
from shared.records.metadata import metadata
from shared.records.status import Point

PERMISSIONS = (
    "get_bgpvpn",
    "get_endpoint_group",
    "get_ipsec_site_connection",
    "get_network",
    "get_port",
    "get_router",
    "get_security_group",
    "get_subnet",
    "get_vpnservice",
)
STATUS_PERMISSIONS = ("get_ipsec_site_connection", "get_security_group", "get_vpnservice")
CALLS = (
    "1 token; a region with Neutron: 1 /extensions; with one of the extensions: "
    "+ p(networks) /networks + p(routers) /routers "
    "+ 1 /security-groups where the project has neither (all_projects: /quotas); "
    "VPNaaS: p(connections) /vpn/ipsec-site-connections, where there are some + p(services) "
    "/vpn/vpnservices + p(endpoint groups) /vpn/endpoint-groups + p(subnets) /subnets, where there is "
    "none and no role member + 1 /vpn/vpnservices; BGP VPN: p(BGP VPNs) /bgpvpn/bgpvpns, "
    "+ p(ports) /ports where one has ports; L2 gateways: p(connections) /l2-gateway-connections, "
    "+ p(gateways) /l2-gateways where there are some"
)

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


@dataclasses.dataclass
class Lookups:
    """What circuits only name, by id. ``fetch`` adds to it before it hands on a page that needs it."""

    extensions: set[str] = dataclasses.field(default_factory=set)
    networks: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    routers: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    subnets: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    ports: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    services: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    gateways: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)


def lookups(scope: openstack.Scope) -> Lookups:
    return Lookups(openstack.extensions(scope))


def _look_up(scope: openstack.Scope, lookups: Lookups) -> None:
    if lookups.extensions.isdisjoint(EXTENSIONS):
        return
    lookups.networks = openstack.networks(scope)
    if "router" in lookups.extensions:
        lookups.routers = _listed(scope, "/routers", "routers", fields=("id", "name", "project_id"))
    # not what the extensions list: their rules are others, and prove nothing
    records = chain(lookups.routers.values(), lookups.networks.values())
    openstack.require_network_permissions(scope, records)


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    _look_up(scope, lookups)
    if "vpnaas" in lookups.extensions:
        yield from openstack.of_kind("ipsec_site_connection", _sites(scope, lookups))
    if "bgpvpn" in lookups.extensions:
        yield from openstack.of_kind("bgpvpn", _bgpvpns(scope, lookups))
    if "l2-gateway-connection" in lookups.extensions:
        yield from openstack.of_kind("l2_gateway_connection", _l2_connections(scope, lookups))


def fetch_status(
    scope: openstack.Scope, lookups: Lookups, requested: Requested
) -> Iterator[list[dict[str, Any]]]:
    """Only what has a status: Neutron keeps none of a BGP VPN or an L2 gateway connection."""
    if "vpnaas" not in lookups.extensions or openstack.few(requested) == []:
        return
    query: dict[str, Any] = {**openstack.own(scope), "fields": STATUS_FIELDS}
    ids = openstack.few(requested)
    if ids is not None:
        query["id"] = ids
    path, key = "/vpn/ipsec-site-connections", "ipsec_site_connections"
    connections = list(openstack.listed(scope, "network", path, key, query).values())
    openstack.require_network_permissions(scope, connections)
    if not connections:
        _require_member(scope)
    yield connections


def _listed(
    scope: openstack.Scope, path: str, key: str, fields: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    query = {**openstack.own(scope), **({"fields": tuple(fields)} if fields else {})}
    return openstack.listed(scope, "network", path, key, query)


def _sites(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    query = {**openstack.own(scope), "fields": SITE_FIELDS}
    path, key = "/vpn/ipsec-site-connections", "ipsec_site_connections"
    seen = False
    for page in openstack.pages(scope, "network", path, key, params=query):
        if page and not seen:
            seen = True
            lookups.services = _listed(scope, "/vpn/vpnservices", "vpnservices")
            if "vpn-endpoint-groups" in lookups.extensions:
                lookups.groups = _listed(scope, "/vpn/endpoint-groups", "endpoint_groups")
            lookups.subnets = _subnets(scope)
        yield page
    if not seen:
        _require_member(scope)


def _subnets(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    """All that the login sees: an endpoint can be a subnet that another project shares."""
    query = {"fields": ("id", "name", "cidr", "network_id")}
    return openstack.listed(scope, "network", "/subnets", "subnets", query)


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


def _bgpvpns(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    query = openstack.own(scope)
    for page in openstack.pages(scope, "network", "/bgpvpn/bgpvpns", "bgpvpns", params=query):
        if not lookups.ports and any(bgpvpn.get("ports") for bgpvpn in page):
            lookups.ports = _listed(scope, "/ports", "ports", fields=("id", "network_id"))
        yield page


def _l2_connections(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    path, key = "/l2-gateway-connections", "l2_gateway_connections"
    allowed = scope.all_projects
    try:
        for page in openstack.pages(scope, "network", path, key, params=openstack.own(scope)):
            allowed = True
            if page and not lookups.gateways:
                gateways = openstack.listed(scope, "network", "/l2-gateways", "l2_gateways")
                lookups.gateways = gateways
            yield page
    except InsufficientPermission:
        if allowed:
            raise
        openstack.note(scope, "not shown", what="L2 gateway connections", to="role admin only")


# --- one record -> one circuit --------------------------------------------------------------------


def convert(
    record: dict[str, Any], scope: openstack.Scope, lookups: Lookups
) -> Union[Circuit, Dropped]:
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


def _site(record: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
    service = _record(lookups.services, field(record, "vpnservice_id", str))
    local = _record(lookups.groups, field(record, "local_ep_group_id", str))
    peer = _record(lookups.groups, field(record, "peer_ep_group_id", str))
    # an endpoint group holds subnets, CIDRs, networks, routers or VLANs; before Mitaka a service had
    # one subnet
    endpoints = {field(local, "type", str): items(local, "endpoints", str)}
    ids = endpoints.get("subnet") or [field(service, "subnet_id", str) or ""]
    subnets = [lookups.subnets[each] for each in ids if each in lookups.subnets]
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


def _bgpvpn(record: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
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


def _l2_connection(record: dict[str, Any], lookups: Lookups) -> dict[str, Any]:
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


# by kind, what makes a circuit of it
CONVERT: dict[str, Callable[[dict[str, Any], Lookups], dict[str, Any]]] = {
    "bgpvpn": _bgpvpn,
    "ipsec_site_connection": _site,
    "l2_gateway_connection": _l2_connection,
}


def _record(records: Mapping[str, dict[str, Any]], record_id: Optional[str]) -> dict[str, Any]:
    return records.get(record_id or "") or {}


def _names(
    noun: str, ids: Iterable[Optional[str]], records: Mapping[str, dict[str, Any]]
) -> Optional[str]:
    """The names of the records with these ids, for a person to read; None where there is none."""
    names = [
        field(records[each], "name", str) or f"{noun} {each}"
        for each in openstack.reported(ids, records)
    ]
    return ", ".join(sorted(names)) or None


# --- one record -> its status ---------------------------------------------------------------------


def status(record: dict[str, Any], scope: openstack.Scope, lookups: Lookups) -> Iterator[Point]:
    """Of an IPsec site connection: ACTIVE where its tunnel is up."""
    if not openstack.of_another_project(scope, record):
        findings = [openstack.finding(record, "status", SITE_LEVELS)]
        findings = openstack.unless_switched_off(record, findings)
        yield openstack.point(record, "circuit", findings)
