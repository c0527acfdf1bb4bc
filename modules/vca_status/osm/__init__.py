"""VCA status as OSM stores it: the applications, units and execution environments of its NS instances.

API: GET /nslcm/v1/ns_instances, whole (there is no paging), /admin/v1/vim_accounts, and if a VIM names its VCA,
/admin/v1/vca. Nothing is refreshed: that would be a GET which writes the record and queues a job.
https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html

An NS record holds Juju's state twice. ``_admin.deployed.VCA`` has an entry for each execution environment (EE),
with the status of Juju's last event of any kind; ``vcaStatus`` is a full status, taken when somebody last viewed
the NS. The newer one counts: an entry's status replaces that of the application, and of the unit on the EE's
machine, if it is younger than the full status. OSM's own ``status`` shows no failures in 7.0, and ``nsState``
none after day 1: both are shown, and OSM's status is worked out again from Juju's. The status of an action
says nothing about the unit.

Ids are those of Juju's own view. The owner of a model is the user of the VCA account that the VIM names,
or admin. Helm charts, and charms that are not deployed yet, have no application: they are execution
environments. What ``vcaStatus`` holds of KNFs has no documented form and is ignored. The configurations of charms
and the parameters of instances may hold secrets, and are not read.

- environments: the entries of ``_admin.deployed.VCA``;
- records: an NS as a record for each application, unit and execution environment;
- states: the status and health of a record;
- resources: CMP's resource and status point of a record.
"""

from collections.abc import Iterator
from typing import Any, Callable

from modules.vca_status.osm import records
from modules.vca_status.osm.records import Lookups
from modules.vca_status.osm.resources import convert, status
from shared.engine.contracts import Cell, Page, Status
from shared.engine.errors import about
from shared.providers import osm


def fetch(scope: osm.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    """A page for each NS."""
    listings: tuple[Callable[[], Any], ...] = (
        lambda: records.look_up(scope),
        lambda: osm.listed(scope, "ns"),
    )
    lookups, services = scope.workers.ahead(listings)
    osm.log_out(scope)
    models = []
    for ns in services:
        with about(f"NS {ns.get('_id')}"):
            models.append(records.models(ns, lookups))
    records.log_unreadable(services, scope.session.log)
    offered = records.offered_ids(models)
    for ns, models_of_ns in zip(services, models):
        with about(f"NS {ns.get('_id')}"):
            page = list(records.of_ns(ns, models_of_ns, offered, lookups))
        yield Page(page, lookups)


_PERMISSIONS = ("ns_instances:get", "vca:get", "vim_accounts:get")
CELL = Cell(
    calls="1 /ns_instances + 1 /vim_accounts; where a VIM names its VCA: + 1 /vca",
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    status=Status(permissions=_PERMISSIONS, points=status),
)
