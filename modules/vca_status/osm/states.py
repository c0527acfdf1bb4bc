"""The status and health of a record: by its full status, its execution environments, or both."""

import dataclasses
import datetime
from typing import Any, Optional

from modules.vca_status.osm import environments
from modules.vca_status.osm.environments import Environment
from modules.vca_status.osm.records import APPLICATION, ENVIRONMENT, UNIT
from shared import vca
from shared.engine.errors import UnexpectedResponse
from shared.records.fields import field, needed
from shared.vca import Observation, Status

EARLIEST = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


@dataclasses.dataclass(frozen=True)
class State:
    """The status that counts, and all observations that determine the health."""

    kind: str  # of the status: OSM's entity-type, or configuration
    status: Status
    observations: list[Observation]
    as_of: Optional[datetime.datetime]  # when Juju reported it; None: at ``status.since``
    gone: bool
    model: Optional[vca.Model]

    @property
    def osm_status(self) -> str:
        return "unknown" if self.gone else vca.osm_status(self.kind, self.status.value)

    def health(self, now: Optional[datetime.datetime] = None) -> str:
        return vca.FAILED if self.gone else vca.worst_health(self.observations, now)


def state_of(record: dict[str, Any]) -> State:
    own = environments.of_record(record)
    kind = needed(record, "type_id", str)
    full_status = field(record, "status", dict)
    if full_status is not None and kind in (APPLICATION, UNIT):
        state = _by_full_status(record, kind, vca.read_model(full_status), own)
    else:
        state = _by_events(record, kind, own)
    configurations = environments.configurations(own, with_ready=False)
    return dataclasses.replace(state, observations=[*state.observations, *configurations])


# --- by the full status, with younger events ------------------------------------------------------


def _by_full_status(
    record: dict[str, Any], kind: str, model: vca.Model, own: list[Environment]
) -> State:
    name = needed(record, "name", str)
    application = model.applications.get(name)
    units = [unit for unit in vca.all_units(model) if name in (unit.name, unit.application)]
    if not (units if kind == UNIT else application):
        raise UnexpectedResponse(f"field 'status' has nothing of {name}")
    updated = _Updated(application, units, vca.all_machines(model), model.moment)
    for environment in own:
        updated.apply(environment)
    if kind == UNIT or not updated.application:
        kind = "unit"
        observations = vca.observations_of_unit(updated.units[0], updated.machines)
    else:
        kind = "application"
        observations = vca.observations_of_application(
            updated.application, updated.units, updated.machines
        )
        observations.append(Observation("model", model.status))
    status = observations[0].status
    from_event = any(status is event.status for event in updated.events)
    read = dataclasses.replace(model, machines=updated.machines)
    return State(kind, status, observations, None if from_event else model.moment, False, read)


class _Updated:
    """An application, its units and their machines, with the statuses of younger events."""

    def __init__(
        self,
        application: Optional[vca.Application],
        units: list[vca.Unit],
        machines: dict[str, vca.Machine],
        moment: Optional[datetime.datetime],
    ):
        self.units = units
        self.machines = machines
        self.events: list[Observation] = []  # those applied to the application or its units
        self._moment = moment  # of the full status
        self._application = application
        self._application_event: Optional[Status] = None

    @property
    def application(self) -> Optional[vca.Application]:
        """After any event, the application's old status is void: its units then determine it."""
        if self._application is None or not self.events:
            return self._application
        return dataclasses.replace(self._application, status=self._application_event or Status())

    def apply(self, environment: Environment) -> None:
        event = environment.last_event
        if event is None:
            return
        if event.kind == "instance":
            self._apply_to_machine(event, environment.machine)
        elif event.kind in ("application", "unit"):
            self._apply_to_units(event, environment.machine)

    def _apply_to_machine(self, event: Observation, machine_id: Optional[str]) -> None:
        machine = self.machines.get(machine_id or "")
        if machine and self._is_younger(event, machine.instance):
            self.machines[machine.id] = dataclasses.replace(machine, instance=event.status)

    def _apply_to_units(self, event: Observation, machine_id: Optional[str]) -> None:
        """A unit's event is that of the units on the machine; if there are none, of the application.

        If there is just one unit, all events are its own: OSM writes the unit's status as its application's.
        """
        numbers = [
            number
            for number, unit in enumerate(self.units)
            if len(self.units) == 1 or (event.kind == "unit" and unit.machine == machine_id)
        ]
        before = [self.units[number].status for number in numbers]
        if not numbers:
            before = [self._application.status if self._application else Status()]
        if not all(self._is_younger(event, status) for status in before):
            return
        self.events.append(event)
        for number in numbers:
            self.units[number] = dataclasses.replace(self.units[number], status=event.status)
        if not numbers or event.kind == "application":
            self._application_event = event.status

    def _is_younger(self, event: Observation, status: Status) -> bool:
        """Than the full status; or if it is unknown when that was taken, than the status in it."""
        moment, since = self._moment or status.since, event.status.since
        return since is not None and (moment is None or since > moment)


# --- without a full status ------------------------------------------------------------------------


def _by_events(record: dict[str, Any], kind: str, own: list[Environment]) -> State:
    """By what OSM stored at Juju's last events: the latest one that is not an action's counts.

    The status of a machine counts only if there is no other. An environment without events has OSM's own status.
    """
    events = [event for event in (one.last_event for one in own) if event]
    observations = sorted(
        (event for event in events if event.kind != "action"),
        key=lambda event: event.status.since or EARLIEST,
        reverse=True,
    )
    observations.sort(key=lambda event: event.kind == "instance")
    if not observations and kind == ENVIRONMENT:
        observations = environments.configurations(own, with_ready=True)
    gone = bool(field(record, "gone", bool))
    if not observations:
        return State("unit", Status(), [], None, gone, None)
    first = observations[0]
    kind_of_status = "machine" if first.kind == "instance" else first.kind
    return State(kind_of_status, first.status, observations, None, gone, None)
