"""VCA status as Juju has it: the applications and units of its models.

API: Client.FullStatus, one call a model, with all of it in one answer.
https://documentation.ubuntu.com/juju/3.6/reference/status/

What an application or unit says of itself is shown as it is, beside OSM's word for it and the worst of
what it, its agent and its machine say. A subordinate's units are inside its principals'. A relation
connects two applications; with one of another model, it does where that model is polled too and its
offers may be seen (admin): an offer's URL with a controller's name before it is of another controller,
and is only shown. OSM's names tell which NS, VNF and VDU an application configures, as far as they go:
underscores and capitals are lost in them.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, TypeVar

from nflex_connector_utils import Connections, ServiceOffering

from shared import vca
from shared.engine import clock
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.providers import juju
from shared.records.fields import field, items, needed
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.transport.websocket import ConnectionFailed
from shared.vca import Observation, Status

PERMISSIONS = ("controller login", "model read")
CALLS = "1 login + 1 ListModelSummaries; a model: 1 login + 1 FullStatus"
RECORD_IDS = ("name",)

APPLICATION, UNIT = "vca_application", "vca_unit"

T = TypeVar("T")

_OFFER_URL = re.compile(r"([^:/]+/[^./]+)\.([^.:]+)")  # owner/model.offer, of this controller
_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The names that N2VC gives to applications, of release 7 and of later ones. A group of digits has a z.
_NAMES = (
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
    """A model's full status; ``offered``: its remote applications' names -> ids of what they are."""

    model: vca.Model
    moment: Optional[str]
    now: datetime.datetime  # the controller's
    offered: Mapping[str, str]


def lookups(scope: juju.Scope) -> Lookups:
    status = scope.status()
    model = vca.read_model(status)
    offered = {
        name: _offering(scope, remote.url or "")
        for name, remote in model.remote_applications.items()
    }
    return Lookups(
        model,
        field(status, "controller-timestamp", str),
        model.moment or clock.now(),
        {name: id_ for name, id_ in offered.items() if id_},
    )


def _offering(scope: juju.Scope, url: str) -> Optional[str]:
    """The id of the application that is offered at this URL, if it is one of this poll's models."""
    found = _OFFER_URL.fullmatch(url)
    other = scope.session.models.get(found[1]) if found else None
    if found is None or other is None:
        return None
    try:
        offers = other.offers()
    except (ConnectorError, ConnectionFailed, juju.Refused):
        return None  # an error of that model is reported where that model is read
    application = vca.read_model({"offers": offers}).offers.get(found[2])
    named = application and application.application
    return vca.application_id(other.name, named) if named else None


def fetch(scope: juju.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    """A page of applications, and one of units. A record is the full status cut to what tells of it."""
    model, moment = lookups.model, lookups.moment
    about = {"controller-timestamp": moment}
    page = []
    for name, application in model.applications.items():
        cut = vca.application_extract(model, application)
        remote = cut["remote-applications"]
        page.append(
            {
                "type_id": APPLICATION,
                "name": name,
                "status": {**cut, **about},
                "related": sorted(vca.related_applications(model, name)),
                "offered": sorted({lookups.offered[n] for n in remote if n in lookups.offered}),
            }
        )
    yield page
    machines = vca.all_machines(model)
    yield [
        {
            "type_id": UNIT,
            "name": unit.name,
            "status": {**vca.unit_extract(unit, machines), **about},
        }
        for unit in vca.all_units(model)
    ]


# --- records to resources -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class _Thing:
    """An application or unit, read from its record."""

    id: str
    kind: str  # of its word
    status: Status
    observations: list[Observation]
    machines: set[str]
    connected: list[str]  # ids of applications and units
    moment: Optional[datetime.datetime]  # of the full status
    facts: dict[str, Any]


def convert(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> ServiceOffering:
    thing = _read(record, scope, lookups)
    servers = [vca.machine_id(scope.name, each) for each in sorted(thing.machines)]
    return ServiceOffering(
        id=thing.id,
        name=needed(record, "name", str),
        type_id=needed(record, "type_id", str),
        connections=Connections(servers=servers).add("service_offering", thing.connected),
        metadata=metadata(
            {},
            (),
            model=scope.name,
            model_uuid=scope.uuid,
            **vca.status_facts(thing.kind, thing.status, thing.moment),
            health=vca.worst_health(thing.observations, lookups.now),
            **thing.facts,
        ),
    )


def status(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> Iterable[Point]:
    """OSM's status of it, or its health where that is worse; since when the worst of it is."""
    thing = _read(record, scope, lookups)
    now = lookups.now
    health = vca.worst_health(thing.observations, now)
    worst = [each.status for each in thing.observations if vca.worst_health([each], now) == health]
    yield Point(
        thing.id,
        "service_offering",
        vca.level(vca.osm_status(thing.kind, thing.status.value), health),
        vca.summary(thing.observations, now),
        next((each.since for each in worst if each.value), None),
    )


def _read(record: dict[str, Any], scope: juju.Scope, lookups: Lookups) -> _Thing:
    model = vca.read_model(needed(record, "status", dict))
    if needed(record, "type_id", str) == APPLICATION:
        return _application(record, model, scope, lookups)
    return _unit(record, model, scope)


def _application(
    record: dict[str, Any], model: vca.Model, scope: juju.Scope, lookups: Lookups
) -> _Thing:
    name = needed(record, "name", str)
    application = _there(model.applications, name)
    units, machines = vca.units_of(model, name), vca.all_machines(model)
    observations = vca.observations_of_application(application, units, machines)
    related = [vca.application_id(scope.name, each) for each in items(record, "related", str)]
    return _Thing(
        id=vca.application_id(scope.name, name),
        kind="application",
        status=vca.application_status(application, units),
        observations=[*observations, Observation("model", lookups.model.status)],
        machines={unit.machine for unit in units if unit.machine in machines},
        connected=[*related, *items(record, "offered", str)],
        moment=model.moment,
        facts={
            "model_status": lookups.model.status.value,
            "model_message": lookups.model.status.message,
            **named(scope.name, name),
            "ee_ids": [_ee_id(scope, unit) for unit in units],
            **vca.application_facts(model, application),
        },
    )


def _unit(record: dict[str, Any], model: vca.Model, scope: juju.Scope) -> _Thing:
    name = needed(record, "name", str)
    unit = _there({each.name: each for each in vca.all_units(model)}, name)
    machines = vca.all_machines(model)
    principal = [vca.unit_id(scope.name, unit.principal)] if unit.principal else []
    return _Thing(
        id=vca.unit_id(scope.name, name),
        kind="unit",
        status=unit.status,
        observations=vca.observations_of_unit(unit, machines),
        machines={unit.machine} if unit.machine in machines else set(),
        connected=[vca.application_id(scope.name, unit.application), *principal],
        moment=model.moment,
        facts={
            **named(scope.name, unit.application),
            "ee_id": _ee_id(scope, unit),
            **vca.unit_facts(unit, machines),
        },
    )


def _there(found: Mapping[str, T], name: str) -> T:
    if name not in found:
        raise UnexpectedResponse(f"field 'status' has no {name!r}")
    return found[name]


def _ee_id(scope: juju.Scope, unit: vca.Unit) -> str:
    """As OSM writes it; a unit on Kubernetes has no machine."""
    model = scope.name.rpartition("/")[2]
    return f"{model}.{unit.application}.{unit.machine or 'k8s'}"


def named(model: str, application: str) -> dict[str, Any]:
    """What OSM's names of a model and an application tell: the NS, VNF and VDU.

    Only where they are OSM's: a model of an NS is named by the NS's id. With a hyphen in the member
    index or the VDU, later releases' names of VDUs tell neither.
    """
    ns = model.rpartition("/")[2]
    if not _UUID.fullmatch(ns):
        return {}
    parts: dict[str, Any] = {"ns_id": ns}
    found = next(filter(None, (each.fullmatch(application) for each in _NAMES)), None)
    parts.update(found.groupdict() if found else {})
    if parts.get("vnf"):
        parts["vnf"] = re.sub("(?<![^-])z(?=[0-9]+(?:-|$))", "", parts["vnf"])
    if parts.get("vdu_count_index"):
        parts["vdu_count_index"] = int(parts["vdu_count_index"])
    return {name: value for name, value in parts.items() if value is not None}
