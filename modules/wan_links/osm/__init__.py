"""WAN links that OSM creates between the data centres of a service, one for each VLD that spans them.

API: GET /nslcm/v1/ns_instances, /admin/v1/vim_accounts and /admin/v1/wim_accounts of the northbound API
(NBI), whole lists; with credentials.ro_url also the classic resource orchestrator (RO, up to release
NINE), one instance at a time. For what each release records where, see shared/providers/osm/wan.py.
https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html

Without ro_url, the links of classic RO are read from the copy in the NS record, which dates from the last
operation on the service. FIVE and SIX have no such copy: their links are reported with ro_url only.

For which links are needed, see shared/providers/osm/wan_plan.py. If no WIM is mapped to all data centres of a
VLD, OSM creates no link and does not report it.

- services: the records of links, and the networks of services;
- links: a link's record as a resource and as a status point;
- needs: links that should exist but do not;
- wims: the status points of WIMs.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Union

from nflex_connector_utils import Circuit

from modules.wan_links.osm import links, needs, services, wims
from modules.wan_links.osm.services import Lookups
from shared.engine.contracts import Cell, Dropped, Page, Requested, Status
from shared.providers import osm
from shared.records.status import Point

Pages = Iterator[Page[dict[str, Any], Lookups]]


def fetch(scope: osm.Scope) -> Pages:
    lookups, listed = services.look_up(scope)
    found = services.read(scope, listed, lookups.accounts)
    yield Page(found.links, lookups)
    if scope.session.options.get("report_missing"):
        yield Page(needs.missing(found, lookups.accounts), lookups)


def fetch_status(scope: osm.Scope, requested: Requested) -> Pages:
    """The links, the needs that no link satisfies (whatever the options say), and the WIMs."""
    lookups, listed = services.look_up(scope)
    found = services.read(scope, listed, lookups.accounts)
    yield Page(found.links, lookups)
    yield Page(needs.missing(found, lookups.accounts), lookups)
    yield Page(wims.records(found, lookups), lookups)


def convert(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Union[Circuit, Dropped]:
    if "need" in record:
        return needs.convert(record, lookups.accounts)
    return links.convert(record, lookups)


def status(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Iterable[Point]:
    if "need" in record:
        return needs.points(record, lookups.accounts)
    if "wim_id" in record:
        return wims.points(record, lookups.accounts)
    return links.points(record, lookups)


_PERMISSIONS = ("ns_instances:get", "vim_accounts:get", "wim_accounts:get")
CELL = Cell(
    calls=(
        "1 token + 1 /vim_accounts + 1 /wim_accounts + 1 /ns_instances + 1 to take the token back; with "
        "ro_url: + 1 /tenants + 1 /datacenters + 2 /wims + 1 a WIM + 1 a service; of release FIVE or SIX: + 1 "
        "a service /action + 1 an action; + 1 /ns_instances where RO does not have a service any more"
    ),
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    record_ids=("sdn_net.uuid", "task.item_id", "ns._id", "need.service", "wim_id"),
    status=Status(permissions=_PERMISSIONS, points=status, fetch=fetch_status),
)
