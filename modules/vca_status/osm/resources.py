"""From a record to CMP's resource and to its status point."""

import datetime
from collections.abc import Iterable
from typing import Any

from nflex_connector_utils import Connections, ServiceOffering

from modules.vca_status.osm import environments
from modules.vca_status.osm.records import APPLICATION, ENVIRONMENT, NS_FIELDS, Lookups
from modules.vca_status.osm.states import State, state_of
from shared import vca
from shared.providers import osm
from shared.records.fields import field, items, needed, plain
from shared.records.metadata import metadata
from shared.records.status import Point

OLD = datetime.timedelta(minutes=30)  # a status point names the age of an older full status


def convert(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> ServiceOffering:
    state = state_of(record)
    status_facts = vca.status_facts(state.kind, state.status, state.as_of)
    return ServiceOffering(
        id=needed(record, "id", str),
        name=needed(record, "name", str),
        type_id=needed(record, "type_id", str),
        connections=_connections(record, state),
        metadata=metadata(
            {},
            (),
            **_ns_facts(record),
            model=field(record, "model", str),
            **{**status_facts, "osm_status": state.osm_status},
            health=state.health(),
            gone_from_juju=state.gone or None,
            **_juju_facts(record, state),
            **environments.facts(environments.of_record(record)),
        ),
    )


def status(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Iterable[Point]:
    """The level of OSM's status or of the health, whichever is worse, and since when the worst status holds."""
    state, now = state_of(record), lookups.now
    message = vca.summary(state.observations, now)
    if state.gone:
        message = f"gone from Juju; before: {message}"
    if state.as_of and now - state.as_of > OLD:
        message += f"; as of {plain(state.as_of)}"
    health = state.health(now)
    yield Point(
        needed(record, "id", str),
        "service_offering",
        vca.level(state.osm_status, health),
        message,
        vca.since(state.observations, health, now),
    )


def _ns_facts(record: dict[str, Any]) -> dict[str, Any]:
    ns = field(record, "ns", dict) or {}
    return {ours: field(ns, name, str) for name, ours in NS_FIELDS.items()}


def _juju_facts(record: dict[str, Any], state: State) -> dict[str, Any]:
    """What the full status has beyond the status."""
    if state.model is None:
        return {}
    name = needed(record, "name", str)
    if needed(record, "type_id", str) == APPLICATION:
        return vca.application_facts(state.model, state.model.applications[name])
    unit = next(unit for unit in vca.all_units(state.model) if unit.name == name)
    return vca.unit_facts(unit, state.model.machines)


def _connections(record: dict[str, Any], state: State) -> Connections:
    """Related applications and units, and the machines."""
    connections = Connections(type="service_offering", connections=items(record, "related", str))
    model = field(record, "model", str)
    if needed(record, "type_id", str) == ENVIRONMENT or not model:
        return connections
    units = vca.all_units(state.model) if state.model else []
    name = needed(record, "name", str)
    if state.model and units:
        own = {unit.machine for unit in units if name in (unit.name, unit.application)}
        machines = own & state.model.machines.keys()
    else:
        machines = {environment.machine for environment in environments.of_record(record)}
    servers = sorted(vca.machine_id(model, machine) for machine in machines if machine)
    return connections.add(servers=servers)
