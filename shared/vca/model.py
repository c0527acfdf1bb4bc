"""A Juju model as its full status describes it, and what can be looked up in it."""

import dataclasses
import datetime
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from shared.vca.health import Observation, Status


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit. A subordinate unit names its ``principal`` and is on the principal's machine."""

    name: str
    application: str
    status: Status  # of the workload
    agent: Status
    machine: Optional[str]  # None on Kubernetes
    leader: bool
    address: Optional[str]
    version: Optional[str]  # of the workload
    ports: tuple[str, ...]
    principal: Optional[str]
    subordinates: tuple["Unit", ...]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Application:
    """An application. ``units`` is empty for a subordinate one: its units are in its principals' (``units_of``)."""

    name: str
    status: Status
    charm: Optional[str]
    exposed: Optional[bool]
    life: Optional[str]
    version: Optional[str]  # of the workload
    relations: Mapping[str, tuple[str, ...]]  # endpoint -> related applications
    subordinate_to: tuple[str, ...]
    scale: Optional[int]  # on Kubernetes
    units: tuple[Unit, ...]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Machine:
    """A machine, or a container in one ("0/lxd/1")."""

    id: str
    agent: Status
    instance: Status
    modification: Status
    instance_id: Optional[str]  # None until there is one
    display_name: Optional[str]
    hostname: Optional[str]
    address: Optional[str]
    addresses: tuple[str, ...]
    base: Optional[str]  # "ubuntu 22.04"
    series: Optional[str]
    hardware: Optional[str]
    constraints: Optional[str]
    parent: Optional[str]
    containers: tuple["Machine", ...]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)

    @functools.cached_property
    def own_record(self) -> dict[str, Any]:
        """The record without those of the containers in it; one dict for all extracts."""
        return {name: value for name, value in self.record.items() if name != "containers"}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One end of a relation."""

    application: str
    name: Optional[str]
    role: Optional[str]
    subordinate: bool


@dataclasses.dataclass(frozen=True)
class Relation:
    id: Optional[int]
    key: Optional[str]
    interface: Optional[str]
    scope: Optional[str]
    status: Status
    endpoints: tuple[Endpoint, ...]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Offer:
    """An endpoint that the model offers to other models."""

    name: str
    application: Optional[str]
    endpoints: tuple[str, ...]
    connected: Optional[int]
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class RemoteApplication:
    """An offer of another model that this one uses (SAAS)."""

    name: str
    url: Optional[str]  # controller:owner/model.offer
    status: Status
    relations: Mapping[str, tuple[str, ...]]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Model:
    """A model. All its parts are sorted by name or id."""

    name: Optional[str]
    kind: Optional[str]  # iaas or caas
    cloud: Optional[str]
    region: Optional[str]
    version: Optional[str]
    status: Status
    applications: Mapping[str, Application]
    machines: Mapping[str, Machine]  # without containers; see all_machines
    relations: tuple[Relation, ...]
    offers: Mapping[str, Offer]
    remote_applications: Mapping[str, RemoteApplication]
    moment: Optional[datetime.datetime]  # the controller's clock


def all_units(model: Model) -> list[Unit]:
    """Every unit, each followed by its subordinates."""
    return [
        one
        for application in model.applications.values()
        for unit in application.units
        for one in (unit, *unit.subordinates)
    ]


def units_of(model: Model, application: str) -> list[Unit]:
    """An application's units. Those of a subordinate one are inside its principals'."""
    return [unit for unit in all_units(model) if unit.application == application]


def all_machines(model: Model) -> dict[str, Machine]:
    """Machines and containers of every level, by id."""
    machines: dict[str, Machine] = {}

    def add(machine: Machine) -> None:
        machines[machine.id] = machine
        for container in machine.containers:
            add(container)

    for machine in model.machines.values():
        add(machine)
    return machines


def remote_applications_of(model: Model, application: Application) -> list[RemoteApplication]:
    """The applications of other models that an application is related to."""

    def names(relations: Mapping[str, tuple[str, ...]]) -> set[str]:
        return {other for others in relations.values() for other in others}

    related = names(application.relations)
    return [
        remote
        for remote in model.remote_applications.values()
        if remote.name in related or application.name in names(remote.relations)
    ]


def relations_of(model: Model, application: str) -> list[Relation]:
    return [
        relation
        for relation in model.relations
        if application in (endpoint.application for endpoint in relation.endpoints)
    ]


def related_applications(model: Model, name: str) -> set[str]:
    """The applications of the same model that this one is related to, without itself (peer relations)."""
    related = {
        endpoint.application
        for relation in relations_of(model, name)
        for endpoint in relation.endpoints
    }
    if name in model.applications:
        related.update(*model.applications[name].relations.values())
    return {other for other in related if other in model.applications and other != name}


# --- status and health ----------------------------------------------------------------------------

# Of Juju's client, for the status of an application whose charm sets none: the worst unit's counts.
_SEVERITY = ("unknown", "terminated", "active", "waiting", "maintenance", "blocked", "error")


def application_status(application: Application, units: Iterable[Unit]) -> Status:
    """The application's status, or its worst unit's where its charm set none."""
    if application.status.value not in ("", "unset"):
        return application.status
    statuses = [unit.status for unit in units if unit.status.value]
    known = [status for status in statuses if status.value in _SEVERITY]
    if known:
        return max(known, key=lambda status: _SEVERITY.index(status.value))
    return statuses[0] if statuses else application.status


def observations_of_machine(machine: Optional[Machine]) -> list[Observation]:
    if machine is None:
        return []
    return [Observation("machine", machine.agent), Observation("instance", machine.instance)]


def observations_of_unit(unit: Unit, machines: Mapping[str, Machine]) -> list[Observation]:
    """What determines a unit's health: its workload, its agent and the machine that it is on."""
    own = [Observation("unit", unit.status), Observation("agent", unit.agent)]
    return own + observations_of_machine(machines.get(unit.machine or ""))


def observations_of_application(
    application: Application, units: Iterable[Unit], machines: Mapping[str, Machine]
) -> list[Observation]:
    """What determines an application's health: its own status and all of its units'."""
    units = list(units)
    observations = [Observation("application", application_status(application, units))]
    for unit in units:
        observations += observations_of_unit(unit, machines)
    return observations
