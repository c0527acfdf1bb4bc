"""VCA status as Juju reports it: the applications and units of its models.

API: Client.FullStatus, one call a model, which answers with everything.
https://documentation.ubuntu.com/juju/3.6/reference/status/

An application's or unit's own status is shown unchanged, beside OSM's status for it and its health: the worst
status of itself, its agent and its machine. A subordinate's units are inside its principals'.

A relation connects two applications. One with an application of another model does so if that model is polled
too and the user may see its offers (admin). An offer's URL that begins with a controller's name belongs to another
controller and is only shown.

An application's name shows which NS, VNF and VDU it configures, if OSM chose it; but OSM replaces underscores and
capitals.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, TypeVar

from nflex_connector_utils import Connections, ServiceOffering

from shared import vca
from shared.engine import clock, contracts
from shared.engine.contracts import Cell, Page
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.providers import juju
from shared.records.fields import field, items, needed
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport.websocket import ConnectionFailed
from shared.vca import Observation, Status

APPLICATION, UNIT = "vca_application", "vca_unit"

T = TypeVar("T")

_OFFER_URL = re.compile(r"([^:/]+/[^./]+)\.([^.:]+)")  # owner/model.offer of this controller
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The names that N2VC gives to applications, in release 7 and later. It puts a z before a group of digits.
_N2VC_NAMES = (
    re.compile(
        r"app-vnf-(?P<vnf>.+?)(?:-vdu-(?P<vdu_id>.+?)(?:-cnt-z(?P<vdu_count_index>[0-9]{1,18}))?)?"
    ),
    re.compile(r".+-z[0-9]+-(?P<member_vnf_index>[^-]+)-vnf"),
    re.compile(
        r".+-z[0-9]+-(?P<member_vnf_index>[^-]+)-(?P<vdu_id>[^-]+)-z(?P<vdu_count_index>[0-9]{1,18})-vdu"
    ),
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    """What the records of a model have in common."""

    model_status: Status
    now: datetime.datetime  # the controller's time
    known: vca.Known  # what ``fetch`` has read of the records


def fetch(scope: juju.Scope) -> Iterator[Page[dict[str, Any], Lookups]]:
    """A page of applications and one of units. A record holds its extract of the full status."""
    full_status = scope.status()
    known = vca.Known()
    model = vca.read_model(full_status, known)
    offered = _offered_ids(scope, model)
    now = model.moment or clock.now()
    lookups = Lookups(model.status, now, known)
    timestamp = {"controller-timestamp": field(full_status, "controller-timestamp", str)}
    applications = []
    for name, application in model.applications.items():
        extract = vca.application_extract(model, application)
        remote_names = extract["remote-applications"]
        applications.append(
            {
                "type_id": APPLICATION,
                "name": name,
                "status": {**extract, **timestamp},
                "related": sorted(vca.related_applications(model, name)),
                "offered": sorted(
                    {offered[remote] for remote in remote_names if remote in offered}
                ),
            }
        )
    yield Page(applications, lookups)
    machines = vca.all_machines(model)
    units = [
        {
            "type_id": UNIT,
            "name": unit.name,
            "status": {**vca.unit_extract(unit, machines), **timestamp},
        }
        for unit in vca.all_units(model)
    ]
    yield Page(units, lookups)


def _offered_ids(scope: juju.Scope, model: vca.Model) -> dict[str, str]:
    """The ids of the model's remote applications, by their names in the model."""
    ids = {
        name: _id_of_offer(scope, remote.url or "")
        for name, remote in model.remote_applications.items()
    }
    return {name: id_ for name, id_ in ids.items() if id_}


def _id_of_offer(scope: juju.Scope, url: str) -> Optional[str]:
    """The id of the application that is offered at this URL, if its model is polled too."""
    match = _OFFER_URL.fullmatch(url)
    other = scope.session.models.get(match[1]) if match else None
    if match is None or other is None:
        return None
    try:
        offers = other.offers()
    except (ConnectorError, ConnectionFailed, juju.Refused):
        return None  # an error of that model is reported when that model is read
    offer = vca.read_model({"offers": offers}).offers.get(match[2])
    application = offer and offer.application
    return vca.application_id(other.name, application) if application else None


# --- records to resources -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Entity:
    """An application or unit, read from its record."""

    id: str
    kind: str  # of its status
    status: Status
    observations: list[Observation]
    machines: set[str]
    connected: list[str]  # ids of applications and units
    moment: Optional[datetime.datetime]  # of the full status
    facts: dict[str, Any]


def convert(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> ServiceOffering:
    entity = _read(record, scope, lookups)
    servers = [vca.machine_id(scope.name, machine) for machine in sorted(entity.machines)]
    return ServiceOffering(
        id=entity.id,
        name=needed(record, "name", str),
        type_id=needed(record, "type_id", str),
        connections=Connections(servers=servers).add("service_offering", entity.connected),
        metadata=metadata(
            {},
            (),
            model=scope.name,
            model_uuid=scope.uuid,
            **vca.status_facts(entity.kind, entity.status, entity.moment),
            health=vca.worst_health(entity.observations, lookups.now),
            **entity.facts,
        ),
    )


def status(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> Iterable[Point]:
    """The level of OSM's status or of the health, whichever is worse, and since when the worst status holds."""
    entity = _read(record, scope, lookups)
    health = vca.worst_health(entity.observations, lookups.now)
    yield Point(
        entity.id,
        "service_offering",
        vca.level(vca.osm_status(entity.kind, entity.status.value), health),
        vca.summary(entity.observations, lookups.now),
        vca.since(entity.observations, health, lookups.now),
    )


def _read(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> _Entity:
    model = vca.read_model(needed(record, "status", dict), lookups.known)
    if needed(record, "type_id", str) == APPLICATION:
        return _application(record, model, scope, lookups)
    return _unit(record, model, scope)


def _application(
    record: dict[str, Any], model: vca.Model, scope: juju.Scope, lookups: Lookups
) -> _Entity:
    name = needed(record, "name", str)
    application = _by_name(model.applications, name)
    units, machines = vca.units_of(model, name), vca.all_machines(model)
    observations = vca.observations_of_application(application, units, machines)
    related = [vca.application_id(scope.name, other) for other in items(record, "related", str)]
    return _Entity(
        id=vca.application_id(scope.name, name),
        kind="application",
        status=vca.application_status(application, units),
        observations=[*observations, Observation("model", lookups.model_status)],
        machines={unit.machine for unit in units if unit.machine in machines},
        connected=[*related, *items(record, "offered", str)],
        moment=model.moment,
        facts={
            "model_status": lookups.model_status.value,
            "model_message": lookups.model_status.message,
            **osm_names(scope.name, name),
            "ee_ids": [_ee_id(scope, unit) for unit in units],
            **vca.application_facts(model, application),
        },
    )


def _unit(record: dict[str, Any], model: vca.Model, scope: juju.Scope) -> _Entity:
    name = needed(record, "name", str)
    unit = _by_name({unit.name: unit for unit in vca.all_units(model)}, name)
    machines = vca.all_machines(model)
    principal = [vca.unit_id(scope.name, unit.principal)] if unit.principal else []
    return _Entity(
        id=vca.unit_id(scope.name, name),
        kind="unit",
        status=unit.status,
        observations=vca.observations_of_unit(unit, machines),
        machines={unit.machine} if unit.machine in machines else set(),
        connected=[vca.application_id(scope.name, unit.application), *principal],
        moment=model.moment,
        facts={
            **osm_names(scope.name, unit.application),
            "ee_id": _ee_id(scope, unit),
            **vca.unit_facts(unit, machines),
        },
    )


def _by_name(entries: Mapping[str, T], name: str) -> T:
    if name not in entries:
        raise UnexpectedResponse(f"field 'status' has no {name!r}")
    return entries[name]


def _ee_id(scope: juju.Scope, unit: vca.Unit) -> str:
    """OSM's id of the unit's execution environment; a unit on Kubernetes has no machine."""
    model = scope.name.rpartition("/")[2]
    return f"{model}.{unit.application}.{unit.machine or 'k8s'}"


def osm_names(model: str, application: str) -> dict[str, Any]:
    """The NS, VNF and VDU that OSM wrote into the names of a model and an application.

    Empty unless OSM named the model: it names the model of an NS by the NS's id. Names that later releases give to
    VDUs are ambiguous, and not read, if the member index or the VDU has a hyphen.
    """
    ns = model.rpartition("/")[2]
    if not _UUID.fullmatch(ns):
        return {}
    parts: dict[str, Any] = {"ns_id": ns}
    match = next(filter(None, (pattern.fullmatch(application) for pattern in _N2VC_NAMES)), None)
    parts.update(match.groupdict() if match else {})
    if parts.get("vnf"):
        parts["vnf"] = re.sub("(?<![^-])z(?=[0-9]+(?:-|$))", "", parts["vnf"])
    if parts.get("vdu_count_index"):
        parts["vdu_count_index"] = int(parts["vdu_count_index"])
    return {name: value for name, value in parts.items() if value is not None}


_PERMISSIONS = ("controller login", "model read")
CELL = Cell(
    calls="1 login + 1 ListModelSummaries; a model: 1 login + 1 FullStatus",
    permissions=_PERMISSIONS,
    fetch=fetch,
    convert=convert,
    record_ids=("name",),
    status=contracts.Status(permissions=_PERMISSIONS, points=status),
)
