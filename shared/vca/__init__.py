"""VCA status as Juju and as OSM report it: what the cells of both share. No I/O, no clock, no CMP resource.

VCA is OSM's name for the layer that configures network functions; with Juju, its execution environments (EEs)
are units of charms. In this room:

- names: ids, and the names and namespaces that OSM gives;
- health: Juju's status values as OSM's, as health, and as levels of a status poll;
- model: the applications, units and machines of a Juju model, and what can be looked up in it;
- full_status: reads Juju's FullStatus, or OSM's dump of one, into a model;
- extracts: what a poll reports of one application or unit.
"""

from shared.vca.extracts import (
    application_extract,
    application_facts,
    unit_extract,
    unit_facts,
)
from shared.vca.full_status import (
    Known,
    read_model,
    unreadable,
)
from shared.vca.health import (
    FAILED,
    HEALTH,
    Observation,
    Status,
    level,
    osm_status,
    parse_epoch,
    parse_since,
    since,
    status_facts,
    stuck,
    summary,
    worst_health,
)
from shared.vca.model import (
    Application,
    Machine,
    Model,
    Offer,
    Unit,
    all_machines,
    all_units,
    application_status,
    observations_of_application,
    observations_of_unit,
    related_applications,
    remote_applications_of,
    units_of,
)
from shared.vca.names import (
    OWNER,
    EeId,
    Namespace,
    Target,
    application_id,
    application_name,
    application_name_of,
    is_helm,
    machine_id,
    model_name,
    parse_ee_id,
    parse_namespace,
    target_of,
    unit_id,
)

__all__ = [
    "Application",
    "EeId",
    "FAILED",
    "HEALTH",
    "Known",
    "Machine",
    "Model",
    "Namespace",
    "OWNER",
    "Observation",
    "Offer",
    "Status",
    "Target",
    "Unit",
    "all_machines",
    "all_units",
    "application_extract",
    "application_facts",
    "application_id",
    "application_name",
    "application_name_of",
    "application_status",
    "worst_health",
    "is_helm",
    "level",
    "machine_id",
    "model_name",
    "observations_of_application",
    "observations_of_unit",
    "osm_status",
    "parse_ee_id",
    "parse_epoch",
    "parse_namespace",
    "parse_since",
    "read_model",
    "related_applications",
    "remote_applications_of",
    "since",
    "status_facts",
    "stuck",
    "summary",
    "target_of",
    "unit_extract",
    "unit_facts",
    "unit_id",
    "units_of",
    "unreadable",
]
