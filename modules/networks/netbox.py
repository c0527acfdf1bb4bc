"""Prefixes and VLANs; a prefix connects to its VLAN.

API: GET /api/ipam/prefixes/ and /api/ipam/vlans/, 1,000 a page or as many as the server allows.
https://netboxlabs.com/docs/netbox/models/ipam/prefix/

NetBox numbers both from 1, so a VLAN's id gets the prefix "vlan:". The same prefix may exist twice, in two
VRFs or even outside any VRF. A prefix may be at a site, a location, a region or a site group (before 4.2: at a
site). VLANs are listed first: a prefix connects only to a VLAN that was listed.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

from nflex_connector_utils import Connections, Locations, Network

from shared.engine.contracts import Cell, Page
from shared.providers import netbox
from shared.records.fields import field, needed, time

VLAN = "ipam.vlan"
VLAN_FIELDS = (
    "id",
    "vid",
    "name",
    "site",
    "group",
    "tenant",
    "status",
    "role",
    "qinq_role",
    "l2vpn_termination",
    *netbox.COMMON_FIELDS,
)
PREFIX_FIELDS = (
    "id",
    "prefix",
    "vrf",
    "scope_type",
    "scope",
    "site",  # before 4.2
    "tenant",
    "vlan",
    "status",
    "role",
    "is_pool",
    "mark_utilized",
    *netbox.COMMON_FIELDS,
)
DETAILS = ("tenant", "status", "role", *netbox.COMMON_DETAILS)
VLAN_DETAILS = (*DETAILS, "vid", "site", "group", "qinq_role")
PREFIX_DETAILS = (*DETAILS, "vrf", "vlan", "is_pool", "mark_utilized")


@dataclasses.dataclass(frozen=True)
class Lookups:
    """Sites and locations by id. ``vlans``: the ids of all VLANs, which only the pages of prefixes need."""

    sites: dict[int, dict[str, Any]]
    locations: dict[int, dict[str, Any]]
    vlans: frozenset[int] = frozenset()


def fetch(scope: netbox.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    listings = scope.workers.pages(
        netbox.pages(scope, "ipam/vlans", VLAN_FIELDS),
        netbox.pages(scope, "ipam/prefixes", PREFIX_FIELDS),
    )
    sites, locations, pages = scope.workers.before(
        listings,
        lambda: netbox.listed(scope, "dcim/sites", netbox.SITE_FIELDS),
        lambda: netbox.listed(scope, "dcim/locations", netbox.LOCATION_FIELDS),
    )
    lookups, vlans = Lookups(sites, locations), set()
    for records in pages:
        found = {record["id"] for record in records if record["object_type"] == VLAN}
        vlans |= found
        if not found and len(vlans) != len(lookups.vlans):  # prefixes, which come after all VLANs
            lookups = dataclasses.replace(lookups, vlans=frozenset(vlans))
        yield Page(records, lookups)


def convert(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Network:
    if needed(record, "object_type", str) == VLAN:
        return _vlan(record, scope, lookups)
    number = needed(record, "id", int)
    prefix = needed(record, "prefix", str)
    vlan = field(record, "vlan", dict)
    vlan_id = needed(vlan, "id", int) if vlan else None
    return Network(
        id=str(number),
        name=prefix,
        provider_created_at=time(record, "created"),
        locations=Locations(_places(record, lookups)),
        connections=Connections(networks=[f"vlan:{vlan_id}"] if vlan_id in lookups.vlans else []),
        metadata=netbox.details(
            record,
            PREFIX_DETAILS,
            network_kind="prefix",
            cidrs=[prefix],
        ),
        native_portal_link=f"{scope.url}/ipam/prefixes/{number}/",
    )


def _vlan(record: dict[str, Any], scope: netbox.Scope, lookups: Lookups) -> Network:
    number = needed(record, "id", int)
    site = field(record, "site", dict)
    l2vpn = field(record, "l2vpn_termination", dict) or {}
    return Network(
        id=f"vlan:{number}",
        name=netbox.name_of(record),
        provider_created_at=time(record, "created"),
        locations=Locations([netbox.place(site, lookups.sites)] if site else []),
        metadata=netbox.details(
            record,
            VLAN_DETAILS,
            **netbox.shown(l2vpn, ("l2vpn",)),
            network_kind="vlan",
        ),
        native_portal_link=f"{scope.url}/ipam/vlans/{number}/",
    )


def _places(record: dict[str, Any], lookups: Lookups) -> list[dict[str, Any]]:
    kind = field(record, "scope_type", str)
    scope, site = field(record, "scope", dict), field(record, "site", dict)
    if site:
        return [netbox.place(site, lookups.sites)]
    if scope and kind == "dcim.site":
        return [netbox.place(scope, lookups.sites)]
    if scope and kind == "dcim.region":
        return [netbox.area(scope)]
    if scope and kind == "dcim.location":
        room = lookups.locations.get(needed(scope, "id", int)) or {}
        room_site = field(room, "site", dict)
        if room_site:
            return [netbox.place(room_site, lookups.sites, within=netbox.name_of(scope))]
    return []


CELL = Cell(
    calls=(
        "ceil(sites/1000) /sites + ceil(locations/1000) /locations "
        "+ ceil(VLANs/1000) /vlans + ceil(prefixes/1000) /prefixes"
    ),
    permissions=("dcim.view_location", "dcim.view_site", "ipam.view_prefix", "ipam.view_vlan"),
    fetch=fetch,
    convert=convert,
)
