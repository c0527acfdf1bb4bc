"""What a poll reports of one application or unit: its extract of the full status, and its facts."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.vca.model import (
    Application,
    Machine,
    Model,
    Unit,
    all_machines,
    relations_of,
    remote_applications_of,
    units_of,
)


def unit_extract(unit: Unit, machines: Mapping[str, Machine]) -> dict[str, Any]:
    """A full status with nothing but the unit and its machine; ``read_model`` reads it."""
    within: dict[str, Any] = {unit.name: unit.record}
    name = unit.name
    if unit.principal:
        within = {unit.principal: {"machine": unit.machine, "subordinates": within}}
        name = unit.principal
    application = name.rpartition("/")[0]
    return {
        "applications": {application: {"units": within}},
        "machines": _records_of(machines, [unit]),
    }


def application_extract(model: Model, application: Application) -> dict[str, Any]:
    """A full status with nothing but the application, its units and their machines, and whatever is related to it."""
    name, units = application.name, units_of(model, application.name)
    applications: dict[str, Any] = {name: application.record}
    for unit in units:
        if unit.principal:
            principals = applications.setdefault(unit.principal.rpartition("/")[0], {"units": {}})
            within = {"machine": unit.machine, "subordinates": {unit.name: unit.record}}
            principals["units"].setdefault(unit.principal, within)["subordinates"].update(
                within["subordinates"]
            )
    return {
        "applications": applications,
        "machines": _records_of(all_machines(model), units),
        "relations": [relation.record for relation in relations_of(model, name)],
        "offers": {
            key: offer.record for key, offer in model.offers.items() if offer.application == name
        },
        "remote-applications": {
            remote.name: remote.record for remote in remote_applications_of(model, application)
        },
    }


def _records_of(machines: Mapping[str, Machine], units: Iterable[Unit]) -> dict[str, Any]:
    """The records of the machines that these units are on, without the containers in them."""
    ids = {unit.machine for unit in units if unit.machine in machines}
    return {id_: machines[id_].own_record for id_ in sorted(filter(None, ids))}


# --- facts: what a resource's metadata says beyond its status -------------------------------------


def unit_facts(unit: Unit, machines: Mapping[str, Machine]) -> dict[str, Any]:
    """What is known of a unit beyond its workload's status."""
    machine = machines.get(unit.machine or "")
    return {
        "application": unit.application,
        "agent_status": unit.agent.value,
        "agent_message": unit.agent.message,
        "agent_since": unit.agent.since,
        "machine": unit.machine,
        "machine_status": machine and machine.agent.value,
        "machine_message": machine and machine.agent.message,
        "instance_status": machine and machine.instance.value,
        "instance_message": machine and machine.instance.message,
        "leader": unit.leader,
        "address": unit.address,
        "opened_ports": list(unit.ports),
        "workload_version": unit.version,
        "principal": unit.principal,
    }


def application_facts(model: Model, application: Application) -> dict[str, Any]:
    """What is known of an application beyond its status."""
    return {
        "charm": application.charm,
        "exposed": application.exposed,
        "life": application.life,
        "workload_version": application.version,
        "scale": application.scale,
        "units": [unit.name for unit in units_of(model, application.name)],
        "subordinate_to": list(application.subordinate_to),
        "relations": [
            {
                "key": relation.key,
                "interface": relation.interface,
                "scope": relation.scope,
                "status": relation.status.value,
                "message": relation.status.message,
            }
            for relation in relations_of(model, application.name)
        ],
        "offers": [
            {"name": offer.name, "endpoints": list(offer.endpoints), "connected": offer.connected}
            for offer in model.offers.values()
            if offer.application == application.name
        ],
        "remote_applications": [
            {"name": remote.name, "url": remote.url, "status": remote.status.value}
            for remote in remote_applications_of(model, application)
        ],
    }
