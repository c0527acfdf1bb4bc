"""IPsec site connections of VPNaaS, BGP VPNs and L2 gateway connections, where Neutron has them.

API: Networking v2.0 and its extensions, GET /vpn/ipsec-site-connections, /bgpvpn/bgpvpns and
/l2-gateway-connections, 1,000 a page; a cloud without any of these has no circuits.
https://docs.openstack.org/api-ref/network/v2/

An IPsec site connection holds its pre-shared key: it is never asked for. As shipped, VPNaaS shows
connections to members only, and a reader an empty list: where nothing is seen, the login must have role
member for that to mean anything. L2 gateways are the cloud's own: Neutron shows them to admins only, and
of another login's 403 no circuit of its project is missing. A BGP VPN lists its associations itself;
its route targets, by which the other side knows it, are shown to admins only.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Callable, Optional, Union

from nflex_connector_utils import Circuit, Connections, Region

from shared.errors import InsufficientPermission, UnexpectedResponse
from shared.metadata import metadata
from shared.providers import openstack
from shared.record import field, items, needed, objects, time
from shared.run import Dropped

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

KIND = "kind"  # of a record; fetch adds it
MEMBERS = {"_member_", "admin", "manager", "member"}  # the roles that VPNaaS shows something to
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
SITE_FIELDS = ("id", "name", "local_ep_group_id", "peer_ep_group_id", *SITE_DETAILS)
SERVICE_DETAILS = ("name", "status", "external_v4_ip", "external_v6_ip", "router_id", "subnet_id")
BGPVPN_DETAILS = (
    "export_targets",
    "import_targets",
    "local_pref",
    "networks",
    "ports",
    "project_id",
    "route_distinguishers",
    "route_targets",
    "routers",
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
    made = Lookups()
    if not openstack.offers(scope, "network"):
        return made
    made.extensions = openstack.extensions(scope)
    if made.extensions.isdisjoint(KINDS):
        return made
    made.networks = openstack.networks(scope)
    if "router" in made.extensions:
        made.routers = _by_id(scope, "/routers", "routers", fields=("id", "name", "project_id"))
    # not what the extensions list: their rules are others, and prove nothing
    records = chain(made.routers.values(), made.networks.values())
    openstack.require_network_rights(scope, records)
    return made


def fetch(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    for alias, (kind, listed, _) in KINDS.items():
        if alias in lookups.extensions:
            for page in listed(scope, lookups):
                yield [{**record, KIND: kind} for record in page]


def _by_id(
    scope: openstack.Scope, path: str, key: str, fields: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    asked = {**openstack.own(scope), **({"fields": tuple(fields)} if fields else {})}
    pages = openstack.pages(scope, "network", path, key, params=asked)
    return {needed(record, "id", str): record for page in pages for record in page}


def _sites(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    asked = {**openstack.own(scope), "fields": SITE_FIELDS}
    path, key = "/vpn/ipsec-site-connections", "ipsec_site_connections"
    for page in openstack.pages(scope, "network", path, key, params=asked):
        if page and not lookups.services:
            lookups.services = _by_id(scope, "/vpn/vpnservices", "vpnservices")
            if "vpn-endpoint-groups" in lookups.extensions:
                lookups.groups = _by_id(scope, "/vpn/endpoint-groups", "endpoint_groups")
            lookups.subnets = _subnets(scope)
        yield page
    if not lookups.services:
        _require_member(scope)


def _subnets(scope: openstack.Scope) -> dict[str, dict[str, Any]]:
    """All that are seen: a subnet that another project shares can be one end."""
    asked = {"fields": ("id", "name", "cidr", "network_id")}
    pages = openstack.pages(scope, "network", "/subnets", "subnets", params=asked)
    return {needed(subnet, "id", str): subnet for page in pages for subnet in page}


def _require_member(scope: openstack.Scope) -> None:
    """That no site connection seen means that there is none: by the role, or by another thing seen."""
    roles = scope.session.access.role_names
    if not MEMBERS.isdisjoint(role.lower() for role in roles):
        return
    asked = {**openstack.own(scope), "fields": "id", "limit": 1}
    if not objects(openstack.get(scope, "network", "/vpn/vpnservices", asked), "vpnservices"):
        raise InsufficientPermission(
            f"network: VPNaaS lets role {', '.join(roles) or 'none'} of the login see no IPsec site "
            f"connection of project {scope.session.project}, and does not say whether there are any; "
            "role member is needed"
        )


def _bgpvpns(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    asked = openstack.own(scope)
    for page in openstack.pages(scope, "network", "/bgpvpn/bgpvpns", "bgpvpns", params=asked):
        if not lookups.ports and any(bgpvpn.get("ports") for bgpvpn in page):
            lookups.ports = _by_id(scope, "/ports", "ports", fields=("id", "network_id"))
        yield page


def _l2_connections(scope: openstack.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    path, key = "/l2-gateway-connections", "l2_gateway_connections"
    asked = openstack.own(scope)
    try:
        for page in openstack.pages(scope, "network", path, key, params=asked):
            if page and not lookups.gateways:
                pages = openstack.pages(scope, "network", "/l2-gateways", "l2_gateways")
                lookups.gateways = {needed(each, "id", str): each for found in pages for each in found}
            yield page
    except InsufficientPermission:
        if scope.all_projects:
            raise
