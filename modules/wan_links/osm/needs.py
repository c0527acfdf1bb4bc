"""WAN links that should exist but do not, because OSM did not create them or lost them.

A record is ``{"need": {...}}``, all that a person needs to know of it.
"""

from collections import Counter, defaultdict
from typing import Any

from nflex_connector_utils import Circuit, Connections

from modules.wan_links.osm import links
from modules.wan_links.osm.services import Found
from shared.providers.osm.wan import Endpoint
from shared.providers.osm.wan_accounts import Accounts
from shared.providers.osm.wan_plan import Link, Need, plan, why_none
from shared.records.fields import field, items, needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point

MISSING = "missing"


def missing(found: Found, accounts: Accounts) -> list[dict[str, Any]]:
    """A record for each need that no link satisfies."""
    existing, without_vld = [], Counter[str]()
    for link in links.all_of(found, accounts):
        if link.status != "DELETED":
            sites = frozenset(endpoint.site for endpoint in link.endpoints)
            existing.append(Link(link.id, link.service, link.vld, sites))
            without_vld[link.service] += link.vld is None
    unsatisfied: dict[str, list[Need]] = defaultdict(list)
    for need in plan(found.networks, accounts.wims(), existing):
        if need.missing:
            unsatisfied[need.service].append(need)
    return [
        {"need": _described(need, found, accounts)}
        for service, needs in unsatisfied.items()
        # RO creates a link for each need, so if there are as many links whose VLD is unknown, none is missing
        if len(needs) > without_vld[service]
        for need in needs
    ]


def _described(need: Need, found: Found, accounts: Accounts) -> dict[str, Any]:
    service_name, vld_name = found.names[need.service, need.vld]
    return {
        "service": need.service,
        "service_name": service_name,
        "vld": need.vld,
        "vld_name": vld_name,
        "sites": list(need.sites),
        "networks": [network for network in need.networks if network],
        "wims": [{"id": wim.id, "name": wim.name, "account": wim.account} for wim in need.wims],
        "why_none": why_none(need, accounts.site_names),
        "partial": list(need.partial),
    }


def convert(record: dict[str, Any], accounts: Accounts) -> Circuit:
    need, sites = needed(record, "need", dict), accounts.site_names
    endpoints = [Endpoint(site, (), ()) for site in items(need, "sites", str)]
    return Circuit(
        id=_id(need),
        name=_name(need),
        type_id="wan_link",
        connections=Connections(networks=sorted(set(items(need, "networks", str)))),
        metadata=metadata(
            {},
            (),
            state=MISSING,
            note=_reason(need, accounts),
            service_id=needed(need, "service", str),
            vld_id=needed(need, "vld", str),
            wims=objects(need, "wims"),
            ends=links.endpoint_facts(endpoints, sites),
        ),
        **links.first_endpoints(endpoints, sites),
    )


def points(record: dict[str, Any], accounts: Accounts) -> list[Point]:
    need = needed(record, "need", dict)
    return [Point(_id(need), "circuit", "error", _reason(need, accounts))]


def _id(need: dict[str, Any]) -> str:
    return f"{needed(need, 'service', str)}/{needed(need, 'vld', str)}/{MISSING}"


def _name(need: dict[str, Any]) -> str:
    return links.name_of(needed(need, "service_name", str), field(need, "vld_name", str))


def _reason(need: dict[str, Any], accounts: Accounts) -> str:
    """Why the link is needed, and which WIMs could carry it or why none can."""
    names = accounts.site_names
    sites = sorted(names.get(site, site) for site in items(need, "sites", str))
    reason = f"missing: {_name(need)} is in {', '.join(sites)}"
    partial = items(need, "partial", str)
    if partial:
        reason += f", which {', '.join(partial)} does not all join"
    wims = [needed(wim, "name", str) for wim in objects(need, "wims")]
    why = field(need, "why_none", str) or f"it could be carried by {', '.join(wims)}"
    return f"{reason}; {why}"
