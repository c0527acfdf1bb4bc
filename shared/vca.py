"""What OSM's N2VC and Juju agree on: names, namespaces, execution environments, status, health.

Pure: no I/O, no clock, no CMP resource. OSM calls the layer that configures network functions VCA; an
execution environment (EE) is what it runs a charm or a helm chart in. With Juju, that is a unit.

A Juju full status comes in two spellings: Juju's own (``agent-status``), and that of the dump that OSM
keeps in an NS record (``agent_status``, ``id_``, and ``unknown_fields`` for what its client did not
know). ``read_model`` reads both, and leaves out what is in neither form: ``left_out`` says what that is. A
live answer has nothing of the kind, or is refused.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from shared.engine.errors import UnexpectedResponse
from shared.records.fields import field, items, objects, parse_time, plain
from shared.records.status import worst

OWNER = "admin"  # of the models that OSM makes, where its VCA account names no other user

# --- ids that the Juju view and the OSM view share ------------------------------------------------
# ``model`` is Juju's qualified name, owner/name: a model's name alone is only unique to its owner.


def application_id(model: str, application: str) -> str:
    return f"{model}:application:{application}"


def unit_id(model: str, unit: str) -> str:
    return f"{model}:unit:{unit}"


def machine_id(model: str, machine: str) -> str:
    """Of a machine ("0") or a container ("0/lxd/1")."""
    return f"{model}:machine:{machine}"


# --- execution environments -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class EeId:
    """A charm's model, application and machine ("k8s" for none); or a helm chart's namespace, in
    ``model``, and release, in ``application``. None is what the text does not say."""

    model: Optional[str] = None
    application: Optional[str] = None
    machine: Optional[str] = None


def is_helm(kind: Optional[str]) -> bool:
    """Whether a VCA entry's ``type`` is one that Juju knows nothing of."""
    return (kind or "").startswith("helm")


def parse_ee_id(text: Optional[str], kind: Optional[str] = None) -> EeId:
    """``model.application.machine``, or ``[helm-v3:]namespace.release`` for a helm ``kind``.

    Never raises: OSM's own records hold ids of two parts, and of none while one is being made.
    """
    if not text:
        return EeId()
    if is_helm(kind) or text.startswith("helm"):
        before, colon, after = text.partition(":")
        if colon:
            return _ee_id(after.split(".", 1))
        if is_helm(kind):
            return _ee_id(before.split(".", 1))
    return _ee_id(text.split(".", 2))  # what is left over is the machine's, as in 0/lxd/1


def _ee_id(parts: list[str]) -> EeId:
    return EeId(*(part or None for part in parts))


# --- namespaces -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Namespace:
    """``[nsi].ns[.vnf[.vdu[-count]]]``; ``vdu`` may be a KDU, which has no count."""

    nsi: Optional[str] = None
    ns: Optional[str] = None
    vnf: Optional[str] = None
    vdu: Optional[str] = None
    count: Optional[int] = None


_COUNTED = re.compile(r"(.*)-([0-9]{1,18})", re.DOTALL)


def parse_namespace(text: Optional[str]) -> Namespace:
    """The parts of a namespace; ValueError where it is none. Who needs ``ns`` looks that it is there.

    The count is what follows the last hyphen, if that is digits: vdu ids and kdu names hold hyphens
    too. "db-2" may be count 2 of db or the kdu db-2: where the VCA entry is at hand, use ``place``.
    """
    if not text:
        raise ValueError("a namespace is empty")
    parts = text.split(".")
    if len(parts) > 4:
        raise ValueError(f"namespace {text!r} has more than four parts")
    nsi, ns, vnf, last = (part or None for part in parts + [""] * (4 - len(parts)))
    vdu, count = _counted(last)
    if vdu == "":
        raise ValueError(f"namespace {text!r} has a count of nothing")
    return Namespace(nsi, ns, vnf, vdu, count)


def _counted(text: Optional[str]) -> tuple[Optional[str], Optional[int]]:
    found = _COUNTED.fullmatch(text or "")
    return (found[1], int(found[2])) if found else (text, None)


@dataclasses.dataclass(frozen=True)
class Place:
    """What in its network service a VCA entry configures; all None: the service itself."""

    member_index: Optional[str] = None
    vdu: Optional[str] = None
    kdu: Optional[str] = None
    count: Optional[int] = None

    @property
    def target_element(self) -> str:
        """As OSM writes it; the key of the entry that a person knows it by."""
        if self.member_index is None:
            return "ns"
        path = f"vnf/{self.member_index}"
        if self.kdu is not None:
            return f"{path}/kdu/{self.kdu}"
        if self.vdu is not None:
            return f"{path}/vdu/{self.vdu}/{self.count or 0}"
        return path


def place(entry: Mapping[str, Any]) -> Place:
    """From the members of an entry of ``_admin.deployed.VCA``, or else its ``target_element``."""
    index = field(entry, "member-vnf-index", str) or None
    if index:
        vdu, kdu = field(entry, "vdu_id", str) or None, field(entry, "kdu_name", str) or None
        count = field(entry, "vdu_count_index", int) if vdu else None
        return Place(index, vdu, kdu, count)
    parts = (field(entry, "target_element", str) or "").split("/")
    if parts[0] != "vnf" or len(parts) < 2:
        return Place()
    if parts[2:3] == ["kdu"]:
        return Place(parts[1], kdu="/".join(parts[3:]))
    if parts[2:3] == ["vdu"] and len(parts) > 3:
        counted = len(parts) > 4 and re.fullmatch("[0-9]{1,18}", parts[4])
        return Place(parts[1], parts[3], count=int(parts[4]) if counted else None)
    return Place(parts[1])


# --- names that OSM gives -------------------------------------------------------------------------


def model_name(text: str) -> str:
    return re.sub("[_ ]", "-", text).lower()


def application_name(text: str) -> str:
    """Juju takes no group of digits alone between hyphens. Different texts may get one name."""
    groups = re.sub("-+", "-", model_name(text)).split("-")
    name = "-".join("z" + group if re.fullmatch("[0-9]*", group) else group for group in groups)
    return "z" + name if re.match("[0-9]", name) else name


def application_name_of(namespace: Namespace) -> str:
    """The name that N2VC 7.0 gave. Later releases have other patterns: it is no identity."""
    named = (("vnf", namespace.vnf), ("vdu", namespace.vdu), ("cnt", namespace.count))
    return application_name("app-" + "-".join(f"{k}-{v}" for k, v in named if v is not None))


# --- Juju's word -> OSM's -------------------------------------------------------------------------

_OF_WORKLOAD = {
    "waiting": "running",
    "maintenance": "running",
    "blocked": "running",
    "active": "completed",
    "error": "failed",
    "terminated": "failed",
}
# A machine's agent word; beside it the instance's, which is what OSM keeps in VCA-status.
_OF_MACHINE = {
    "pending": "pending",
    "started": "completed",
    "down": "failed",
    "error": "failed",
    "stopped": "failed",
    "allocating": "pending",
    "running": "completed",
    "provisioning error": "failed",
}
_OF_ACTION = {
    "pending": "pending",
    "running": "running",
    "completed": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
_OF_CONFIGURATION = {  # OSM's configurationStatus, which is all that it has of a helm chart
    "CREATING": "pending",
    "REGISTERING": "pending",
    "INSTALLING SW": "running",
    "READY": "completed",
    "TERMINATING": "running",
    "BROKEN": "failed",
}
_OSM_STATUS = {
    "application": _OF_WORKLOAD,
    "unit": _OF_WORKLOAD,
    "machine": _OF_MACHINE,
    "action": _OF_ACTION,
    "configuration": _OF_CONFIGURATION,
}


def osm_status(kind: Optional[str], word: Optional[str]) -> str:
    """pending, running, completed, failed or unknown; ``kind`` is OSM's entity-type, or configuration."""
    return _OSM_STATUS.get(kind or "", {}).get(word or "", "unknown")


# --- health ---------------------------------------------------------------------------------------

OK, UNKNOWN, IN_PROGRESS, DEGRADED, FAILED = "ok", "unknown", "in_progress", "degraded", "failed"
WORST_LAST = (OK, UNKNOWN, IN_PROGRESS, DEGRADED, FAILED)
STUCK_AFTER = datetime.timedelta(minutes=30)

_WORKLOAD_HEALTH = {
    "active": OK,
    "waiting": IN_PROGRESS,
    "maintenance": IN_PROGRESS,
    "blocked": DEGRADED,
    "error": FAILED,
    "terminated": FAILED,
    "failed": FAILED,
}
_MACHINE_HEALTH = {
    "started": OK,
    "pending": IN_PROGRESS,
    "down": FAILED,
    "error": FAILED,
    "stopped": FAILED,
}
_INSTANCE_HEALTH = {
    "running": OK,
    "pending": IN_PROGRESS,
    "allocating": IN_PROGRESS,
    "error": FAILED,
    "provisioning error": FAILED,
}
# By kind of word. An action's tells nothing of the unit that it ran in: a failed day-2 action is no
# broken unit, and a completed one does not unblock it.
HEALTH: dict[str, dict[str, str]] = {
    "application": _WORKLOAD_HEALTH,
    "unit": _WORKLOAD_HEALTH,
    "remote application": _WORKLOAD_HEALTH,
    "agent": {
        "idle": OK,
        "executing": IN_PROGRESS,
        "allocating": IN_PROGRESS,
        "rebooting": IN_PROGRESS,
        "lost": FAILED,
        "failed": FAILED,
        "error": FAILED,
    },
    "machine": _MACHINE_HEALTH,
    "instance": _INSTANCE_HEALTH,
    "model": {
        "available": OK,
        "busy": IN_PROGRESS,
        "destroying": IN_PROGRESS,
        "suspended": DEGRADED,  # its cloud credential is invalid
        "error": FAILED,
    },
    "configuration": {  # OSM's configurationStatus
        "READY": OK,
        "CREATING": IN_PROGRESS,
        "REGISTERING": IN_PROGRESS,
        "INSTALLING SW": IN_PROGRESS,
        "TERMINATING": IN_PROGRESS,
        "BROKEN": FAILED,
    },
}


@dataclasses.dataclass(frozen=True)
class Status:
    """Juju's word, message and since when; "" where it gives none."""

    word: str = ""
    message: str = ""
    since: Optional[datetime.datetime] = None


@dataclasses.dataclass(frozen=True)
class Seen:
    """A word of a kind (a key of ``HEALTH``, or "action") that was read of something."""

    kind: str
    status: Status


def health(
    seen: Iterable[Seen],
    now: Optional[datetime.datetime] = None,
    stuck_after: datetime.timedelta = STUCK_AFTER,
) -> str:
    """The worst that any word says. Nothing said, or a word that nobody knows, is never ok.

    With ``now``, what has been in progress for longer than ``stuck_after`` is degraded.
    """
    verdicts = [_verdict(each, now, stuck_after) for each in seen if _says(each)]
    return max(verdicts, key=WORST_LAST.index, default=UNKNOWN)


def stuck(seen: Seen, now: datetime.datetime, after: datetime.timedelta = STUCK_AFTER) -> bool:
    """Whether it has been in progress for too long; not where nobody knows since when."""
    since = seen.status.since
    return _known(seen) == IN_PROGRESS and since is not None and now - since > after


# --- levels of a status poll ----------------------------------------------------------------------

_LEVEL_OF_OSM_STATUS = {"pending": "ok", "running": "ok", "completed": "ok", "failed": "error"}
_LEVEL_OF_HEALTH = {OK: "ok", IN_PROGRESS: "ok", DEGRADED: "warning", FAILED: "error"}


def level(osm: str, verdict: str) -> str:
    """ok, warning, error or unknown: that of the OSM status, or of the health where that is worse."""
    levels = (_LEVEL_OF_OSM_STATUS.get(osm, "unknown"), _LEVEL_OF_HEALTH.get(verdict, "unknown"))
    return worst(levels)


def told(seen: Iterable[Seen], now: datetime.datetime) -> str:
    """One line that says the worst of it: what is how, why, and since when. The first of equals."""
    said = [each for each in seen if _says(each)]
    if not said:
        return "no status yet"
    each = max(said, key=lambda each: WORST_LAST.index(_verdict(each, now, STUCK_AFTER)))
    text = f"{each.kind} is {each.status.word}"
    if each.status.message:
        text += f" ({' '.join(each.status.message.split())})"
    if each.status.since:
        since = plain(each.status.since)
        text += f", stuck since {since}" if stuck(each, now) else f", since {since}"
    return text


def _says(seen: Seen) -> bool:
    return bool(seen.status.word) and seen.kind != "action"


def _known(seen: Seen) -> str:
    return HEALTH.get(seen.kind, {}).get(seen.status.word, UNKNOWN)


def _verdict(seen: Seen, now: Optional[datetime.datetime], after: datetime.timedelta) -> str:
    return DEGRADED if now is not None and stuck(seen, now, after) else _known(seen)


# --- a Juju full status ---------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit; a subordinate names its ``principal`` and is on that one's machine."""

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
    """An application; ``units`` are its own, so none where it is subordinate (see ``units_of``)."""

    name: str
    status: Status
    charm: Optional[str]
    exposed: Optional[bool]
    life: Optional[str]
    version: Optional[str]  # of the workload
    relations: Mapping[str, tuple[str, ...]]  # by endpoint, the applications at its other end
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
    """What the model offers to others."""

    name: str
    application: Optional[str]
    endpoints: tuple[str, ...]
    connected: Optional[int]
    record: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class RemoteApplication:
    """What the model takes of another's offers (SAAS)."""

    name: str
    url: Optional[str]  # controller:owner/model.offer
    status: Status
    relations: Mapping[str, tuple[str, ...]]
    record: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)


@dataclasses.dataclass(frozen=True)
class Model:
    """A full status. Everything is in the order of its name or id."""

    name: Optional[str]
    kind: Optional[str]  # iaas or caas
    cloud: Optional[str]
    region: Optional[str]
    version: Optional[str]
    status: Status
    applications: Mapping[str, Application]
    machines: Mapping[str, Machine]  # those of the top; all_machines gives the containers too
    relations: tuple[Relation, ...]
    offers: Mapping[str, Offer]
    remote_applications: Mapping[str, RemoteApplication]
    moment: Optional[datetime.datetime]  # the controller's clock


def read_model(full_status: Mapping[str, Any]) -> Model:
    """A full status in either spelling. Null is as good as absent.

    A value below ``applications`` that is no object is left out: OSM leaves a list there. So is a unit, a
    machine or an offer that is null. Callers that may not lose any look at ``left_out`` first.
    """
    model = _get(full_status, "model", dict) or {}
    applications = _get(full_status, "applications", dict) or {}
    read = {
        name: _application(name, applications[name])
        for name in sorted(applications)
        if isinstance(applications[name], dict)
    }
    machines = _machines(full_status, "machines", None)
    return Model(
        name=_text(model, "name"),
        kind=_text(model, "type"),
        cloud=(_text(model, "cloud-tag") or "").partition("-")[2] or None,
        region=_text(model, "region"),
        version=_text(model, "version"),
        status=_status(model, "model-status"),
        applications=read,
        machines={each.id: each for each in machines},
        relations=tuple(
            sorted(
                (_relation(each) for each in _list(full_status, "relations")),
                key=lambda relation: (relation.key or "", relation.id or 0),
            )
        ),
        offers={name: _offer(name, each) for name, each in _objects(full_status, "offers").items()},
        remote_applications={
            name: _remote(name, each)
            for name, each in _objects(full_status, "remote-applications").items()
        },
        moment=parse_since(_text(full_status, "controller-timestamp")),
    )


def all_units(model: Model) -> list[Unit]:
    """Every unit, each followed by its subordinates."""
    return [
        each
        for application in model.applications.values()
        for unit in application.units
        for each in (unit, *unit.subordinates)
    ]


def units_of(model: Model, application: str) -> list[Unit]:
    """An application's units; those of a subordinate one are inside its principals'."""
    return [unit for unit in all_units(model) if unit.application == application]


def all_machines(model: Model) -> dict[str, Machine]:
    """Machines and containers of every level, by id."""
    found: dict[str, Machine] = {}

    def add(machine: Machine) -> None:
        found[machine.id] = machine
        for each in machine.containers:
            add(each)

    for machine in model.machines.values():
        add(machine)
    return found


# Of the worst unit, where the server has no status of the application's own.
_SEVERITY = ("unknown", "terminated", "active", "waiting", "maintenance", "blocked", "error")


def application_status(application: Application, units: Iterable[Unit]) -> Status:
    """The application's status; that of its worst unit where nobody set one."""
    if application.status.word not in ("", "unset"):
        return application.status
    said = [unit.status for unit in units if unit.status.word]
    known = [each for each in said if each.word in _SEVERITY]
    if known:
        return max(known, key=lambda status: _SEVERITY.index(status.word))
    return said[0] if said else application.status


def seen_of_machine(machine: Optional[Machine]) -> list[Seen]:
    if machine is None:
        return []
    return [Seen("machine", machine.agent), Seen("instance", machine.instance)]


def seen_of_unit(unit: Unit, machines: Mapping[str, Machine]) -> list[Seen]:
    """What tells a unit's health: workload, agent, and the machine that it is on."""
    seen = [Seen("unit", unit.status), Seen("agent", unit.agent)]
    return seen + seen_of_machine(machines.get(unit.machine or ""))


def seen_of_application(
    application: Application, units: Iterable[Unit], machines: Mapping[str, Machine]
) -> list[Seen]:
    """What tells an application's health: its own status and all of its units'."""
    units = list(units)
    seen = [Seen("application", application_status(application, units))]
    for unit in units:
        seen += seen_of_unit(unit, machines)
    return seen


# --- cuts: a full status that has nothing but what tells of one thing, as the record of that thing -----


def cut_of_unit(unit: Unit, machines: Mapping[str, Machine]) -> dict[str, Any]:
    """Its own record, and its machine's. ``read_model`` reads it."""
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


def cut_of_application(model: Model, application: Application) -> dict[str, Any]:
    """Its own record, its units', their machines', and its relations, offers and remote applications."""
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
        "relations": [
            each.record
            for each in model.relations
            if name in (end.application for end in each.endpoints)
        ],
        "offers": {
            key: each.record for key, each in model.offers.items() if each.application == name
        },
        "remote-applications": {
            each.name: each.record for each in remote_applications_of(model, application)
        },
    }


def remote_applications_of(model: Model, application: Application) -> list[RemoteApplication]:
    """Those of other models that an application has relations with."""

    def named(relations: Mapping[str, tuple[str, ...]]) -> set[str]:
        return {other for others in relations.values() for other in others}

    related = named(application.relations)
    return [
        each
        for each in model.remote_applications.values()
        if each.name in related or application.name in named(each.relations)
    ]


def _records_of(machines: Mapping[str, Machine], units: Iterable[Unit]) -> dict[str, Any]:
    """Of the machines that these units are on, without the containers in them."""
    there = {unit.machine for unit in units if unit.machine in machines}
    return {
        each: {k: v for k, v in machines[each].record.items() if k != "containers"}
        for each in sorted(filter(None, there))
    }


# --- facts: what a resource says of a thing beyond its id ------------------------------------------


def status_facts(kind: str, status: Status, moment: Optional[datetime.datetime]) -> dict[str, Any]:
    """Juju's word, message and since; OSM's word; how old it was at ``moment``."""
    since = status.since
    return {
        "juju_status": status.word,
        "juju_message": status.message,
        "since": since,
        "as_of": moment,
        "age_s": int((moment - since).total_seconds()) if moment and since else None,
        "osm_status": osm_status(kind, status.word),
    }


def unit_facts(unit: Unit, machines: Mapping[str, Machine]) -> dict[str, Any]:
    """What is known of a unit beside its workload's status."""
    machine = machines.get(unit.machine or "")
    return {
        "application": unit.application,
        "agent_status": unit.agent.word,
        "agent_message": unit.agent.message,
        "agent_since": unit.agent.since,
        "machine": unit.machine,
        "machine_status": machine and machine.agent.word,
        "machine_message": machine and machine.agent.message,
        "instance_status": machine and machine.instance.word,
        "instance_message": machine and machine.instance.message,
        "leader": unit.leader,
        "address": unit.address,
        "opened_ports": list(unit.ports),
        "workload_version": unit.version,
        "principal": unit.principal,
    }


def application_facts(model: Model, application: Application) -> dict[str, Any]:
    """What is known of an application beside its status."""
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
                "key": each.key,
                "interface": each.interface,
                "scope": each.scope,
                "status": each.status.word,
                "message": each.status.message,
            }
            for each in model.relations
            if application.name in (end.application for end in each.endpoints)
        ],
        "offers": [
            {"name": each.name, "endpoints": list(each.endpoints), "connected": each.connected}
            for each in model.offers.values()
            if each.application == application.name
        ],
        "remote_applications": [
            {"name": each.name, "url": each.url, "status": each.status.word}
            for each in remote_applications_of(model, application)
        ],
    }


def related_applications(model: Model, name: str) -> set[str]:
    """The applications of the same model that it has relations with; not itself (peer relations)."""
    found = {
        end.application
        for each in model.relations
        if name in (end.application for end in each.endpoints)
        for end in each.endpoints
    }
    if name in model.applications:
        found.update(*model.applications[name].relations.values())
    return {each for each in found if each in model.applications and each != name}


_FRACTION = re.compile(r"(\.[0-9]{1,6})[0-9]*")


def parse_since(text: Optional[str]) -> Optional[datetime.datetime]:
    """Juju's times have up to nine digits behind the dot, and Python before 3.11 takes three or six."""
    if not text:
        return None
    text = _FRACTION.sub(lambda found: found[1].ljust(7, "0"), text.strip(), count=1)
    return parse_time(text)


def parse_epoch(value: Any) -> Optional[datetime.datetime]:
    """OSM's times are seconds since 1970, as a number or (``status-time``) as text."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        return datetime.datetime.fromtimestamp(float(value), datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


# --- what is not read -----------------------------------------------------------------------------

# What a full status has in maps, and what these have in maps: Juju writes all of them, null where they are
# empty (the params.FullStatus of its source has no omitempty for them).
_Maps = dict[str, Any]
_UNIT: _Maps = {}
_UNIT["subordinates"] = _UNIT
_MACHINE: _Maps = {}
_MACHINE["containers"] = _MACHINE
_MAPS: _Maps = {
    "applications": {"units": _UNIT},
    "machines": _MACHINE,
    "offers": {},
    "remote-applications": {},
}


def left_out(full_status: Mapping[str, Any]) -> list[str]:
    """What ``read_model`` can't read of a full status and leaves out, each with its path.

    A map or list that is absent, something that is no object where one should be, and an application
    that Juju has an error of: it then says nothing of its units. Raises UnexpectedResponse where
    ``read_model`` does.
    """
    found = list(_not_read(full_status, _MAPS, ""))
    if not _has(full_status, "relations"):
        found.append("field 'relations' is missing")
    _list(full_status, "relations")
    return found


def _not_read(record: Mapping[str, Any], maps: _Maps, where: str) -> Iterator[str]:
    for name, below in maps.items():
        path = f"{where}{name}"
        if not _has(record, name):
            yield f"field {path!r} is missing"
            continue
        for key, value in (_get(record, name, dict) or {}).items():
            if not isinstance(value, dict):
                yield f"field '{path}.{key}' should be an object"
                continue
            error = value.get("err") if name == "applications" else None
            if error:
                message = error.get("message") if isinstance(error, dict) else error
                yield f"field '{path}.{key}' is an error: {message}"
            else:
                yield from _not_read(value, below, f"{path}.{key}.")


def _has(record: Mapping[str, Any], name: str) -> bool:
    """Whether it has the field at all, however that is spelt, even if null."""
    bag = record.get("unknown_fields")
    return any(
        isinstance(where, dict) and spelt in where for where, spelt in _spellings(record, bag, name)
    )


# --- reading it -----------------------------------------------------------------------------------


def _get(record: Mapping[str, Any], name: str, kind: Any) -> Any:
    """The field by Juju's name, by that of OSM's dump, or from the dump's bag; None if nowhere."""
    for where, spelt in _spellings(record, record.get("unknown_fields"), name):
        if isinstance(where, dict) and where.get(spelt) is not None:
            return field(where, spelt, kind)
    return None


def _spellings(record: Any, bag: Any, name: str) -> tuple[tuple[Any, str], ...]:
    snake = name.replace("-", "_")
    return (record, name), (record, snake), (record, snake + "_"), (bag, name)


def _text(record: Mapping[str, Any], name: str) -> Optional[str]:
    return _get(record, name, str) or None


def _list(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return objects({name: _get(record, name, list)}, name)


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(items({name: _get(record, name, list)}, name, str))


def _objects(record: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """A map of objects, sorted by key; null ones left out."""
    found = _get(record, name, dict) or {}
    made = {str(key): field(found, key, dict) for key in sorted(found)}
    return {key: value for key, value in made.items() if value is not None}


def _status(record: Mapping[str, Any], name: str) -> Status:
    found = _get(record, name, dict) or {}
    return Status(
        _get(found, "status", str) or "",
        _get(found, "info", str) or "",
        parse_since(_text(found, "since")),
    )


def _related(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found = _get(record, "relations", dict) or {}
    named = {str(name): tuple(sorted(items(found, name, str))) for name in sorted(found)}
    return {name: applications for name, applications in named.items() if applications}


def _application(name: str, record: Mapping[str, Any]) -> Application:
    units = _objects(record, "units")
    return Application(
        name=name,
        status=_status(record, "status"),
        charm=_text(record, "charm"),
        exposed=_get(record, "exposed", bool),
        life=_text(record, "life"),
        version=_text(record, "workload-version"),
        relations=_related(record),
        subordinate_to=_texts(record, "subordinate-to"),
        scale=_get(record, "int", int),
        units=tuple(_unit(each, units[each], None) for each in sorted(units, key=_natural)),
        record=record,
    )


def _unit(name: str, record: Mapping[str, Any], principal: Optional[tuple[str, Any]]) -> Unit:
    application, _, number = name.rpartition("/")
    if not application or not number:
        raise UnexpectedResponse(f"unit {name!r} is not named application/number")
    machine = _text(record, "machine") or (principal[1] if principal else None)
    below = _objects(record, "subordinates")
    return Unit(
        name=name,
        application=application,
        status=_status(record, "workload-status"),
        agent=_status(record, "agent-status"),
        machine=machine,
        leader=bool(_get(record, "leader", bool)),
        address=_text(record, "public-address") or _text(record, "address"),
        version=_text(record, "workload-version"),
        ports=_texts(record, "opened-ports"),
        principal=principal[0] if principal else None,
        subordinates=tuple(
            _unit(each, below[each], (name, machine)) for each in sorted(below, key=_natural)
        ),
        record=record,
    )


def _machines(record: Mapping[str, Any], name: str, parent: Optional[str]) -> tuple[Machine, ...]:
    found = _objects(record, name)
    return tuple(_machine(each, found[each], parent) for each in sorted(found, key=_natural))


def _machine(id_: str, record: Mapping[str, Any], parent: Optional[str]) -> Machine:
    instance = _text(record, "instance-id")
    base = _get(record, "base", dict) or {}
    channel = (_text(base, "channel") or "").partition("/")[0]
    above = id_.rpartition("/")[0].rpartition("/")[0]  # 0/lxd/1 is in 0, wherever it is listed
    return Machine(
        id=id_,
        agent=_status(record, "agent-status"),
        instance=_status(record, "instance-status"),
        modification=_status(record, "modification-status"),
        instance_id=None if instance == "pending" else instance,
        display_name=_text(record, "display-name"),
        hostname=_text(record, "hostname"),
        address=_text(record, "dns-name"),
        addresses=_texts(record, "ip-addresses"),
        base=f"{_text(base, 'name') or ''} {channel}".strip() or None,
        series=_text(record, "series"),
        hardware=_text(record, "hardware"),
        constraints=_text(record, "constraints"),
        parent=above or parent,
        containers=_machines(record, "containers", id_),
        record=record,
    )


def _relation(record: Mapping[str, Any]) -> Relation:
    return Relation(
        id=_get(record, "id", int),
        key=_text(record, "key"),
        interface=_text(record, "interface"),
        scope=_text(record, "scope"),
        status=_status(record, "status"),
        endpoints=tuple(
            Endpoint(
                _text(each, "application") or "",
                _text(each, "name"),
                _text(each, "role"),
                bool(_get(each, "subordinate", bool)),
            )
            for each in _list(record, "endpoints")
        ),
        record=record,
    )


def _offer(name: str, record: Mapping[str, Any]) -> Offer:
    return Offer(
        name=name,
        application=_text(record, "application-name"),
        endpoints=tuple(_objects(record, "endpoints")),
        connected=_get(record, "total-connected-count", int),
        record=record,
    )


def _remote(name: str, record: Mapping[str, Any]) -> RemoteApplication:
    return RemoteApplication(
        name=name,
        url=_text(record, "offer-url"),
        status=_status(record, "status"),
        relations=_related(record),
        record=record,
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts app/10 behind app/9."""
    return [
        (int(part), "") if re.fullmatch("[0-9]{1,18}", part) else (-1, part)
        for part in name.split("/")
    ]
