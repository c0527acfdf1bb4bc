"""Services of a controller that takes orders by the IETF's L2VPN service model: ends, capacity, state.

API: GET .../ietf-l2vpn-svc:l2vpn-svc/vpn-services and .../sites, each all at once.
https://www.rfc-editor.org/rfc/rfc8466

The model is of orders, not of a network: a service has no state and no name. All that it tells of what
is, are the times when service at a site started and stopped; a controller may leave them out, and then
the state is unknown. An end is a site's access: attached to the service by its id, or by a policy of the
site. Hubs come first, then ends are in the order of their names.

OSM writes vpn-scv-type for vpn-svc-type.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Circuit, Locations

from shared.engine.errors import UnexpectedResponse, about
from shared.providers import ietf_l2vpn
from shared.records.endpoints import first_two
from shared.records.fields import field, needed, time
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport import restconf

PERMISSIONS = (
    "/ietf-l2vpn-svc:l2vpn-svc/sites",
    "/ietf-l2vpn-svc:l2vpn-svc/vpn-services",
)
CALLS = "1 vpn-services + 1 sites; + 1 for each that answers 405; where neither is there, up to 2 of the YANG library"
RECORD_IDS = ("vpn-id",)

MOST_NAMED = 5  # services in a message
SITES = "sites"  # of a record: the sites that have an access to it; fetch adds it
DEFAULT_KIND = "vpws"
DETAILS = ("customer-name", "ce-vlan-preservation", "ce-vlan-cos-preservation")
VLANS = {
    "dot1q-vlan-tagged": ("cvlan-id",),
    "qinany": ("svlan-id",),
    "qinq": ("svlan-id", "cvlan-id"),
    "vxlan": ("vni-id",),
}
OF_AN_ACCESS = ("bw-per-port", "bw-per-svc")  # kinds of bandwidth: of this access for this service
LEVELS = {"running": "ok", "stopped": "error", "pending": "warning", "unknown": "unknown"}


def fetch(scope: ietf_l2vpn.Scope, lookups: None) -> Iterator[list[dict[str, Any]]]:
    """One page. Sites that are attached to services where the controller lists none contradict it: some answer
    the list of services with nothing, whatever they have."""
    services, sites = ietf_l2vpn.services_and_sites(scope.session)
    of_service = _by_service(sites)
    if of_service and not services:  # or the first service was ordered between the two reads
        services, sites = ietf_l2vpn.services_and_sites(scope.session)
        of_service = _by_service(sites)
    if of_service and not services:
        raise UnexpectedResponse(
            "the controller lists no VPN services, and sites that are attached to "
            f"{', '.join(sorted(of_service)[:MOST_NAMED])}: its list of services can't be true"
        )
    yield [
        {**service, SITES: of_service.get(needed(service, "vpn-id", str), [])}
        for service in services
    ]


def _by_service(sites: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The sites that are attached to each service."""
    found: dict[str, list[dict[str, Any]]] = {}
    for site in sites:
        with about(f"site {site.get('site-id')}"):
            services = {vpn for access in _accesses(site) for vpn in _roles(access, site)}
        for service in services:
            found.setdefault(service, []).append(site)
    return found


def convert(record: dict[str, Any], scope: ietf_l2vpn.Scope, lookups: None) -> Circuit:
    vpn = needed(record, "vpn-id", str)
    ends = _ends(record, vpn)
    endpoint_a, endpoint_b = first_two([(end["site"], end["name"]) for end in ends])
    state, message, _ = _state(record, vpn)
    sites = sorted(restconf.within(record, SITES), key=lambda site: needed(site, "site-id", str))
    places = [place for site in sites for place in _places(site, vpn)]
    return Circuit(
        id=vpn,
        name=vpn,
        type_id="wan_link",
        carrier=scope.name,
        reference=vpn,
        endpoint_a=endpoint_a,
        endpoint_b=endpoint_b,
        locations=Locations([one for n, one in enumerate(places) if one not in places[:n]]),
        metadata=metadata(
            record,
            DETAILS,
            layer="L2",
            service_type=_kind(record),
            svc_topo=restconf.identity(record, "svc-topo"),
            capacity_bps=_capacity(ends),
            ends=ends,
            state=state,
            state_reason=message,
        ),
    )


def status(record: dict[str, Any], scope: ietf_l2vpn.Scope, lookups: None) -> Iterable[Point]:
    """What the sites tell of the service's start and stop."""
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
    return "unknown", "ordered; the controller tells of no start, and the model has no state", None


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
        needed(each, "vpn-id", str): restconf.identity(each, "site-role")
        for one in restconf.within(site, "vpn-policies", "vpn-policy")
        if policy and field(one, "vpn-policy-id", str) == policy
        for entry in restconf.within(one, "entries")
        for each in restconf.within(entry, "vpn")
    }


def _ends(record: dict[str, Any], vpn: str) -> list[dict[str, Any]]:
    ends = []
    for site in restconf.within(record, SITES):
        for access in _accesses(site):
            roles = _roles(access, site)
            if vpn in roles:
                ends.append(_end(access, site, vpn, roles[vpn]))
    ends.sort(key=lambda end: (end.get("role") != "hub-role", end["name"], str(end)))
    return ends


def _end(
    access: dict[str, Any], site: dict[str, Any], vpn: str, role: Optional[str]
) -> dict[str, Any]:
    name = needed(site, "site-id", str)
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
        "site": name,
        "name": f"{name} ({port})" if port else name,
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
    return {each: value for each, value in details.items() if value not in (None, "", {})}


def _committed(service: dict[str, Any], vpn: str) -> dict[str, int]:
    """Of this access for this service, in bit/s, by direction: "input-bw" is from the provider."""
    found: dict[str, int] = {}
    for each in restconf.within(service, "svc-bandwidth", "bandwidth"):
        direction, kind = (restconf.identity(each, name) for name in ("direction", "type"))
        rate, of = restconf.whole(each, "cir"), field(each, "vpn-id", str)
        if not direction or rate is None or kind not in OF_AN_ACCESS or of not in (None, vpn):
            continue
        found[direction] = min(rate, found.get(direction, rate))
    return found


def _capacity(ends: list[dict[str, Any]]) -> Optional[int]:
    """The least that is committed at any end, where each end has some."""
    committed = [end.get("committed_bps") for end in ends]
    if not ends or not all(committed):
        return None
    return min(rate for rates in committed for rate in (rates or {}).values())


def _places(site: dict[str, Any], vpn: str) -> Iterator[dict[str, Any]]:
    """Where the site's accesses to the service are, as far as the site says it."""
    known = {
        field(each, "location-id", str): each
        for each in restconf.within(site, "locations", "location")
    }
    devices = {
        field(each, "device-id", str): field(each, "location", str)
        for each in restconf.within(site, "devices", "device")
    }
    for access in _accesses(site):
        if vpn not in _roles(access, site):
            continue
        spot = field(access, "location-reference", str) or devices.get(
            field(access, "device-reference", str)
        )
        yield _place(needed(site, "site-id", str), known.get(spot) or {})


def _place(site: str, location: Mapping[str, Any]) -> dict[str, Any]:
    place: dict[str, Any] = {"type": "customer", "location": {"name": site}}
    for level, name in (("city", "city"), ("state", "state"), ("country", "country-code")):
        text = field(location, name, str)
        if text:
            place[level] = {"name": text}
    return place
