"""VPN services of a controller with the IETF's L2VPN service model: endpoints, capacity, state.

API: GET .../ietf-l2vpn-svc:l2vpn-svc/vpn-services and .../sites, each a whole list.
https://www.rfc-editor.org/rfc/rfc8466

The model describes orders, not a network: a service has no state and no name. The only facts about operation
are the times at which service at a site started and stopped; a controller may leave them out, and then
the state is unknown. An endpoint is a site's access, attached to the service by the service's id or by a policy
of the site. Hubs come first, then endpoints are sorted by name.

OSM writes vpn-scv-type for vpn-svc-type.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Circuit, Locations

from shared.engine.contracts import Cell, Page, Status
from shared.engine.errors import UnexpectedResponse, about
from shared.providers import ietf_l2vpn
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, time
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport import restconf

MOST_NAMED = 5  # services in a message
SITES = "sites"  # those with an access to the service, which ``fetch`` adds to a record
DEFAULT_KIND = "vpws"
DETAILS = ("customer-name", "ce-vlan-preservation", "ce-vlan-cos-preservation")
VLANS = {
    "dot1q-vlan-tagged": ("cvlan-id",),
    "qinany": ("svlan-id",),
    "qinq": ("svlan-id", "cvlan-id"),
    "vxlan": ("vni-id",),
}
ACCESS_BANDWIDTHS = ("bw-per-port", "bw-per-svc")  # types that apply to one access of one service
LEVELS = {"running": "ok", "stopped": "error", "pending": "warning", "unknown": "unknown"}


def fetch(scope: ietf_l2vpn.Scope) -> Iterator[Page[dict[str, Any], None]]:
    """One page.

    Some controllers answer the list of services with nothing, whatever they have. Sites that are attached to
    services prove such a list wrong.
    """
    services, sites = ietf_l2vpn.services_and_sites(scope.session)
    sites_of = _by_service(sites)
    if sites_of and not services:  # the first service may have been ordered between the two reads
        services, sites = ietf_l2vpn.services_and_sites(scope.session)
        sites_of = _by_service(sites)
    if sites_of and not services:
        raise UnexpectedResponse(
            "the controller lists no VPN services, and sites that are attached to "
            f"{', '.join(sorted(sites_of)[:MOST_NAMED])}: its list of services can't be true"
        )
    records = [
        {**service, SITES: sites_of.get(needed(service, "vpn-id", str), [])} for service in services
    ]
    yield Page(records, None)


def _by_service(sites: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The sites that are attached to each service."""
    sites_of: dict[str, list[dict[str, Any]]] = {}
    for site in sites:
        with about(f"site {site.get('site-id')}"):
            services = {vpn for access in _accesses(site) for vpn in _roles(access, site)}
        for service in services:
            sites_of.setdefault(service, []).append(site)
    return sites_of


def convert(record: dict[str, Any], scope: ietf_l2vpn.Scope, lookups: None) -> Circuit:
    vpn = needed(record, "vpn-id", str)
    endpoints = _endpoints(record, vpn)
    endpoint_a, endpoint_b = first_two([(one["site"], one["name"]) for one in endpoints])
    state, message, _ = _state(record, vpn)
    sites = sorted(restconf.within(record, SITES), key=lambda site: needed(site, "site-id", str))
    locations = [location for site in sites for location in _locations(site, vpn)]
    return Circuit(
        id=vpn,
        name=vpn,
        type_id="wan_link",
        carrier=scope.name,
        reference=vpn,
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        locations=Locations([one for n, one in enumerate(locations) if one not in locations[:n]]),
        metadata=metadata(
            record,
            DETAILS,
            layer="L2",
            service_type=_kind(record),
            svc_topo=restconf.identity(record, "svc-topo"),
            capacity_bps=_capacity(endpoints),
            ends=endpoints,
            state=state,
            state_reason=message,
        ),
    )


def status(record: dict[str, Any], scope: ietf_l2vpn.Scope, lookups: None) -> Iterable[Point]:
    """By the times at which service started and stopped at the sites."""
    vpn = needed(record, "vpn-id", str)
    state, message, since = _state(record, vpn)
    return [Point(vpn, "circuit", LEVELS[state], message, since)]


def _kind(record: dict[str, Any]) -> str:
    for name in ("vpn-svc-type", "vpn-scv-type"):
        kind = restconf.identity(record, name)
        if kind:
            return kind
    return DEFAULT_KIND


def _state(record: dict[str, Any], vpn: str) -> tuple[str, str, Optional[datetime.datetime]]:
    """CMP's state, why, and since when."""
    sites = {needed(site, "site-id", str): site for site in restconf.within(record, SITES)}
    if not sites:
        return "unknown", "ordered, with no access of any site", None
    started, stopped = {}, {}
    for name, site in sorted(sites.items()):
        start, stop = time(site, "actual-site-start"), time(site, "actual-site-stop")
        if stop and (start is None or start <= stop):
            stopped[name] = stop
        elif start:
            started[name] = start
    if stopped:
        return "stopped", f"service stopped at {', '.join(stopped)}", max(stopped.values())
    waiting = [name for name in sites if name not in started]
    if not waiting:
        return "running", "service started at all of its sites", max(started.values())
    if started:
        return "pending", f"service did not start at {', '.join(sorted(waiting))}", None
    return "unknown", "ordered; the controller reports no start, and the model has no state", None


# --- sites and their accesses -----------------------------------------------------------------------


def _accesses(site: dict[str, Any]) -> list[dict[str, Any]]:
    return restconf.within(site, "site-network-accesses", "site-network-access")


def _roles(access: dict[str, Any], site: dict[str, Any]) -> dict[str, Optional[str]]:
    """The services that an access is attached to, and the site's role in each."""
    attachment = field(access, "vpn-attachment", dict) or {}
    vpn, policy = field(attachment, "vpn-id", str), field(attachment, "vpn-policy-id", str)
    if vpn:
        return {vpn: restconf.identity(attachment, "site-role")}
    return {
        needed(attached, "vpn-id", str): restconf.identity(attached, "site-role")
        for one in restconf.within(site, "vpn-policies", "vpn-policy")
        if policy and field(one, "vpn-policy-id", str) == policy
        for entry in restconf.within(one, "entries")
        for attached in restconf.within(entry, "vpn")
    }


def _endpoints(record: dict[str, Any], vpn: str) -> list[dict[str, Any]]:
    """The service's accesses: hubs first, then sorted by name."""
    endpoints = []
    for site in restconf.within(record, SITES):
        for access in _accesses(site):
            roles = _roles(access, site)
            if vpn in roles:
                endpoints.append(_endpoint(access, site, vpn, roles[vpn]))
    endpoints.sort(key=lambda one: (one.get("role") != "hub-role", one["name"], str(one)))
    return endpoints


def _endpoint(
    access: dict[str, Any], site: dict[str, Any], vpn: str, role: Optional[str]
) -> dict[str, Any]:
    site_id = needed(site, "site-id", str)
    bearer = field(access, "bearer", dict) or {}
    connection = field(access, "connection", dict) or {}
    service = field(access, "service", dict) or {}
    port = (
        field(bearer, "bearer-reference", str)
        or field(access, "device-reference", str)
        or field(access, "network-access-id", str)
    )
    tagged = field(connection, "tagged-interface", dict) or {}
    details = {
        "site": site_id,
        "name": f"{site_id} ({port})" if port else site_id,
        "role": role,
        "access": field(access, "network-access-id", str),
        "bearer": field(bearer, "bearer-reference", str),
        "device": field(access, "device-reference", str),
        "encapsulation": restconf.identity(connection, "encapsulation-type"),
        "svc_mtu": restconf.whole(service, "svc-mtu"),
        "tags": {
            tag: restconf.whole(field(tagged, kind, dict) or {}, tag)
            for kind, tags in VLANS.items()
            for tag in tags
            if field(tagged, kind, dict)
        },
        "committed_bps": _committed(service, vpn),
    }
    return {name: value for name, value in details.items() if value not in (None, "", {})}


def _committed(service: dict[str, Any], vpn: str) -> dict[str, int]:
    """The committed rates of this access for this service, in bit/s, by direction ("input-bw" is from the provider)."""
    rates: dict[str, int] = {}
    for bandwidth in restconf.within(service, "svc-bandwidth", "bandwidth"):
        direction = restconf.identity(bandwidth, "direction")
        applies = restconf.identity(bandwidth, "type") in ACCESS_BANDWIDTHS
        rate, only_for = restconf.whole(bandwidth, "cir"), field(bandwidth, "vpn-id", str)
        if direction and rate is not None and applies and only_for in (None, vpn):
            rates[direction] = min(rate, rates.get(direction, rate))
    return rates


def _capacity(endpoints: list[dict[str, Any]]) -> Optional[int]:
    """The lowest committed rate of any endpoint; None if one has none."""
    committed: list[dict[str, int]] = [one.get("committed_bps") or {} for one in endpoints]
    if not endpoints or not all(committed):
        return None
    return min(rate for rates in committed for rate in rates.values())


def _locations(site: dict[str, Any], vpn: str) -> Iterator[dict[str, Any]]:
    """The locations of the site's accesses to the service, as far as the controller has them."""
    locations = {
        field(location, "location-id", str): location
        for location in restconf.within(site, "locations", "location")
    }
    location_of_device = {
        field(device, "device-id", str): field(device, "location", str)
        for device in restconf.within(site, "devices", "device")
    }
    for access in _accesses(site):
        if vpn in _roles(access, site):
            location_id = field(access, "location-reference", str) or location_of_device.get(
                field(access, "device-reference", str)
            )
            yield _location(needed(site, "site-id", str), locations.get(location_id) or {})


def _location(site_id: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """A location as nflex's Locations takes it."""
    location: dict[str, Any] = {"type": "customer", "location": {"name": site_id}}
    for level, name in (("city", "city"), ("state", "state"), ("country", "country-code")):
        text = field(record, name, str)
        if text:
            location[level] = {"name": text}
    return location


_PERMISSIONS = (
    "/ietf-l2vpn-svc:l2vpn-svc/sites",
    "/ietf-l2vpn-svc:l2vpn-svc/vpn-services",
)
CELL = Cell(
    calls=(
        "1 vpn-services + 1 sites; + 1 for each that answers 405; where neither is there, up to 2 of the YANG "
        "library"
    ),
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    record_ids=("vpn-id",),
    status=Status(permissions=_PERMISSIONS, points=status),
)
