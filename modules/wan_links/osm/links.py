"""WAN links that exist, in whatever state: from their records (see services) to resources and status points."""

from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

from nflex_connector_utils import Circuit, Connections

from modules.wan_links.osm.services import IN_COPY, Found, Lookups
from shared.engine.contracts import Dropped
from shared.engine.errors import about
from shared.providers.osm import wan
from shared.providers.osm.wan import Endpoint
from shared.providers.osm.wan_accounts import Accounts
from shared.records.endpoints import first_two
from shared.records.fields import needed, objects
from shared.records.metadata import metadata
from shared.records.status import Point


def link_of(record: dict[str, Any], accounts: Accounts) -> wan.Link:
    ns = needed(record, "ns", dict)
    if "vld" in record:
        return wan.of_vld(ns, needed(record, "vld", dict), needed(record, "key", str), accounts)
    nets = objects(record, "nets")
    if "task" in record:
        return wan.of_task(ns, needed(record, "task", dict), nets, accounts)
    sdn_net, source = needed(record, "sdn_net", dict), needed(record, "source", str)
    return wan.of_sdn_net(ns, sdn_net, nets, source, accounts)


def all_of(found: Found, accounts: Accounts) -> Iterator[wan.Link]:
    for record in found.links:
        with about(f"NS {needed(record, 'ns', dict).get('_id')}"):
            link = link_of(record, accounts)
        yield link


def convert(record: dict[str, Any], lookups: Lookups) -> Union[Circuit, Dropped]:
    link, ns = link_of(record, lookups.accounts), needed(record, "ns", dict)
    verdict = wan.verdict(link, ns, lookups.now)
    if verdict.state == "terminated":
        return Dropped("deleted")
    sites = lookups.accounts.site_names
    return Circuit(
        id=link.id,
        name=name_of(link.service_name, link.vld_name),
        type_id="wan_link",
        carrier=lookups.accounts.wim_names.get(link.wim, link.wim),
        reference=link.reference,
        provider_created_at=link.created_at,
        connections=Connections(
            networks=sorted({network for one in link.endpoints for network in one.networks})
        ),
        metadata=metadata(
            link.details,
            sorted(link.details),
            state=verdict.state,
            provider_state=link.status,
            error_message=link.message,
            note=verdict.note,
            wim_id=link.wim,
            service_id=link.service,
            vld_id=link.vld,
            told_by=link.source,
            ends=endpoint_facts(link.endpoints, sites),
        ),
        **first_endpoints(link.endpoints, sites),
    )


def points(record: dict[str, Any], lookups: Lookups) -> list[Point]:
    link, accounts = link_of(record, lookups.accounts), lookups.accounts
    verdict = wan.verdict(link, needed(record, "ns", dict), lookups.now)
    if verdict.state == "terminated":
        return []
    wim = accounts.wim_names.get(link.wim, link.wim)
    message = f"{link.status or 'no status'} over {wim}"
    for more in (verdict.note, link.message):
        message += f": {more}" if more else ""
    if verdict.level == "ok":
        message += ": configured at the WIM; OSM does not look at its traffic"
    if link.source == IN_COPY:
        message += " (as of the last operation on the service)"
    return [Point(link.id, "circuit", verdict.level, message, link.changed_at)]


# --- names and endpoints, which needs have too ----------------------------------------------------


def name_of(service: str, vld: Optional[str]) -> str:
    return f"{service}/{vld}" if vld else service


def first_endpoints(
    endpoints: Iterable[Endpoint], sites: dict[str, str]
) -> dict[str, Optional[str]]:
    """The first two endpoints: the data centre, with switch and port if there is just one port."""
    shown: list[tuple[Optional[str], Optional[str]]] = []
    for endpoint in _sorted(endpoints, sites):
        name = sites.get(endpoint.site, endpoint.site)
        port = endpoint.ports[0] if len(endpoint.ports) == 1 else {}
        switch_and_port = " ".join(port[key] for key in ("switch", "port") if key in port)
        shown.append((endpoint.site, f"{name} ({switch_and_port})" if switch_and_port else name))
    endpoint_a, endpoint_b = first_two(shown)
    return {"endpoint_a": endpoint_a, "endpoint_b": endpoint_b}


def endpoint_facts(endpoints: Iterable[Endpoint], sites: dict[str, str]) -> list[dict[str, Any]]:
    """All endpoints, as metadata shows them."""
    return [
        {
            name: value
            for name, value in (
                ("data_centre", sites.get(endpoint.site, endpoint.site)),
                ("data_centre_id", endpoint.site),
                ("networks", list(endpoint.networks)),
                ("ports", list(endpoint.ports)),
            )
            if value
        }
        for endpoint in _sorted(endpoints, sites)
    ]


def _sorted(endpoints: Iterable[Endpoint], sites: dict[str, str]) -> list[Endpoint]:
    return sorted(endpoints, key=lambda one: (sites.get(one.site, one.site), one.site))
