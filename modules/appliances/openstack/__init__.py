"""Neutron routers and firewall groups, Octavia load balancers and Manila shares.

APIs, 1,000 a page: Networking v2.0, Load Balancer v2 and Shared File Systems v2; the files by kind name their
calls. https://docs.openstack.org/api-ref/network/v2/

Where a region lacks a service of the catalog or an extension of Neutron, there is nothing to report of that
kind; where it has it and refuses the login, the poll fails. Networks that the networks family does not report
are named in the metadata only. CMP's appliances have no state: the provider's is in the metadata.

Status comes from the same lists.
"""

import dataclasses
from collections.abc import Iterator
from itertools import chain
from typing import Any, Optional, Union

from nflex_connector_utils import Appliance, Region

from modules.appliances.openstack import firewalls, load_balancers, networks, routers, shares
from modules.appliances.openstack.records import Kind, Record
from shared.engine.contracts import Cell, Dropped, Page, Requested, Status
from shared.engine.workers import once
from shared.providers import openstack
from shared.records.fields import needed, time
from shared.records.status import Point

_KINDS = (routers.KIND, firewalls.KIND, load_balancers.KIND, shares.KIND)
KINDS: dict[str, Kind[Any]] = {kind.name: kind for kind in _KINDS}


def fetch(scope: openstack.Scope) -> Iterator[Page[Record, Any]]:
    """Pages of one kind each, with the lookups of that kind."""
    extensions, network = _look_up(scope)
    list_servers = once(lambda: networks.servers(scope))  # where a kind needs them
    router_ids: set[str] = set()
    kinds: list[Iterator[Page[Record, Any]]] = []
    if "router" in extensions:
        kinds.append(routers.fetch(scope, network, router_ids))
    if "fwaas_v2" in extensions:  # after the routers, which firewall groups connect to
        kinds.append(firewalls.fetch(scope, network, list_servers))
    if openstack.offers(scope, "load-balancer"):
        kinds.append(load_balancers.fetch(scope, network, list_servers))
    if openstack.offers(scope, "shared-file-system"):
        kinds.append(shares.fetch(scope, network))
    for page in scope.workers.pages(*kinds):
        if isinstance(page.lookups, firewalls.Lookups):
            lookups = dataclasses.replace(page.lookups, routers=frozenset(router_ids))
            page = Page(page.records, lookups)
        yield page


def _look_up(scope: openstack.Scope) -> tuple[set[str], networks.NetworkLookups]:
    found: Iterator[Any] = scope.workers.ahead(
        (lambda: openstack.extensions(scope), lambda: networks.look_up(scope))
    )
    extensions, network = found
    return extensions, network


def convert(record: Record, scope: openstack.Scope, lookups: Any) -> Union[Appliance, Dropped]:
    kind = KINDS[openstack.kind_of(record, KINDS, "appliance")]
    if openstack.of_another_project(scope, record):
        return Dropped("of another project")
    return Appliance(
        type_id=kind.type_id,
        id=needed(record, "id", str),
        name=openstack.name_of(record),
        provider_created_at=time(record, "created_at"),
        region=Region(scope.region),
        **kind.convert(record, lookups),
    )


# --- status ---------------------------------------------------------------------------------------


def fetch_status(scope: openstack.Scope, requested: Requested) -> Iterator[Page[Record, Any]]:
    """Only what the status needs: 1 call a listing, and 2 for agents where the login may see them.

    An id does not show its kind: where a few are requested, one kind after the other is searched for them,
    until all have been seen.
    """
    ids = openstack.few(requested)
    if ids is None:
        yield from _status_pages(scope, None)
        return
    left = set(ids)
    pages = _status_pages(scope, ids)
    while left:
        page = next(pages, None)
        if page is None:
            return
        left -= {needed(record, "id", str) for record in page.records}
        yield page


def _status_pages(scope: openstack.Scope, ids: Optional[list[str]]) -> Iterator[Page[Record, Any]]:
    extensions = openstack.extensions(scope)
    kinds: list[Iterator[Page[Record, Any]]] = [routers.fetch_status(scope, extensions, ids)]
    if "fwaas_v2" in extensions:
        kinds.append(firewalls.fetch_status(scope, ids))
    if openstack.offers(scope, "load-balancer"):
        kinds.append(load_balancers.fetch_status(scope, ids))
    if openstack.offers(scope, "shared-file-system"):
        kinds.append(shares.fetch_status(scope))
    yield from scope.workers.pages(*kinds) if ids is None else chain.from_iterable(kinds)


def status(record: Record, scope: openstack.Scope, lookups: Any) -> Iterator[Point]:
    kind = KINDS[openstack.kind_of(record, KINDS, "appliance")]
    if openstack.of_another_project(scope, record):
        return
    findings = [
        openstack.finding(record, name, levels, since=kind.changed_at)
        for name, levels in kind.states.items()
    ]
    findings.extend(kind.more_findings(record, lookups))
    findings = openstack.unless_switched_off(record, findings)
    yield openstack.point(record, "appliance", findings)


CELL = Cell(
    calls=(
        "1 token; a region with Neutron: 1 /extensions + p(networks) /networks + p(ports) /ports "
        "+ p(routers) /routers + p(firewall groups) /fwaas/firewall_groups, if it has them; "
        "+ 1 /security-groups where the project has no port (all_projects: /quotas); "
        "with Octavia: p(load balancers) /lbaas/loadbalancers; where there are some: "
        "p(listeners) /listeners + p(pools) /pools + a pool with members p(members) /members, "
        "+ p(subnets) /subnets where one has additional VIPs; "
        "+ p(servers) /servers where a member or a firewall group's port may be a server; "
        "with Manila: 1 /shares/detail, where there are shares 2 and 1 more for each 999 after the first "
        "1,000, and as many /share-networks/detail where a share is in one"
    ),
    permissions=tuple(
        sorted(
            {
                *networks.PERMISSIONS,
                *(permission for kind in _KINDS for permission in kind.permissions),
            }
        )
    ),
    fetch=fetch,
    convert=convert,
    status=Status(
        permissions=tuple(
            sorted(permission for kind in _KINDS for permission in kind.status_permissions)
        ),
        points=status,
        fetch=fetch_status,
    ),
)
